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
 * Attaches the identity of the session bound in the subscriber's Reactor Context to the requests of a
 * {@code WebClient}.
 *
 * <p>URL and headers are set for each subscription. An {@code X-Caracal-Resource} header selects the resource. Errors
 * of the policy reach the caller unwrapped, not as {@link WebClientRequestException}, and nothing is sent. Nothing is
 * retried, and no status becomes an error.
 *
 * <b>Order.</b> Put a retry filter before this one, so that each attempt gets its own identity. If a filter after this
 * one sends the same request again, the second request gets a new identity on a client decorated with
 * {@link run.caracal.netty.CaracalHttp}, and fails with {@link RoutingException} on a plain Reactor Netty connector,
 * because a mandate is valid for one request; with other connectors the Gateway rejects it. A request whose URL a later
 * filter has changed is rejected. If the filter is registered twice, or on a decorated client, it still resolves and
 * mints once.
 *
 * <b>Redirects</b> that a Reactor Netty connector follows carry no identity, not even to the same origin. Other
 * connectors do not show redirects to a filter: do not let them follow redirects (the JDK client does not by default;
 * Jetty's does).
 *
 * <b>Truncated answers.</b> If the authority of a call is revoked while the answer is streaming, the Gateway truncates
 * the answer and says so in a trailer. With Reactor Netty the body then ends with
 * {@link run.caracal.error.AuthorityRevokedException}, which {@code retrieve()} wraps in a {@link
 * org.springframework.web.reactive.function.client.WebClientResponseException}. Other connectors do not expose
 * trailers: a truncated answer looks complete, unless the format of the body shows where it ends.
 */
public final class CaracalExchangeFilter {
    /** The attribute that marks a request, and copies of it, as already processed. */
    private static final String EXCHANGE = OutboundExchange.class.getName();

    private CaracalExchangeFilter() {}

    /** {@return a filter with default options, for {@code WebClient.Builder.filter(...)}; stateless} */
    public static ExchangeFilterFunction create(Caracal caracal) {
        return create(caracal.outbound());
    }

    /** {@return a filter for {@code WebClient.Builder.filter(...)}; stateless} */
    public static ExchangeFilterFunction create(Caracal caracal, TransportOptions options) {
        return create(caracal.outbound(options));
    }

    /** {@return a filter with your own policy; stateless} */
    public static ExchangeFilterFunction create(OutboundPolicy policy) {
        Objects.requireNonNull(policy, "policy");
        return (request, next) -> filter(policy, request, next);
    }

    /**
     * {@return a filter for one resource, with default options; see
     * {@link #forResource(Caracal, String, TransportOptions)}}
     */
    public static ExchangeFilterFunction forResource(Caracal caracal, String resource) {
        return forResource(caracal, resource, TransportOptions.defaults());
    }

    /**
     * {@return a filter for one resource, bound or not: relative URLs are sent to it through the Gateway, with the
     * identity of the bound session} Stateless. Give the {@code WebClient} no base URL. It works behind
     * {@code @HttpExchange} interfaces, and after a general filter, as on the builder of Spring Boot. A request to any
     * other address, or with another resource, fails with {@link RoutingException} and is not sent.
     *
     * @param options their propagation is ignored
     * @throws RoutingException after too many different resources that are not configured
     */
    public static ExchangeFilterFunction forResource(Caracal caracal, String resource, TransportOptions options) {
        ResourcePolicy policy = ResourcePolicy.of(caracal, resource, options);
        return (request, next) -> request.url().isAbsolute()
                ? filter(policy, request, next)
                : Mono.defer(() -> filter(policy, atGateway(caracal, resource, request), next));
    }

    /** The same request at the resource's Gateway URL. */
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
                + " its destination is unknown; set WebClient.Builder.baseUrl(...), or add"
                + " CaracalExchangeFilter.forResource(...). Nothing was sent");
    }

    /** Leaves a relative URL to a later filter for one resource; without one, the request fails. */
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

    /** A copy of a processed request, which may have lost its write callback. */
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

    /** Also reports the end of a call that is rejected before it is sent. */
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
     * The caller's request with its new URL and its identity. On Reactor Netty the identity is set when the request is
     * written, and no header is copied; for other connectors, and if a later filter reads the headers, it is set here.
     */
    private static final class Governed implements ClientRequest {
        private final ClientRequest asked;
        private final OutboundExchange exchange;
        private final URI target;
        // Guarded by this. Either is set, because an identity is set once.
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

        /** Includes the identity, unless it is set on write: then these headers only appear in messages. */
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

        /** Includes the marker, for copies of this request. */
        @Override
        public Map<String, Object> attributes() {
            Map<String, Object> all = new HashMap<>(asked.attributes());
            all.put(EXCHANGE, exchange);
            return Collections.unmodifiableMap(all);
        }

        /** Includes the write callback, for copies of this request. */
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
                    // The write sets Host; after a redirect it would be neither the caller's nor the target's.
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

        /** Called for each write: the first, and with Reactor Netty each redirect and each retry below this filter. */
        private void beforeWrite(ClientHttpRequest outgoing) {
            if (exchange.isGoverned()) {
                return; // the decorated client edits the request itself
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
