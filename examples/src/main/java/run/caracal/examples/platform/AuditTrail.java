package run.caracal.examples.platform;

import java.util.List;

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

    void record(AuditEvent event) {
        ring.add(event);
    }
}
