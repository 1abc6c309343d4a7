package run.caracal.http;

import java.util.List;
import java.util.function.Function;
import reactor.core.publisher.Mono;

/**
 * Verifies incoming requests by their headers, for adapters of servers: on a rejection send its status, else run the
 * handler in the Reactor Context of {@link InboundDecision#bind}. Thread-safe.
 */
@FunctionalInterface
public interface InboundPolicy {

    /**
     * Verifies one request. Lazy: the headers are read on subscription, in bounded time, and each subscription verifies
     * again. Cancelling stops it.
     *
     * @param headers returns all values of a header for its lower-case name, in order; names match in any case; empty
     *     if absent
     * @return the decision to accept the request; {@link run.caracal.error.InboundException} with the status of a
     *     rejection; {@link run.caracal.error.ClosedException} if the client is closed
     */
    Mono<InboundDecision> judge(Function<String, List<String>> headers);
}
