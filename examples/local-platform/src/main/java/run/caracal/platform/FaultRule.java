package run.caracal.platform;

import java.time.Duration;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Predicate;

/** Decides for each request to a server whether something goes wrong with it. */
@FunctionalInterface
public interface FaultRule {

    /**
     * {@return what goes wrong with the request} Called once for each request, on the server's event loop.
     *
     * @param request the request, its body included where the server reads bodies whole (all but the Gateway)
     */
    Fault decide(ReceivedRequest request);

    /** {@return the rule under which nothing goes wrong} */
    static FaultRule none() {
        return request -> Fault.none();
    }

    /** {@return a rule under which each request gets the same fault} Narrow it with {@link #on} and {@link #times}. */
    static FaultRule always(Fault fault) {
        return request -> fault;
    }

    /**
     * {@return a rule under which each request is refused as one too many, 429 {@code rate_limited}}
     *
     * @param retryAfter when to come again, in whole seconds: what {@code Retry-After} says
     */
    static FaultRule rateLimit(Duration retryAfter) {
        return always(Fault.respond(
                429,
                Map.of("Retry-After", Long.toString(retryAfter.toSeconds())),
                "{\"error\":\"rate_limited\",\"error_description\":\"too many requests\"}"));
    }

    /** {@return a rule under which no request is ever answered, nor anything done for it} */
    static FaultRule stall() {
        return always(Fault.stall());
    }

    /** {@return a rule under which each request is handled and its answer lost with the connection} */
    static FaultRule loseAnswer() {
        return always(Fault.dropResponse());
    }

    /** {@return a rule under which each connection is cut before anything is done} */
    static FaultRule disconnect() {
        return always(Fault.resetBefore());
    }

    /** {@return this rule for some requests only} */
    default FaultRule on(Predicate<ReceivedRequest> requests) {
        return request -> requests.test(request) ? decide(request) : Fault.none();
    }

    /** {@return this rule until it has struck a number of times} Put it behind {@link #on}: only what goes wrong counts. */
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
