package run.caracal.netty.internal;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.ChannelOption;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.util.NetUtil;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.URISyntaxException;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.function.BiConsumer;
import java.util.function.BiFunction;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.reactivestreams.Publisher;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.netty.ByteBufFlux;
import reactor.netty.ByteBufMono;
import reactor.netty.Connection;
import reactor.netty.NettyOutbound;
import reactor.netty.http.client.HttpClient;
import reactor.netty.http.client.HttpClientConfig;
import reactor.netty.http.client.HttpClientForm;
import reactor.netty.http.client.HttpClientRequest;
import reactor.netty.http.client.HttpClientResponse;
import reactor.util.context.ContextView;
import run.caracal.error.RoutingException;
import run.caracal.http.OutboundPolicy;

/**
 * A client whose requests are resolved for each subscription and edited on the wire. Every request of an
 * {@link HttpClient} begins with {@link #request}, which records it; the real request is assembled on subscription, when
 * its address and identity are known.
 */
public final class GovernedHttpClient extends HttpClient {
    /** An authority of which there is one reading only: a name and a port. */
    private static final Pattern PLAIN_AUTHORITY =
            Pattern.compile("https?://[A-Za-z0-9._-]+(:[0-9]{2,5})?([/?].*)?", Pattern.CASE_INSENSITIVE);

    /** The methods whose requests are kept; HTTP has fewer. */
    private static final int MAX_METHODS = 16;

    private final HttpClient delegate; // carries the hook that arms the wire
    private final OutboundPolicy policy;
    private @Nullable Defaults defaults; // read on first use: withers change the configuration after duplicate()

    private GovernedHttpClient(HttpClient delegate, OutboundPolicy policy) {
        this.delegate = delegate;
        this.policy = policy;
    }

    /** Decorates a client, or gives a decorated one another policy. */
    public static HttpClient decorate(HttpClient client, OutboundPolicy policy) {
        if (client instanceof GovernedHttpClient governed) {
            return governed.policy.equals(policy) ? governed : new GovernedHttpClient(governed.delegate, policy);
        }
        return new GovernedHttpClient(
                client.doOnRequest(GovernedHttpClient::onRequest).doOnResponse(GovernedHttpClient::onResponse), policy);
    }

    /** For every request on a connection: first ones, redirects, repetitions by Reactor Netty, and WebSocket. */
    private static void onRequest(HttpClientRequest request, Connection connection) {
        // A decision of a filter further up is taken over before it gets here; a WebSocket takes nothing over.
        if (!(request.currentContextView().getOrDefault(OutboundExchange.KEY, null) instanceof OutboundExchange exchange
                && exchange.isGoverned())) {
            throw new RoutingException(
                    "A decorated client does not open WebSocket connections: their address and identity"
                            + " cannot be governed. Use a client that is not decorated.");
        }
        exchange.prepare(request, connection);
    }

    private static void onResponse(HttpClientResponse response, Connection connection) {
        if (response.currentContextView().getOrDefault(OutboundExchange.KEY, null)
                instanceof OutboundExchange exchange) {
            exchange.answered(response.status().code(), response.responseHeaders()::get);
        }
    }

    @Override
    public HttpClientConfig configuration() {
        return delegate.configuration();
    }

    @Override
    protected HttpClient duplicate() {
        return new GovernedHttpClient(delegate.headers(headers -> {}), policy); // a wither that always copies
    }

    @Override
    public RequestSender request(HttpMethod method) {
        return defaults().begin(method);
    }

    @Override
    public String toString() {
        return "Governed" + delegate;
    }

    private Defaults defaults() {
        Defaults known = defaults;
        if (known == null) {
            known = new Defaults(this);
            defaults = known;
        }
        return known;
    }

    /** Resolves one request; as a scalar when nothing has to be waited for. */
    private Mono<OutboundExchange> resolve(Object asked, ContextView context) {
        String url = defaults().absolute(asked);
        OutboundExchange above = OutboundExchange.in(context, url);
        if (above != null) {
            return above.claimForGovernedClient()
                    ? Mono.just(above)
                    : above.again(policy, defaults().resource, defaults().requestId, context, true);
        }
        return OutboundExchange.resolve(policy, url, defaults().resource, defaults().requestId, context, true);
    }

    /** The common start of all requests, and the configuration for them. */
    private static final class Defaults {
        final @Nullable String resource;
        final @Nullable String requestId;
        private final GovernedHttpClient client;
        private final HttpClientConfig configuration;
        private @Nullable Begun begun; // a race forgets one, which is then begun again

