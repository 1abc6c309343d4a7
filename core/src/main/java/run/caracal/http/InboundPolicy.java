package run.caracal.http;

import java.util.List;
import java.util.function.Function;
import reactor.core.publisher.Mono;

/**
 * Judges incoming requests by their headers. Applications use it through an adapter of their server; it is
 * public for those who adapt another one: judge first, answer a refusal, and run what handles the request in the Reactor
 * Context that {@link InboundDecision#bind} makes. Used by many threads at once.
 */
@FunctionalInterface
public interface InboundPolicy {

    /**
     * Judges one request. Lazy: the headers are read at the subscription, in bounded time, and each subscription judges
     * anew. Cancelling ends it.
     *
     * @param headers gives all values of a header by its lower-case name, matched in any case, in their order; an empty
     *     list when it is absent
     * @return exactly one decision to let the request in; {@link run.caracal.error.InboundException} for a request that is
     *     refused, with the status of the answer; {@link run.caracal.error.ClosedException} when the client is closed
     */
    Mono<InboundDecision> judge(Function<String, List<String>> headers);
}
