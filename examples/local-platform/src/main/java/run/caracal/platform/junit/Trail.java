package run.caracal.platform.junit;

import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.stream.Collectors;
import run.caracal.platform.AuditEvent;
import run.caracal.platform.LocalPlatform;
import run.caracal.platform.SessionSnapshot;

/** Describes the history of a platform, without tokens and secrets. */
final class Trail {

    private Trail() {}

    /** The audit trail of a failed test, and its open sessions. */
    static String of(String test, LocalPlatform platform) {
        List<AuditEvent> events = platform.audit().events();
        List<SessionSnapshot> open = platform.sessions();
        StringBuilder trail = new StringBuilder("Caracal audit trail of the failed test ")
                .append(test)
                .append(':');
        events.forEach(event -> trail.append("\n  ").append(line(event)));
        if (events.isEmpty()) {
            trail.append("\n  no event: nothing reached the STS or the Gateway");
        }
        if (!open.isEmpty()) {
            trail.append("\nopen sessions:\n").append(list(open));
        }
        return trail.toString();
    }

    /** The sessions that a test left open, and the remedy. */
    static String leak(List<SessionSnapshot> open) {
        return "The test left " + open.size() + (open.size() == 1 ? " session" : " sessions") + " open:\n" + list(open)
                + "\nEnd the work of spawn and runService within the test, dispose of each ServiceAgent, or allow it with "
                + "failOnOpenSessions = false";
    }

    private static String list(List<SessionSnapshot> sessions) {
        Instant now = Instant.now();
        return sessions.stream().map(session -> line(session, now)).collect(Collectors.joining("\n"));
    }

    private static String line(SessionSnapshot session, Instant now) {
        String parent = session.parentId() == null ? "" : ", child of " + session.parentId();
        return "  " + session.id() + " (" + session.lifecycle() + " of " + session.applicationId() + ", labels "
                + session.labels() + parent + ", opened "
                + Duration.between(session.startedAt(), now).toMillis() + " ms ago)";
    }

    private static String line(AuditEvent event) {
        String scopes = event.requestedScopes().isEmpty() ? "" : " scopes " + event.requestedScopes();
        return event.occurredAt() + " " + event.eventType() + " " + event.decision() + " " + event.evaluationStatus()
                + " " + event.applicationId() + " " + event.resource() + scopes + " request " + event.requestId();
    }
}
