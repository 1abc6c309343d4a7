package run.caracal.platform;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Clock;
import java.time.Instant;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * The shared state of a zone's services: applications, resources, keys, trusted issuers, authority records, audit log.
 */
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

    /** The authority record of a user or of the application itself; tokens are valid only with their record. */
    record AuthorityRecord(
            String applicationId, @Nullable String user, Instant expiresAt, Standing standing, Instant changedAt) {
        boolean isActive(Instant now) {
            return standingAt(now) == Standing.GOOD && now.isBefore(expiresAt);
        }

        /** Its standing, ignoring a change that is not yet in effect. */
        private Standing standingAt(Instant now) {
            return now.isBefore(changedAt) ? Standing.GOOD : standing;
        }

        /** Whether it is that of this application itself. */
        boolean isOf(String application) {
            return user == null && applicationId.equals(application);
        }

        private AuthorityRecord with(Standing changed, Instant at) {
            return new AuthorityRecord(applicationId, user, expiresAt, changed, at);
        }
    }

    /** The standing of an authority record. */
    enum Standing {
        /** Its tokens and sessions are valid. */
        GOOD,
        /** Its tokens are rejected; sessions that were opened with them live on. */
        TOKENS_REVOKED,
        /** Its tokens and its sessions are rejected. */
        REVOKED
    }

    final String id;
    final Map<String, Application> applications;
    /** Replaced as a whole, in the order of registration. */
    volatile Map<String, ProtectedResource> resources;

    final PlatformLimits limits;
    final Clock clock;
    final ZoneKeys keys;
    final TrustedIssuers issuers;
    final Revocations revocations;
    final AuditTrail audit;
    final Policy policy = new Policy();
    final Rulings rulings = new Rulings();

    private final Map<String, AuthorityRecord> records = new ConcurrentHashMap<>();
    private final Map<String, String> rowIds = new HashMap<>();

    Zone(
            String id,
            Map<String, Application> applications,
            Map<String, ProtectedResource> resources,
            PlatformLimits limits,
            Clock clock,
            ZoneKeys keys,
            TrustedIssuers issuers,
            Revocations revocations) {
        this.id = id;
        this.applications = applications;
        this.resources = resources;
        this.limits = limits;
        this.clock = clock;
        this.keys = keys;
        this.issuers = issuers;
        this.revocations = revocations;
        this.audit = new AuditTrail(limits.auditEvents);
        resources.keySet().forEach(identifier -> rowIds.put(identifier, Ids.timeOrdered(clock.instant())));
    }

    Instant now() {
        return clock.instant();
    }

    /** A resource by its id or its row id. */
    Optional<ProtectedResource> resource(String identifierOrRowId) {
        ProtectedResource resource = resources.get(identifierOrRowId);
        return resource != null
                ? Optional.of(resource)
                : resources.values().stream()
                        .filter(candidate -> rowId(candidate.id()).equals(identifierOrRowId))
                        .findFirst();
    }

    /** The row id of a registered resource. */
    String rowId(String identifier) {
        return Objects.requireNonNull(rowIds.get(identifier), identifier);
    }

    void openRecord(String recordId, String applicationId, @Nullable String user, Instant expiresAt) {
        records.put(recordId, new AuthorityRecord(applicationId, user, expiresAt, Standing.GOOD, Instant.MIN));
    }

    @Nullable
    AuthorityRecord record(String recordId) {
        return records.get(recordId);
    }

    /** Whether the record is active, without the clock skew that its tokens are granted. */
    boolean isActive(String recordId) {
        AuthorityRecord known = records.get(recordId);
        return known != null && known.isActive(now());
    }

    /** Whether the record was revoked, as opposed to expired. */
    boolean isRevoked(String recordId) {
        AuthorityRecord known = records.get(recordId);
        return known != null && known.standingAt(now()) != Standing.GOOD;
    }

    /** Whether sessions that were opened with the record may continue, even after it expired. */
    boolean carriesSessions(String recordId) {
        AuthorityRecord known = records.get(recordId);
        return known == null || known.standing() != Standing.REVOKED;
    }

    /** Rejects all tokens of the record, after the revocation delay. */
    void revokeTokens(String recordId) {
        records.computeIfPresent(
                recordId,
                (id, known) -> known.standing() == Standing.GOOD
                        ? known.with(Standing.TOKENS_REVOKED, now().plus(limits.revocationDelay))
                        : known);
    }

    /** The time up to which verifiers know of revocations, which reach them late. */
    Instant knownUntil() {
        return now().minus(limits.revocationDelay);
    }

    void revokeRecords(String applicationId) {
        records.replaceAll((recordId, known) ->
                known.applicationId().equals(applicationId) ? known.with(Standing.REVOKED, now()) : known);
        records.forEach((recordId, known) -> {
            if (known.applicationId().equals(applicationId)) {
                revocations.revoked("authority_revoked", Map.of("session_id", recordId));
            }
        });
    }

    /** Removes expired records; a revoked one is kept as long as a token may name it. */
    void forgetOldRecords() {
        Instant now = now();
        records.values().removeIf(known -> !now.isBefore(known.expiresAt().plus(limits.maxTokenTtl)));
    }

    /** Removes the history; issued tokens stay valid, except for revoked ones. */
    void reset() {
        audit.clear();
        rulings.clear();
        records.values().removeIf(known -> known.standing() != Standing.GOOD);
    }

    /** Sets the upstream URL of a resource. */
    synchronized void upstream(String resourceId, String baseUrl) {
        ProtectedResource resource = Objects.requireNonNull(resources.get(resourceId), resourceId);
        Map<String, ProtectedResource> changed = new LinkedHashMap<>(resources);
        changed.put(resourceId, resource.withUpstream(baseUrl));
        resources = changed;
    }

    void audit(
            String eventType,
            String requestId,
            String decision,
            String evaluationStatus,
            @Nullable String determiningPolicy,
            Map<String, @Nullable Object> metadata) {
        audit.record(
                policy.event(id, eventType, requestId, decision, evaluationStatus, determiningPolicy, metadata, now()));
    }
}
