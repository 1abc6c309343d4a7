package run.caracal.webflux;

import java.net.URI;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.springframework.http.HttpHeaders;
import org.springframework.http.HttpMethod;
import org.springframework.http.client.reactive.ClientHttpRequest;
import org.springframework.util.MultiValueMap;
import org.springframework.web.reactive.function.BodyInserter;
import org.springframework.web.reactive.function.client.ClientRequest;
import org.springframework.web.reactive.function.client.ClientResponse;
import org.springframework.web.reactive.function.client.ExchangeFilterFunction;
import org.springframework.web.reactive.function.client.ExchangeFunction;
import org.springframework.web.reactive.function.client.ExchangeStrategies;
import org.springframework.web.reactive.function.client.WebClientRequestException;
import reactor.core.Exceptions;
import reactor.core.publisher.Mono;
import reactor.netty.Connection;
import reactor.netty.http.client.HttpClientRequest;
import run.caracal.Caracal;
import run.caracal.error.CaracalException;
import run.caracal.error.RoutingException;
import run.caracal.http.OutboundPolicy;
import run.caracal.http.TransportOptions;
import run.caracal.netty.internal.HeaderNames;
import run.caracal.netty.internal.OutboundExchange;
import run.caracal.netty.internal.ResourcePolicy;

/**
 * Gives the requests of a {@code WebClient} the identity of the session in whose Reactor Context they are subscribed.
 *
 * <p>The address and the headers of the {@link ClientRequest} are rewritten for each subscription; on Reactor Netty the
 * headers on the wire, unless a filter after this one asks for them. A caller's {@code X-Caracal-Resource} header selects
 * the resource. Errors of the policy reach the caller as they are, not wrapped in a {@link WebClientRequestException},
 * and nothing is sent then. Nothing is retried, and no status is turned into an error.
 *
 * <p><b>Order.</b> Put a retry filter before this one: each attempt then gets an identity of its own. When a filter after
 * this one sends the same request again, it gets a fresh identity on top of a client that is decorated with
 * {@link run.caracal.netty.CaracalHttp}; on a plain Reactor Netty connector that second request is refused with a
 * {@link RoutingException} and not sent, because a mandate is good for one request; other connectors do not show it to a
 * filter, and the Gateway refuses it. A request whose address was changed by a filter after this one is refused. The
 * filter registered twice, or on top of a decorated client, resolves and mints once.
 *
 * <p><b>Redirects.</b> When a Reactor Netty connector follows a redirect, the redirected request is sent without any
 * identity, to the same origin too. Other connectors do not show redirects to a filter: leave following them off there
 * (the JDK client's default; not Jetty's).
 *
 * <p><b>Answers that are cut off.</b> When the authority of a call is revoked while its answer is on its way, the Gateway ends
 * the answer early and says so in a trailer. On a Reactor Netty connector the body then ends with an {@link
 * run.caracal.error.AuthorityRevokedException} after the part that has arrived; {@code retrieve()} wraps it, as each error of
 * a body, in a {@link org.springframework.web.reactive.function.client.WebClientResponseException}. Other connectors do not
 * show trailers to a filter: there a cut answer looks whole, so have the application's own format tell where it ends.
 */
public final class CaracalExchangeFilter {
    /** The attribute by which a request, and what others make of it, shows that it has been here. */
    private static final String EXCHANGE = OutboundExchange.class.getName();

    private CaracalExchangeFilter() {}

    /**
     * Creates the filter, with the propagation of the configuration, and so that a request outside every session fails.
     *
     * @param caracal whose sessions the requests are made in
     * @return a filter for {@code WebClient.Builder.filter(...)}, stateless
     */
    public static ExchangeFilterFunction create(Caracal caracal) {
        return create(caracal.outbound());
    }

    /**
     * Creates the filter.
     *
     * @param caracal whose sessions the requests are made in
     * @param options where identity goes, and whether requests outside every session act as the application
     * @return a filter for {@code WebClient.Builder.filter(...)}, stateless
     */
    public static ExchangeFilterFunction create(Caracal caracal, TransportOptions options) {
        return create(caracal.outbound(options));
    }

