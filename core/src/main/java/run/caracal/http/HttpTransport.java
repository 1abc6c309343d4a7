package run.caracal.http;

import reactor.core.Disposable;
import reactor.core.publisher.Mono;

/**
 * How the SDK speaks HTTP to the STS and the Coordinator. The artifact {@code caracal-netty-transport} brings one on
 * Reactor Netty, found with {@link java.util.ServiceLoader}; another can be given to the configuration, and carries the
 * calls of {@link run.caracal.Caracal#fetch} to the Gateway too.
 *
 * <p>An implementation does not follow redirects, does not repeat a request by itself, does not block, and keeps its
 * connections apart from those of user traffic. It hands on the trailers of an answer: without them {@code fetch} takes an
 * answer that the Gateway has cut off for a whole one.
 */
public interface HttpTransport extends Disposable {

    /**
     * Sends a request. Lazy: each subscription sends it once; cancelling aborts it.
     *
     * @param request what to send
     * @return the answer, whatever its status; a {@link run.caracal.error.TransportException} when there is none, when it
     *     takes longer than {@link HttpRequest#timeout()}, or when it is larger than
     *     {@link HttpRequest#maxResponseBytes()}; of a larger one with a status of 400 or more that much of its body is kept,
     *     so that its status is not lost
     */
    Mono<HttpResponse> exchange(HttpRequest request);

    /**
     * Releases what the transport owns; requests that are under way fail. Idempotent; all callers share one end.
     *
     * @return completes when everything is released
     */
    Mono<Void> disposeLater();

    /** Releases what the transport owns, without waiting. Idempotent. */
    @Override
    void dispose();
}
