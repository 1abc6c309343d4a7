package run.caracal.http;

import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;
import reactor.util.context.ContextView;

/**
 * Decides for one outgoing request, in one Reactor Context, where it goes and which identity it carries. Applications use it through a decorated client; it is public for those who adapt another HTTP client.
 */
@FunctionalInterface
public interface OutboundPolicy {
    /**
     * The key under which the Context that {@link #resolve} is given holds the {@code X-Request-Id} that the caller has set,
     * a String, when that is known by then. A mandate is asked for under the same id, so that one id joins the whole call in
     * the audit log.
     */
    String REQUEST_ID = "caracal.request-id";

    /**
     * Resolves the identity of one request. Call it once for each subscription and each attempt, with the subscriber's
     * own Reactor Context; never share the result between requests.
     *
     * @param url the absolute address that the caller asked for, exactly as it would be sent
     * @param resource the resource that the caller selected with an {@code X-Caracal-Resource} header, as far as it is
     *     known before the request is assembled; {@code null} when there is none
     * @param context the Reactor Context of the subscriber
     * @return exactly one decision; or an error, and then nothing may be sent: {@link
     *     run.caracal.error.RoutingException} for an address that is refused, {@link
     *     run.caracal.error.NoContextException} when an identity is needed and the Context holds none, or what getting
     *     the token met. Never empty.
     */
    Mono<OutboundDecision> resolve(String url, @Nullable String resource, ContextView context);
}