    /**
     * Creates the filter with a policy of its own.
     *
     * @param policy decides where requests go and which identity they carry
     * @return a filter for {@code WebClient.Builder.filter(...)}, stateless
     */
    public static ExchangeFilterFunction create(OutboundPolicy policy) {
        Objects.requireNonNull(policy, "policy");
        return (request, next) -> filter(policy, request, next);
    }

    /**
     * Creates the filter of a {@code WebClient} for one resource, with every default; see {@link #forResource(Caracal, String,
     * TransportOptions)}.
     *
     * @param caracal whose sessions the requests are made in
     * @param resource the resource identifier, for instance {@code resource://billing-api}
     * @return a filter for {@code WebClient.Builder.filter(...)}, stateless
     */
    public static ExchangeFilterFunction forResource(Caracal caracal, String resource) {
        return forResource(caracal, resource, TransportOptions.defaults());
    }

    /**
     * Creates the filter of a {@code WebClient} for one resource, bound or not: relative addresses go to it through the
     * Gateway, as the session in whose Reactor Context they are subscribed. Give the {@code WebClient} no base address. It
     * serves interfaces of {@code @HttpExchange} methods too, and may stand behind a general filter, as on the builder of Spring
     * Boot.
     *
     * <p>A request to anywhere else, or one that names another resource, fails with {@link RoutingException} and is not sent.
     *
     * @param caracal whose sessions the requests are made in
     * @param resource the resource identifier
     * @param options scopes, labels, and whether requests outside every session act as the application; where identity goes
     *     is decided by the resource
     * @return a filter for {@code WebClient.Builder.filter(...)}, stateless
     * @throws RoutingException for too many different resources that are not configured
     */
    public static ExchangeFilterFunction forResource(Caracal caracal, String resource, TransportOptions options) {
        ResourcePolicy policy = ResourcePolicy.of(caracal, resource, options);
        return (request, next) -> request.url().isAbsolute()
                ? filter(policy, request, next)
                : Mono.defer(() -> filter(policy, atGateway(caracal, resource, request), next));
    }

    /** The same request, where the resource is. */
    private static ClientRequest atGateway(Caracal caracal, String resource, ClientRequest request) {
        URI url = request.url();
        String path = url.getRawPath() == null ? "" : url.getRawPath();
        if (url.getRawAuthority() != null) {
            throw noHost(request);
        }
        try {
            return ClientRequest.from(request)
                    .url(URI.create(caracal.gatewayRequest(
                                    resource, url.getRawQuery() == null ? path : path + '?' + url.getRawQuery())
                            .url()))
                    .build();
        } catch (IllegalArgumentException e) {
            throw new RoutingException(
                    "The address of the request cannot be used, so nothing was sent: " + e.getMessage());
        }
    }

    private static RoutingException noHost(ClientRequest request) {
        return new RoutingException("The request to " + request.url().getRawPath() + " names no host, so"
                + " where it goes cannot be judged; set WebClient.Builder.baseUrl(...), or add"
                + " CaracalExchangeFilter.forResource(...). Nothing was sent");
    }

    /** Leaves a relative address to a filter for one resource further down; when there is none, it is not sent. */
    private static Mono<ClientResponse> leave(ClientRequest request, ExchangeFunction next) {
        ClientRequest guarded = ClientRequest.from(request)
                .httpRequest(outgoing -> {
                    if (!outgoing.getURI().isAbsolute()) {
                        throw noHost(request);
                    }
                })
                .build();
        return next.exchange(guarded)
                .onErrorMap(
                        WebClientRequestException.class,
                        error -> error.getUri().isAbsolute() ? typed(error) : noHost(request));
    }

