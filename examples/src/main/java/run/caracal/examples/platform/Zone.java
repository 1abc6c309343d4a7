package run.caracal.examples.platform;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Clock;
import java.time.Instant;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/** What the services of one zone share: its applications, resources, keys, authority records and audit log. */
final class Zone {

    /** A registered application. */
    record Application(String id, String secret) {
        boolean hasSecret(String candidate) {
            return MessageDigest.isEqual(
                    secret.getBytes(StandardCharsets.UTF_8), candidate.getBytes(StandardCharsets.UTF_8));
        }

        @Override
        public String toString() {
            return id;
        }
    }

    /** What a token stands on: it dies when its record is revoked. */
    record AuthorityRecord(String applicationId, Instant expiresAt, boolean revoked) {
        boolean isActive(Instant now) {
            return !revoked && now.isBefore(expiresAt);
        }
    }

    final String id;
    final Map<String, Application> applications;
    final Map<String, ProtectedResource> resources;
    final PlatformLimits limits;
    final Clock clock;
    final ZoneKeys keys;
    final AuditTrail audit;
    final Policy policy = new Policy();

    private final Map<String, AuthorityRecord> records = new ConcurrentHashMap<>();

    Zone(
            String id,
            Map<String, Application> applications,
            Map<String, ProtectedResource> resources,
            PlatformLimits limits,
            Clock clock,
            ZoneKeys keys) {
        this.id = id;
        this.applications = applications;
        this.resources = resources;
        this.limits = limits;
        this.clock = clock;
        this.keys = keys;
        this.audit = new AuditTrail(limits.auditEvents);
    }

    Instant now() {
        return clock.instant();
    }

    String openRecord(String applicationId, Instant expiresAt) {
        String recordId = Ids.timeOrdered(now());
        records.put(recordId, new AuthorityRecord(applicationId, expiresAt, false));
        return recordId;
    }

    @Nullable
    AuthorityRecord record(String recordId) {
        return records.get(recordId);
    }

    /** Whether the record is alive; without tolerance, unlike the tokens that stand on it. */
    boolean isActive(String recordId) {
        AuthorityRecord known = records.get(recordId);
        return known != null && known.isActive(now());
    }

    /** Whether the record was revoked, as opposed to run out. */
    boolean isRevoked(String recordId) {
        AuthorityRecord known = records.get(recordId);
        return known != null && known.revoked();
    }

    void revokeRecords(String applicationId) {
        records.replaceAll((recordId, known) -> known.applicationId().equals(applicationId)
                ? new AuthorityRecord(applicationId, known.expiresAt(), true)
                : known);
    }

    /** Forgets records that ran out; a revoked one is kept as long as a token may name it. */
    void forgetOldRecords() {
        Instant now = now();
        records.values().removeIf(known -> !now.isBefore(known.expiresAt().plus(limits.maxTokenTtl)));
    }

    void audit(
            String eventType,
            String requestId,
            boolean allowed,
            String evaluationStatus,
            @Nullable String determiningPolicy,
            Map<String, @Nullable Object> metadata) {
        audit.record(
                policy.event(id, eventType, requestId, allowed, evaluationStatus, determiningPolicy, metadata, now()));
    }
}
