package run.caracal.platform;

import java.util.List;
import java.util.stream.Stream;

/** The audit log of a local platform, limited to the newest events. */
public final class AuditTrail {

    private final Ring<AuditEvent> ring;

    AuditTrail(int capacity) {
        this.ring = new Ring<>(capacity);
    }

    /** {@return all stored events, oldest first} */
    public List<AuditEvent> events() {
        return ring.snapshot();
    }

    /** {@return the events of a request, oldest first} Its id is the {@code X-Request-Id} of its answer. */
    public List<AuditEvent> byRequestId(String requestId) {
        return events().stream()
                .filter(event -> event.requestId().equals(requestId))
                .toList();
    }

    /**
     * {@return the events of a call through the Gateway, oldest first: the mint of its mandate, the mandate's use, and
     * the action} Its id is the {@code X-Request-Id} of its answer. If the mint has another id, because the client sent
     * the STS none, the latest mint for the same session and delegation before the use is taken.
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
