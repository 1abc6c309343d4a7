package run.caracal.bench;

import java.util.function.BiConsumer;
import run.caracal.CaracalContext;
import run.caracal.internal.propagation.TraceParent;

/**
 * The headers that the SDK sends, as a program without it would set them by hand: the constant ones made once, trace and
 * request ids fresh for each request.
 */
final class PlainHeaders {
    private final String authorization = "Bearer " + Canned.TOKEN;
    private final String traceId;
    private final String baggage;

    private PlainHeaders(CaracalContext session) {
        traceId = session.traceId();
        baggage = "caracal.agent_session=" + session.agentSessionId() + ",caracal.hop=" + session.hop();
    }

    static PlainHeaders of(CaracalContext session) {
        return new PlainHeaders(session);
    }

    void forEach(BiConsumer<String, String> header) {
        header.accept("Authorization", authorization);
        header.accept("X-Caracal-Resource", Canned.RESOURCE);
        header.accept("traceparent", TraceParent.write(traceId, "01"));
        header.accept("baggage", baggage);
        header.accept("X-Request-Id", TraceParent.newTraceId());
    }
}