        Defaults(GovernedHttpClient client) {
            this.client = client;
            this.configuration = client.configuration();
            this.resource = configuration.headers().get(HeaderNames.RESOURCE);
            this.requestId = configuration.headers().get(HeaderNames.REQUEST_ID);
        }

        /** A request without an address. Neither it nor what it records ever changes, so one of each method is enough. */
        Sender begin(HttpMethod method) {
            int others = 0;
            for (Begun known = begun; known != null; known = known.next()) {
                if (known.method().equals(method)) {
                    return known.sender();
                }
                others++;
            }
            Sender sender = new Sender(client, client.delegate.request(method), "/", null);
            if (others < MAX_METHODS) {
                begun = new Begun(method, sender, begun);
            }
            return sender;
        }

        /** The address as Reactor Netty would send it, in full. */
        String absolute(Object asked) {
            String url = asked.toString();
            String base = configuration.baseUrl();
            if (base != null && url.startsWith("/")) {
                url = (base.endsWith("/") ? base.substring(0, base.length() - 1) : base) + url;
            }
            if (asked instanceof URI || hasScheme(url)) {
                return url;
            }
            if (!url.startsWith("/")) {
                return scheme() + url;
            }
            if (!(configuration.remoteAddress().get() instanceof InetSocketAddress address)) {
                throw new RoutingException(
                        "A relative address (" + pathOf(url) + ") on a client whose remote address has no"
                                + " host cannot be governed; give an absolute address.");
            }
            // By its name, even if it is resolved, because decisions are made by name.
            return scheme() + NetUtil.toSocketAddressString(address.getHostString(), address.getPort()) + url;
        }

        /** Whether the address begins with letters, digits or underscores and {@code ://}, which Reactor Netty asks for. */
        private static boolean hasScheme(String url) {
            int end = url.indexOf("://");
            for (int i = 0; i < end; i++) {
                char c = url.charAt(i);
                if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_')) {
                    return false;
                }
            }
            return end > 0;
        }

        private String scheme() {
            return configuration.isSecure() ? "https://" : "http://";
        }