    private static Mono<ClientResponse> filter(OutboundPolicy policy, ClientRequest request, ExchangeFunction next) {
        return Mono.deferContextual(context -> {
            String url = request.url().toString();
            OutboundExchange above = OutboundExchange.in(context, url);
            if (above != null && above.isFree()) {
                // The same filter, registered twice.
                if (request instanceof Governed governed && governed.exchange == above) {
                    return next.exchange(request);
                }
                if (request.attributes().get(EXCHANGE) == above && request.httpRequest() != null) {
                    return next.exchange(watched(request, above));
                }
                above = null; // another request to the same address, made before the one above is sent
            }
            if (!request.url().isAbsolute()) {
                return leave(request, next);
            }
            String resource = request.headers().getFirst(HeaderNames.RESOURCE);
            String requestId = request.headers().getFirst(HeaderNames.REQUEST_ID);
            Mono<OutboundExchange> resolved = above != null
                    ? above.again(policy, resource, requestId, context, false)
                    : OutboundExchange.resolve(policy, url, resource, requestId, context, false);
            return resolved instanceof Callable<?> known
                    ? observe(request, next, exchange(known))
                    : resolved.flatMap(exchange -> observe(request, next, exchange));
        });
    }

    /** A copy of a request that has been here, which may have lost who watches what is written. */
    private static ClientRequest watched(ClientRequest copy, OutboundExchange exchange) {
        return ClientRequest.from(copy)
                .httpRequest(outgoing -> {
                    if (exchange.isFree() && exchange.carriesIdentity()) {
                        throw new RoutingException(
                                "A filter between two Caracal filters made a request of its own, with the attributes and"
                                        + " without the rest; it was not sent. Copy a request with"
                                        + " ClientRequest.from(request), or register the Caracal filter once.");
                    }
                })
                .build();
    }

    private static OutboundExchange exchange(Callable<?> known) {
        try {
            return (OutboundExchange) known.call();
        } catch (Exception e) {
            throw Exceptions.propagate(e);
        }
    }

    /** A call rejected before it is sent has ended too. */
    private static Mono<ClientResponse> observe(
            ClientRequest request, ExchangeFunction next, OutboundExchange exchange) {
        try {
            return send(request, next, exchange);
        } catch (RuntimeException refused) {
            exchange.ended(0, refused);
            throw refused;
        }
    }

    private static Mono<ClientResponse> send(ClientRequest request, ExchangeFunction next, OutboundExchange exchange) {
        ClientRequest governed = new Governed(request, exchange);
        Mono<ClientResponse> sent =
                next.exchange(governed).onErrorMap(WebClientRequestException.class, CaracalExchangeFilter::typed);
        if (exchange.carriesIdentity() || exchange.isObserved()) {
            sent = sent.doOnNext(answer -> exchange.answered(
                    answer.statusCode().value(), answer.headers().asHttpHeaders()::getFirst));
        }
        if (exchange.isObserved()) {
            sent = sent.doOnError(error -> exchange.ended(0, error)).doOnCancel(() -> exchange.ended(0, null));
        }
        return sent.contextWrite(context -> context.put(OutboundExchange.KEY, exchange));
    }

    private static Throwable typed(WebClientRequestException error) {
        return error.getCause() instanceof CaracalException own ? own : error;
    }

    /**
     * The caller's request with its new address and its identity. On Reactor Netty the identity is set on the wire, and no
     * header is copied. It is set here when somebody on the way down asks for the headers, and for other connectors.
     */
    private static final class Governed implements ClientRequest {
        private final ClientRequest asked;
        private final OutboundExchange exchange;
        private final URI target;
        // Under the lock. One of the two: an identity is set once.
        private @Nullable ClientRequest edited;
        private boolean leftToTheWire;

        Governed(ClientRequest asked, OutboundExchange exchange) {
            this.asked = asked;
            this.exchange = exchange;
            this.target = exchange.isRewritten() ? URI.create(exchange.target()) : asked.url();
        }

        @Override
        public HttpMethod method() {
            return asked.method();
        }

        @Override
        public URI url() {
            return target;
        }

