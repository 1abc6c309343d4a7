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
 * Gives the requests of a Reactor Netty {@link HttpClient} the identity of the session in whose Reactor Context they are
 * subscribed. Decorate a client once and use it, its withers, or a {@code WebClient} built on it, everywhere.
 *
 * <p>What a decorated client does:
 *
 * <ul>
 *   <li>Each subscription asks the {@link OutboundPolicy} anew, with the subscriber's own Context: a response
 *       {@code Mono} that is stored, retried, repeated or subscribed by two users sends each time the identity of that
 *       subscription.
 *   <li>Headers are edited when the request leaves, after everything that the caller or {@code WebClient} has set. When
 *       the address is rewritten, {@code Host} (in HTTP/2 {@code :authority}) follows it.
 *   <li>What the policy refuses fails with its error and is not sent. Under {@code WebClient} such an error is the cause
 *       of a {@code WebClientRequestException}.
 *   <li>A request that the policy leaves alone goes to the address object that the caller gave, untouched but for
 *       {@code X-Caracal-Resource}, which is removed.
 *   <li>A redirect, when the client follows them, is sent without any identity, to the same origin too. Following
 *       redirects is best left off.
 *   <li>A call with an identity is refused when {@link HttpClient#httpAuthentication} would send it again, and
 *       {@link HttpClient#websocket()} is refused always, because its address and identity cannot be governed: use a
 *       client that is not decorated for it.
 *   <li>Nothing is retried, and no status is turned into an error.
 * </ul>
 *
 * <p>A resource is selected with an {@code X-Caracal-Resource} header. Given with {@code client.headers(...)} it is known
 * when the identity is resolved; set later, inside {@code send} (which is where {@code WebClient} sets its headers), it
 * is seen only when the request leaves.
 *
 * <p>Decorated clients subclass {@link HttpClient}; they are tested with Reactor Netty 1.3.6 and later 1.3 versions.
 */
public final class CaracalHttp {
    private CaracalHttp() {}

    /**
     * Decorates a client, with the propagation of the configuration, and so that a request outside every session fails.
     *
     * @param client the client to decorate; it is not changed
     * @param caracal whose sessions the requests are made in
     * @return a decorated client; all its withers return decorated clients
     */
    public static HttpClient decorate(HttpClient client, Caracal caracal) {
        return decorate(client, caracal.outbound());
    }

    /**
     * Decorates a client.
     *
     * @param client the client to decorate; it is not changed
     * @param caracal whose sessions the requests are made in
     * @param options where identity goes, and whether requests outside every session act as the application
     * @return a decorated client; all its withers return decorated clients
     */
    public static HttpClient decorate(HttpClient client, Caracal caracal, TransportOptions options) {
        return decorate(client, caracal.outbound(options));
    }

    /**
     * Decorates a client with a policy of its own.
     *
     * @param client the client to decorate; it is not changed. A client that is decorated already gets the new policy in
     *     place of its old one, so that decorating twice is the same as decorating once, with the last policy.
     * @param policy decides where requests go and which identity they carry
     * @return a decorated client; all its withers return decorated clients
     */
    public static HttpClient decorate(HttpClient client, OutboundPolicy policy) {
        return GovernedHttpClient.decorate(
                Objects.requireNonNull(client, "client"), Objects.requireNonNull(policy, "policy"));
    }

    /**
     * Makes a client for one resource, with every default; see {@link #forResource(HttpClient, Caracal, String,
     * TransportOptions)}.
     *
     * @param client the client to decorate; it is not changed
     * @param caracal whose sessions the requests are made in
     * @param resource the resource identifier, for instance {@code resource://billing-api}
     * @return a decorated client
     */
    public static HttpClient forResource(HttpClient client, Caracal caracal, String resource) {
        return forResource(client, caracal, resource, TransportOptions.defaults());
    }

    /**
     * Makes a client for one resource, bound or not: addresses that begin with a slash go to it through the Gateway, as the
     * session in whose Reactor Context they are subscribed.
     *
     * <pre>{@code
     * HttpClient billing = CaracalHttp.forResource(HttpClient.create(), caracal, "resource://billing-api");
     * billing.get().uri("/invoices").responseContent();
     * }</pre>
     *
     * <p>A request to anywhere else, or one that names another resource, fails with {@link run.caracal.error.RoutingException}
     * and is not sent.
     *
     * @param client the client to decorate; it is not changed, and its base address and headers are replaced where these are
     *     needed for the resource
     * @param caracal whose sessions the requests are made in
     * @param resource the resource identifier
     * @param options scopes, labels, and whether requests outside every session act as the application; where identity goes
     *     is decided by the resource
     * @return a decorated client
     * @throws run.caracal.error.RoutingException for too many different resources that are not configured
     */
    public static HttpClient forResource(
            HttpClient client, Caracal caracal, String resource, TransportOptions options) {
        ResourcePolicy policy = ResourcePolicy.of(caracal, resource, options);
        HttpClient based =
                client.baseUrl(policy.base()).headers(headers -> headers.set(GatewayRequest.RESOURCE_HEADER, resource));
        return decorate(based, policy);
    }
}
