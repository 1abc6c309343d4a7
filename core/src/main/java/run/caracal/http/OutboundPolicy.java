package run.caracal.http;

import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;
import reactor.util.context.ContextView;

/**
 * Decides for one outgoing request, in one Reactor Context, its URL and its identity. For adapters of HTTP clients;
 * applications use a decorated client.
 */
@FunctionalInterface
public interface OutboundPolicy {
    /**
     * The key of the caller's {@code X-Request-Id}, a String, in the Reactor Context passed to {@link #resolve}, if
     * known by then. The mandate is minted under the same id, so that one id finds the whole call in the audit log.
     */
    String REQUEST_ID = "caracal.request-id";

    /**
     * Resolves the identity of one request. Call it for each subscription and each attempt, with the subscriber's own
     * Reactor Context; never share the result between requests.
     *
     * @param url the caller's absolute URL, exactly as it would be sent
     * @param resource the caller's {@code X-Caracal-Resource} header, if known before the request is assembled, else
     *     {@code null}
     * @param context the subscriber's Reactor Context
     * @return exactly one decision, or an error, on which nothing may be sent:
     *     {@link run.caracal.error.RoutingException} for a rejected URL, {@link run.caracal.error.NoContextException}
     *     if an identity is needed and none is bound, or the error of getting the token
     */
    Mono<OutboundDecision> resolve(String url, @Nullable String resource, ContextView context);
}
