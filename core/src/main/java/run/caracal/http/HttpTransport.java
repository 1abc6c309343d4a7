package run.caracal.http;

import reactor.core.Disposable;
import reactor.core.publisher.Mono;

/**
 * The HTTP client of the SDK for the STS and the Coordinator. {@code caracal-netty-transport} contains one on Reactor
 * Netty, which is found with {@link java.util.ServiceLoader}. A transport set in the configuration also carries the
 * calls of {@link run.caracal.Caracal#fetch}.
 *
 * <p>An implementation must not block, follow redirects or retry requests, and must not share connections with user
 * traffic. It must return the trailers of an answer, without which {@code fetch} cannot detect that the Gateway
 * truncated it.
 */
public interface HttpTransport extends Disposable {

    /**
     * Sends a request. Lazy: each subscription sends it once; cancelling aborts it.
     *
     * @return the answer, whatever its status; or a {@link run.caracal.error.TransportException} if there is none, if
     *     it takes longer than {@link HttpRequest#timeout()}, or if it exceeds {@link HttpRequest#maxResponseBytes()}.
     *     An oversized answer with a status of 400 or more is truncated instead, so that its status is not lost
     */
    Mono<HttpResponse> exchange(HttpRequest request);

    /**
     * Prepares requests over https, which may take longer than the first of them. A client subscribes to it when it is
     * created, so that this happens beside the rest of the start, unless all its addresses are plain http. Lazy; does not
     * block and sends nothing; cancelling is harmless. Does nothing by default.
     *
     * @return completes when requests have nothing to wait for; an error that the first request would meet too
     */
    default Mono<Void> prepareTls() {
        return Mono.empty();
    }

    /**
     * Releases the transport's resources; requests in flight fail. Idempotent; all subscribers share one completion.
     *
     * @return completes when everything is released
     */
    Mono<Void> disposeLater();

    /** Releases the transport's resources, without waiting. Idempotent. */
    @Override
    void dispose();
}