        private static String pathOf(String url) {
            int query = url.indexOf('?');
            return query < 0 ? url : url.substring(0, query);
        }
    }

    /** The beginnings of requests; a list, as a client has one or two methods and may be made for one request. */
    private record Begun(
            HttpMethod method, Sender sender, @Nullable Begun next) {}

    /** Records a request; assembles nothing before subscription. */
    private static final class Sender implements RequestSender {
        private final GovernedHttpClient client;
        private final RequestSender real;
        private final Object asked; // String, URI, or Mono<String>
        private final @Nullable Function<RequestSender, ResponseReceiver<?>> body;

        Sender(
                GovernedHttpClient client,
                RequestSender real,
                Object asked,
                @Nullable Function<RequestSender, ResponseReceiver<?>> body) {
            this.client = client;
            this.real = real;
            this.asked = asked;
            this.body = body;
        }

        @Override
        public RequestSender uri(String uri) {
            return new Sender(client, real, Objects.requireNonNull(uri, "uri"), body);
        }

        @Override
        public RequestSender uri(Mono<String> uri) {
            return new Sender(client, real, Objects.requireNonNull(uri, "uri"), body);
        }

        @Override
        public RequestSender uri(URI uri) {
            if (!uri.isAbsolute()) {
                throw new IllegalArgumentException("URI is not absolute: " + uri);
            }
            return new Sender(client, real, uri, body);
        }

        @Override
        public ResponseReceiver<?> send(Publisher<? extends ByteBuf> requestBody) {
            Objects.requireNonNull(requestBody, "requestBody");
            return new Sender(client, real, asked, sender -> sender.send(requestBody));
        }

        @Override
        public ResponseReceiver<?> send(
                BiFunction<? super HttpClientRequest, ? super NettyOutbound, ? extends Publisher<Void>> sender) {
            Objects.requireNonNull(sender, "sender");
            return new Sender(client, real, asked, it -> it.send(sender));
        }

        @Override
        public ResponseReceiver<?> sendForm(
                BiConsumer<? super HttpClientRequest, HttpClientForm> formCallback,
                @Nullable Consumer<Flux<Long>> progress) {
            Objects.requireNonNull(formCallback, "formCallback");
            return new Sender(client, real, asked, it -> it.sendForm(formCallback, progress));
        }

        @Override
        public Mono<HttpClientResponse> response() {
            return one(ResponseReceiver::response);
        }

        @Override
        public <V> Flux<V> response(
                BiFunction<? super HttpClientResponse, ? super ByteBufFlux, ? extends Publisher<V>> receiver) {
            return many(it -> it.response(receiver));
        }

        @Override
        public <V> Flux<V> responseConnection(
                BiFunction<? super HttpClientResponse, ? super Connection, ? extends Publisher<V>> receiver) {
            return many(it -> it.responseConnection(receiver));
        }

        @Override
        public ByteBufFlux responseContent() {
            Object allocator = client.configuration().options().get(ChannelOption.ALLOCATOR);
            return ByteBufFlux.fromInbound(
                    this.<ByteBuf>many(ResponseReceiver::responseContent),
                    allocator instanceof ByteBufAllocator given ? given : ByteBufAllocator.DEFAULT);
        }

        @Override
        public <V> Mono<V> responseSingle(
                BiFunction<? super HttpClientResponse, ? super ByteBufMono, ? extends Mono<V>> receiver) {
            return one(it -> it.responseSingle(receiver));
        }

        private <T> Mono<T> one(Function<ResponseReceiver<?>, Mono<T>> receive) {
            return Mono.deferContextual(context -> asked instanceof Mono<?> later
                    ? later.flatMap(url -> one(url, context, receive))
                    : one(asked, context, receive));
        }

        private <T> Mono<T> one(Object url, ContextView context, Function<ResponseReceiver<?>, Mono<T>> receive) {
            Mono<OutboundExchange> resolved = client.resolve(url, context);
            return resolved instanceof Callable<?> known
                    ? one(url, exchange(known), receive)
                    : resolved.flatMap(exchange -> one(url, exchange, receive));
        }

        private <T> Mono<T> one(Object url, OutboundExchange exchange, Function<ResponseReceiver<?>, Mono<T>> receive) {
            Mono<T> sent = receive.apply(receiver(url, exchange));
            if (exchange.isObserved()) {
                sent = sent.doOnError(error -> exchange.ended(0, error)).doOnCancel(() -> exchange.ended(0, null));
            }
            return sent.contextWrite(context -> context.put(OutboundExchange.KEY, exchange));
        }

        private <T> Flux<T> many(Function<ResponseReceiver<?>, Flux<? extends T>> receive) {
            return Flux.deferContextual(context -> asked instanceof Mono<?> later
                    ? later.flatMapMany(url -> many(url, context, receive))
                    : many(asked, context, receive));
        }

        private <T> Flux<T> many(
                Object url, ContextView context, Function<ResponseReceiver<?>, Flux<? extends T>> receive) {
            Mono<OutboundExchange> resolved = client.resolve(url, context);
            return resolved instanceof Callable<?> known
                    ? many(url, exchange(known), receive)
                    : resolved.flatMapMany(exchange -> many(url, exchange, receive));
        }

        private <T> Flux<T> many(
                Object url, OutboundExchange exchange, Function<ResponseReceiver<?>, Flux<? extends T>> receive) {
            Flux<T> sent = Flux.from(receive.apply(receiver(url, exchange)));
            if (exchange.isObserved()) {
                sent = sent.doOnError(error -> exchange.ended(0, error)).doOnCancel(() -> exchange.ended(0, null));
            }
            return sent.contextWrite(context -> context.put(OutboundExchange.KEY, exchange));
        }

        private static OutboundExchange exchange(Callable<?> known) {
            try {
                return (OutboundExchange) known.call();
            } catch (Exception e) {
                throw reactor.core.Exceptions.propagate(e);
            }
        }

        /** The real request. A request with an identity goes to the address that was judged. */
        private ResponseReceiver<?> receiver(Object url, OutboundExchange exchange) {
            try {
                RequestSender sender;
                if (url instanceof URI uri && !exchange.isRewritten()) {
                    sender = real.uri(uri);
                } else if (exchange.carriesIdentity()) {
                    sender = to(exchange.target());
                } else {
                    sender = real.uri((String) url);
                }
                return body == null ? sender : body.apply(sender);
            } catch (RuntimeException refused) {
                exchange.ended(0, refused); // a rejected request has ended, too
                throw refused;
            }
        }

        /**
         * Parsed as a URI, so that Reactor Netty reads the address as it was judged. Its own reading of text is lenient; it is
         * used only where java.net.URI is too strict (an underscore in the host, a bar in the query) and the authority
         * leaves no room for two readings.
         */
        private RequestSender to(String target) {
            try {
                URI uri = new URI(target);
                if (uri.getHost() != null) {
                    return real.uri(uri);
                }
            } catch (URISyntaxException e) {
                // Without the exception: it repeats the address with its query.
            }
            if (PLAIN_AUTHORITY.matcher(target).matches()) {
                return real.uri(target);
            }
            throw new RoutingException(
                    "The address of the request cannot be sent as it is written, so nothing was sent;"
                            + " percent-encode what java.net.URI does not take");
        }
    }
}
