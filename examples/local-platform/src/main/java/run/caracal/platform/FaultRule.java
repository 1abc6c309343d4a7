package run.caracal.platform;

import java.time.Duration;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Predicate;

/** Decides the fault of each request to a server. */
@FunctionalInterface
public interface FaultRule {

    /**
     * {@return the fault of the request} Called once per request, on the server's event loop.
     *
     * @param request the request, with its body except at the Gateway, which streams bodies
     */
    Fault decide(ReceivedRequest request);

    /** {@return a rule without faults} */
    static FaultRule none() {
        return request -> Fault.none();
    }

    /** {@return a rule that applies the same fault to each request} Restrict it with {@link #on} and {@link #times}. */
    static FaultRule always(Fault fault) {
        return request -> fault;
    }

    /**
     * {@return a rule that rejects each request with 429 {@code rate_limited}}
     *
     * @param retryAfter the {@code Retry-After}, in whole seconds
     */
    static FaultRule rateLimit(Duration retryAfter) {
        return always(Fault.respond(
                429,
                Map.of("Retry-After", Long.toString(retryAfter.toSeconds())),
                "{\"error\":\"rate_limited\",\"error_description\":\"too many requests\"}"));
    }

    /** {@return a rule that neither processes nor answers requests} */
    static FaultRule stall() {
        return always(Fault.stall());
    }

    /** {@return a rule that processes each request, and loses the answer with the connection} */
    static FaultRule loseAnswer() {
        return always(Fault.dropResponse());
    }

    /** {@return a rule that closes each connection before the request is processed} */
    static FaultRule disconnect() {
        return always(Fault.resetBefore());
    }

    /** {@return this rule for some requests only} */
    default FaultRule on(Predicate<ReceivedRequest> requests) {
        return request -> requests.test(request) ? decide(request) : Fault.none();
    }

    /** {@return this rule for a limited number of faults} Apply it after {@link #on}, because only faults count. */
    default FaultRule times(int count) {
        AtomicInteger left = new AtomicInteger(count);
        return request -> {
            Fault fault = decide(request);
            return fault.kind() == Fault.Kind.NONE || left.getAndUpdate(n -> Math.max(0, n - 1)) > 0
                    ? fault
                    : Fault.none();
        };
    }
}