        /** With the identity; without it once the wire has it, for messages about a request that has left. */
        @Override
        public synchronized HttpHeaders headers() {
            return leftToTheWire ? asked.headers() : edited().headers();
        }

        @Override
        public MultiValueMap<String, String> cookies() {
            return asked.cookies();
        }

        @Override
        public BodyInserter<?, ? super ClientHttpRequest> body() {
            return asked.body();
        }

        /** For who makes a request of this one, too. */
        @Override
        public Map<String, Object> attributes() {
            Map<String, Object> all = new HashMap<>(asked.attributes());
            all.put(EXCHANGE, exchange);
            return Collections.unmodifiableMap(all);
        }

        /** For who makes a request of this one: it watches what is written with the headers above. */
        @Override
        public Consumer<ClientHttpRequest> httpRequest() {
            Consumer<ClientHttpRequest> callers = asked.httpRequest();
            return callers == null ? this::beforeWrite : callers.andThen(this::beforeWrite);
        }

        @Override
        public String logPrefix() {
            return asked.logPrefix();
        }

        @Override
        public Mono<Void> writeTo(ClientHttpRequest outgoing, ExchangeStrategies strategies) {
            ClientRequest written;
            synchronized (this) {
                leftToTheWire = edited == null && reactorNetty(outgoing) != null;
                written = leftToTheWire ? asked : edited();
            }
            if (written == asked) {
                if (exchange.isRewritten() && asked.headers().containsHeader(HttpHeaders.HOST)) {
                    // The wire sets the first one; after a redirect it would be neither the caller's host nor the
                    // target's.
                    outgoing.beforeCommit(
                            () -> Mono.fromRunnable(() -> outgoing.getHeaders().remove(HttpHeaders.HOST)));
                }
                beforeWrite(outgoing);
            }
            return written.writeTo(outgoing, strategies);
        }

        private synchronized ClientRequest edited() {
            ClientRequest made = edited;
            if (made == null) {
                made = ClientRequest.from(asked)
                        .url(target)
                        .headers(headers -> {
                            if (exchange.isRewritten()) {
                                headers.remove(HttpHeaders.HOST);
                            }
                            exchange.edit(new Headers(exchange, headers));
                        })
                        .httpRequest(this::beforeWrite)
                        .build();
                edited = made;
            }
            return made;
        }

        /** Each time the request is written: at first, and with Reactor Netty on a redirect and on a retry below us. */
        private void beforeWrite(ClientHttpRequest outgoing) {
            if (exchange.isGoverned()) {
                return; // a decorated client watches the wire itself
            }
            if (exchange.carriesIdentity() && !outgoing.getURI().equals(target)) {
                throw new RoutingException(
                        "A filter after the Caracal filter sent the request to another address than the one"
                                + " its identity is for; it was not sent. Put that filter before the Caracal filter.");
            }
            HttpClientRequest request = reactorNetty(outgoing);
            if (request != null) {
                exchange.prepare(request, (Connection) request);
            } else {
                exchange.prepare(new Headers(exchange, outgoing.getHeaders()));
            }
        }
    }

    /** The request of Reactor Netty, which is a connection too; {@code null} for another connector. */
    private static @Nullable HttpClientRequest reactorNetty(ClientHttpRequest outgoing) {
        try {
            return outgoing.<Object>getNativeRequest() instanceof HttpClientRequest request
                            && request instanceof Connection
                    ? request
                    : null;
        } catch (IllegalStateException | UnsupportedOperationException e) {
            return null; // another connector, without a native request: the headers are set through Spring
        }
    }

    private static final class Headers extends OutboundExchange.View {
        private final HttpHeaders headers;

        Headers(OutboundExchange exchange, HttpHeaders headers) {
            super(exchange);
            this.headers = headers;
        }

        @Override
        public List<String> getAll(String name) {
            return headers.getOrEmpty(name);
        }

        @Override
        protected void put(String name, String value) {
            headers.set(name, value);
        }

        @Override
        public void remove(String name) {
            headers.remove(name);
        }
    }
}
