package run.caracal.netty;

import java.util.Objects;
import reactor.netty.http.client.HttpClient;
import run.caracal.Caracal;
import run.caracal.GatewayRequest;
import run.caracal.http.OutboundPolicy;
import run.caracal.http.TransportOptions;
import run.caracal.netty.internal.GovernedHttpClient;
import run.caracal.netty.internal.ResourcePolicy;

/**
 * Attaches the identity of the session bound in the subscriber's Reactor Context to the requests of a Reactor Netty {@link
 * HttpClient}. Decorate a client once; its withers, and a {@code WebClient} built on it, are then decorated, too.
 *
 * <ul>
 *   <li>Each subscription queries the {@link OutboundPolicy} with the subscriber's own Context, so a response {@code Mono} that
 *       is stored, retried, repeated or subscribed by two users always sends the identity of the subscription.
 *   <li>Headers are edited immediately before the request is sent, after the caller and {@code WebClient} have set theirs. If
 *       the URL is rewritten, so is {@code Host} (in HTTP/2 {@code :authority}).
 *   <li>A request that the policy rejects fails with its error, and is not sent. Under {@code WebClient} the error is the cause
 *       of a {@code WebClientRequestException}.
 *   <li>Any other request without an identity is sent unchanged, except that {@code X-Caracal-Resource} is removed.
 *   <li>A followed redirect carries no identity, not even to the same origin. Do not enable {@code followRedirect}.
 *   <li>A call with an identity is rejected if {@link HttpClient#httpAuthentication} would send it again. {@link
 *       HttpClient#websocket()} is always rejected, because its URL and headers cannot be edited: use an undecorated client.
 *   <li>Nothing is retried, and no status becomes an error.
 * </ul>
 *
 * <p>An {@code X-Caracal-Resource} header selects a resource. Set it with {@code client.headers(...)}, so that it is known when
 * the identity is resolved; inside {@code send}, where {@code WebClient} sets its headers, it is read only when the request is
 * sent.
 *
 * <p>Decorated clients subclass {@link HttpClient}; they are tested with Reactor Netty 1.3.6 and later 1.3 versions.
 */
public final class CaracalHttp {
    private CaracalHttp() {}

    /** Decorates a client with default options; see {@link #decorate(HttpClient, Caracal, TransportOptions)}. */
    public static HttpClient decorate(HttpClient client, Caracal caracal) {
        return decorate(client, caracal.outbound());
    }

    /**
     * Decorates a client, which is not changed.
     *
     * @return a decorated client, whose withers are decorated, too
     */
    public static HttpClient decorate(HttpClient client, Caracal caracal, TransportOptions options) {
        return decorate(client, caracal.outbound(options));
    }

    /**
     * Decorates a client with your own policy. If the client is decorated already, the policy replaces the previous
     * one.
     *
     * @return a decorated client, whose withers are decorated, too
     */
    public static HttpClient decorate(HttpClient client, OutboundPolicy policy) {
        return GovernedHttpClient.decorate(
                Objects.requireNonNull(client, "client"), Objects.requireNonNull(policy, "policy"));
    }

    /**
     * Decorates a client for one resource, with default options; see
     * {@link #forResource(HttpClient, Caracal, String, TransportOptions)}.
     */
    public static HttpClient forResource(HttpClient client, Caracal caracal, String resource) {
        return forResource(client, caracal, resource, TransportOptions.defaults());
    }

    /**
     * Decorates a client for one resource, bound or not: URIs that start with a slash are sent to it through the
     * Gateway, with the identity of the bound session.
     *
     * <pre>{@code
     * HttpClient billing = CaracalHttp.forResource(HttpClient.create(), caracal, "resource://billing-api");
     * billing.get().uri("/invoices").responseContent();
     * }</pre>
     *
     * <p>A request to any other address, or with another resource, fails with
     * {@link run.caracal.error.RoutingException} and is not sent. The base URL of the client is replaced.
     *
     * @param options their propagation is ignored
     * @throws run.caracal.error.RoutingException after too many different resources that are not configured
     */
    public static HttpClient forResource(
            HttpClient client, Caracal caracal, String resource, TransportOptions options) {
        ResourcePolicy policy = ResourcePolicy.of(caracal, resource, options);
        HttpClient based =
                client.baseUrl(policy.base()).headers(headers -> headers.set(GatewayRequest.RESOURCE_HEADER, resource));
        return decorate(based, policy);
    }
}
