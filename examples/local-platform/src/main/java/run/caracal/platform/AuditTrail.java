package run.caracal.platform;

import java.util.List;
import java.util.stream.Stream;

/** The audit log of a local platform; the newest events, as many as the limits allow. */
public final class AuditTrail {

    private final Ring<AuditEvent> ring;

    AuditTrail(int capacity) {
        this.ring = new Ring<>(capacity);
    }

    /** {@return all events that are still remembered, oldest first} */
    public List<AuditEvent> events() {
        return ring.snapshot();
    }

    /**
     * {@return the events that one request caused, oldest first}
     *
     * @param requestId the id of the request, as its answer carried it in {@code X-Request-Id}
     */
    public List<AuditEvent> byRequestId(String requestId) {
        return events().stream()
                .filter(event -> event.requestId().equals(requestId))
                .toList();
    }

    /**
     * {@return the events of one call through the Gateway, oldest first: the mint of its mandate, the mandate's use, and what
     * came of it} The mint is under an id of its own unless the client sent the STS the same one. It is told by session and
     * delegation: of several mandates for these the latest that was there before the use.
     *
     * @param requestId the id of the call, as its answer carried it in {@code X-Request-Id}
     */
    public List<AuditEvent> ofCall(String requestId) {
        List<AuditEvent> call = byRequestId(requestId);
        AuditEvent use = call.stream().filter(AuditEvent::isUse).findFirst().orElse(null);
        if (use == null || call.stream().anyMatch(AuditEvent::isMint)) {
            return call;
        }
        return events().stream()
                .takeWhile(event -> !event.equals(use))
                .filter(event -> event.isMint() && event.authority().equals(use.authority()))
                .reduce((earlier, later) -> later)
                .map(mint -> Stream.concat(byRequestId(mint.requestId()).stream(), call.stream())
                        .toList())
                .orElse(call);
    }

    void clear() {
        ring.clear();
    }

    void record(AuditEvent event) {
        ring.add(event);
    }
}
