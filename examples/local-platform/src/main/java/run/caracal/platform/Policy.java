package run.caracal.platform;

import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The policy set in force, as visible from outside: its names in the audit log. */
final class Policy {

    static final String BOOTSTRAP = "caracal-bootstrap";
    static final String FEDERATION = "caracal-subject-federation";

    static final String ALLOW = "allow";
    static final String DENY = "deny";

    private static final String SET = "policy-set-local";
    private static final String VERSION = "policy-set-local-v1";
    /** SHA-256 of the version's name, in the absence of a bundle. */
    static final String MANIFEST = "f71dbe7cd7a3edcba84c785fb950dcdebfad7236a810f6e7233ef1501b5bb1b3";

    /** The policy that permits one-shot mandates for sessions of an application. */
    static String mint(String applicationId) {
        return "caracal-" + applicationId + "-mint";
    }

    /** The policy that permits an application to use its tokens at the Gateway. */
    static String use(String applicationId) {
        return "caracal-" + applicationId + "-use";
    }

    AuditEvent event(
            String zoneId,
            String eventType,
            String requestId,
            String decision,
            String evaluationStatus,
            @Nullable String determiningPolicy,
            Map<String, @Nullable Object> metadata,
            Instant now) {
        boolean exchange = eventType.equals("token_exchange");
        return new AuditEvent(
                Ids.timeOrdered(now),
                zoneId,
                eventType,
                requestId,
                decision,
                evaluationStatus,
                exchange ? SET : null,
                exchange ? VERSION : null,
                exchange ? MANIFEST : null,
                determiningPolicy == null ? List.of() : List.of(determiningPolicy),
                metadata,
                now);
    }
}
