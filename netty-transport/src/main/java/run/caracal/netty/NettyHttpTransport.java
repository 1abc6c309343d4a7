package run.caracal.netty;

import io.micrometer.core.instrument.Metrics;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaders;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.resolver.AddressResolverGroup;
import io.netty.resolver.NoopAddressResolverGroup;
import java.net.URI;
import java.time.Duration;
import java.util.Arrays;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import org.reactivestreams.Publisher;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.Disposable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;
import reactor.core.scheduler.Schedulers;
import reactor.netty.ByteBufFlux;
import reactor.netty.NettyOutbound;
import reactor.netty.http.Http11SslContextSpec;
import reactor.netty.http.client.HttpClient;
import reactor.netty.http.client.HttpClientConfig;
import reactor.netty.http.client.HttpClientRequest;
import reactor.netty.http.client.HttpClientResponse;
import reactor.netty.resources.ConnectionProvider;
import reactor.netty.resources.LoopResources;
import reactor.netty.tcp.SslProvider;
import reactor.netty.transport.NameResolverProvider;
import reactor.util.context.Context;
import run.caracal.error.CaracalException;
import run.caracal.error.ClosedException;
import run.caracal.http.HttpRequest;
import run.caracal.http.HttpResponse;
import run.caracal.http.HttpTransport;
import run.caracal.netty.TransportErrors.Limits;

/**
 * The transport of the SDK on Reactor Netty, for the calls to the STS and the Coordinator, and for those of {@link
 * run.caracal.Caracal#fetch}. Each has a connection pool and event loop threads of its own. A client that finds it by itself
 * uses a second one for {@code fetch} and for mandates, on the event loops that clients of Reactor Netty use by default, so
 * that a mandate and its call need one thread; one that is given to the configuration carries both, which then share its
 * connections. It never repeats a request and never follows a redirect, whatever the customizer says.
 *
 * <p>Found by {@link java.util.ServiceLoader} with its default settings; build one to set a proxy, a resolver or TLS:
 *
 * <pre>{@code
 * HttpTransport transport = NettyHttpTransport.builder()
 *         .customize(client -> client.proxyWithSystemProperties())
 *         .sslContext(certificates::current)
 *         .build();
 * }</pre>
 *
 * <p>The platform's trust store is read for the first request over https, once for all transports and on a thread that may
 * block.
 */
public final class NettyHttpTransport implements HttpTransport {
    /** How many connections there may be to one service by default. */
    public static final int DEFAULT_MAX_CONNECTIONS = 100;

    /** How many requests may wait for a connection to one service by default. */
    public static final int DEFAULT_MAX_PENDING = 20_000;

    /** How long a request waits for a connection to become free by default. */
    public static final Duration DEFAULT_ACQUIRE_TIMEOUT = Duration.ofSeconds(5);

    /** How long establishing a connection may take, unless the customizer says otherwise. */
    public static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(5);

    /** How long a connection stays idle in the pool: less than the 60 s after which load balancers drop it. */
    public static final Duration MAX_IDLE_TIME = Duration.ofSeconds(45);

    private static final Duration EVICTION_INTERVAL = Duration.ofSeconds(15);
    private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(5);

    /** Without it, a loop that has tasks when it is told to end does so before it closes what is open on it. */
    private static final Duration QUIET_TIME = Duration.ofMillis(50);

    private static final int MAX_LOOPS = 4;
    private static final int FIRST_ERROR = 400;

    /** The segments of the STS's and the Coordinator's routes, besides ids. */
    private static final Set<String> ROUTES = Set.of(
            "oauth",
            "2",
            "token",
            "approvals",
            "zones",
            "agents",
            "heartbeat",
            "lease",
            "delegations",
            "inbound",
            "revoke");

    /** Routes have fewer segments; what a base path adds beyond counts as one. */
    private static final int MAX_TAG_SEGMENTS = 10;

    private static final Logger log = LoggerFactory.getLogger(NettyHttpTransport.class);

    /**
     * Where Reactor's operators leave an error that nobody waits for any more, read from the Context before the global hook:
     * a connection that closes behind a cancelled request is nothing to alarm anybody with.
     */
    private static final Context LATE_ERRORS = Context.of("reactor.onErrorDropped.local", (Consumer<Throwable>)
            error -> log.debug("A cancelled request ended with an error: {}", error.toString()));

    /** Reading the trust store blocks, and takes a good part of a second: done once for all. */
    private static final Mono<SslProvider> PLATFORM_TLS = kept(Mono.defer(
            () -> Mono.fromSupplier(NettyHttpTransport::platformTls).subscribeOn(Schedulers.boundedElastic())));

    private final ConnectionProvider pool;
    private final LoopResources loops;
    private final HttpClient client;
    /** For requests over https: with the customizer's TLS, or the platform's. */
    private final Mono<HttpClient> secured;

    private final Limits limits;
    private final Set<Attempt> underWay = ConcurrentHashMap.newKeySet();
    private final Sinks.Empty<Void> drained = Sinks.empty();
    private final Mono<Void> end;
    private volatile boolean disposed;

    private NettyHttpTransport(Builder builder) {
        limits = new Limits(builder.maxConnections, builder.maxPending, builder.acquireTimeout);
        if (builder.metrics && !isMicrometerPresent()) {
            throw new IllegalStateException(
                    "metrics(true) needs io.micrometer:micrometer-core on the class path; add it, or "
                            + "leave the metrics of the transport off");
        }
        loops = LoopResources.create(
                "caracal-http", Math.min(MAX_LOOPS, Runtime.getRuntime().availableProcessors()), true);
        pool = ConnectionProvider.builder("caracal")
                .metrics(builder.metrics)
                .maxConnections(builder.maxConnections)
                .pendingAcquireMaxCount(builder.maxPending)
                .pendingAcquireTimeout(builder.acquireTimeout)
                .maxIdleTime(MAX_IDLE_TIME)
                .evictInBackground(
                        EVICTION_INTERVAL, Schedulers.fromExecutorService(loops.onClient(LoopResources.DEFAULT_NATIVE)))
                .lifo()
                .build();
        // Reactor Netty would make one for these loops and keep both for ever.
        AddressResolverGroup<?> resolver =
                NameResolverProvider.builder().build().newNameResolverGroup(loops, LoopResources.DEFAULT_NATIVE);
        Supplier<? extends SslContext> ssl = builder.sslContext;
        HttpClient base = HttpClient.create(pool)
                .resolver(resolver)
                .runOn(loops)
                .option(ChannelOption.CONNECT_TIMEOUT_MILLIS, (int) CONNECT_TIMEOUT.toMillis());
        HttpClient supplied = ssl == null ? base : base.secure(spec -> spec.sslContext(new SuppliedSslContext(ssl)));
        HttpClient metered = builder.metrics ? supplied.metrics(true, NettyHttpTransport::uriTag) : supplied;
        HttpClient customized =
                builder.customizer.apply(metered).followRedirect(false).disableRetry(true);
        // The proxy resolves the hosts behind it.
        boolean proxied = customized.configuration().hasProxy()
                && customized.configuration().resolver() == resolver;
        client = proxied ? customized.resolver(NoopAddressResolverGroup.INSTANCE) : customized;
        secured = client.configuration().isSecure() ? Mono.just(client) : kept(PLATFORM_TLS.map(client::secure));
        end = Mono.defer(() -> close(resolver)).cache();
    }

    /** Whoever leaves meanwhile, it is made to its end; a failure is not kept. */
    private static <T> Mono<T> kept(Mono<T> made) {
        return made.cache(value -> Duration.ofMillis(Long.MAX_VALUE), failure -> Duration.ZERO, () -> Duration.ZERO);
    }

    private static SslProvider platformTls() {
        SslProvider.GenericSslContextSpec<SslContextBuilder> platform = Http11SslContextSpec.forClient();
        return SslProvider.builder().sslContext(platform).build();
    }

    /**
     * The event loops of the requests: our own, unless the customizer brought others. Asked for each time, since an
     * application may replace Reactor Netty's shared ones. Timeouts run there too: a blocked {@link Schedulers#parallel()}
     * delays no renewal, and no other thread is woken for one.
     */
    private EventLoopGroup requestLoops() {
        HttpClientConfig used = client.configuration();
        return used.loopResources().onClient(used.isPreferNative());
    }

    /**
     * The requests first: nothing would end one any more without its loop and the timer, and one that comes behind the end
     * of the pool makes a new one. The pool knows nothing of what is being connected or looked up; that ends with the loops.
     */
    private Mono<Void> close(AddressResolverGroup<?> resolver) {
        return bounded(Mono.defer(this::failUnderWay).then(aTurnOfEachLoop()))
                .then(bounded(pool.disposeLater()))
                .then(Mono.fromRunnable(resolver::close))
                .then(loops.disposeLater(QUIET_TIME, CLOSE_TIMEOUT));
    }

    /** A step of the end that the next one does not depend on. Not bounded by the loops, which a subscriber may block. */
    private static Mono<Void> bounded(Mono<Void> step) {
        // As a value, an error that meets the timeout is not dropped.
        return step.materialize().timeout(CLOSE_TIMEOUT).<Void>dematerialize().onErrorResume(e -> {
            log.debug("A step of closing the Caracal HTTP transport failed: {}", e.toString());
            return Mono.empty();
        });
    }

    private static boolean isMicrometerPresent() {
        try {
            return Metrics.globalRegistry != null;
        } catch (NoClassDefFoundError e) {
            return false;
        }
    }

    /** The path with everything that may be an id replaced, and without the query. */
    static String uriTag(String uri) {
        int end = uri.indexOf('?');
        StringBuilder tag = new StringBuilder();
        for (String segment : (end < 0 ? uri : uri.substring(0, end)).split("/", MAX_TAG_SEGMENTS)) {
            if (!segment.isEmpty()) {
                tag.append('/').append(ROUTES.contains(segment) ? segment : "{id}");
            }
        }
        return tag.isEmpty() ? "/" : tag.toString();
    }

    /**
     * Creates a transport with the default settings.
     *
     * @return a new transport, owned by the caller
     */
    public static NettyHttpTransport create() {
        return builder().build();
    }

    /** Starts to build a transport. */
    public static Builder builder() {
        return new Builder();
    }

    @Override
    public Mono<HttpResponse> exchange(HttpRequest request) {
        Objects.requireNonNull(request, "request");
        return Mono.defer(() -> {
            Attempt attempt = new Attempt(request);
            boolean tls = "https".equalsIgnoreCase(request.uri().getScheme());
            Mono<HttpResponse> answer = (tls ? secured.flatMap(attempt::through) : attempt.through(client))
                    .cancelOn(Schedulers.fromExecutor(attempt::cancel))
                    // Not timeout(...), which makes up a name from all operators above it each time.
                    .takeUntilOther(attempt.limit())
                    .onErrorMap(error -> map(attempt, error))
                    .doFinally(signal -> ended(attempt))
                    .contextWrite(LATE_ERRORS);
            underWay.add(attempt);
            if (disposed) {
                ended(attempt);
                return Mono.error(closed());
            }
            return answer;
        });
    }

    private void ended(Attempt attempt) {
        attempt.stopTimer();
        underWay.remove(attempt);
        tellIfDrained();
    }

    private void tellIfDrained() {
        if (disposed && underWay.isEmpty()) {
            var unused = drained.tryEmitEmpty();
        }
    }

    /** Completes when all have ended. */
    private Mono<Void> failUnderWay() {
        underWay.forEach(attempt -> requestLoops().execute(attempt::end));
        tellIfDrained();
        return drained.asMono();
    }

    /** A cancelled call returns its connection: at the end of the pool, the pool counts it twice. */
    private Mono<Void> aTurnOfEachLoop() {
        return Flux.defer(() -> Flux.fromIterable(requestLoops()))
                .flatMap(loop -> Mono.create(turn -> loop.execute(turn::success)))
                .then();
    }

    private Throwable map(Attempt attempt, Throwable error) {
        if (error instanceof CaracalException || error instanceof UnsendableHeader) {
            return error;
        }
        if (disposed) {
            return attempt.sent ? TransportErrors.closed(attempt.request, error) : closed();
        }
        return error.getClass() == TimeoutException.class
                ? TransportErrors.timeout(attempt.request, attempt.sent)
                : TransportErrors.map(attempt.request, error, attempt.sent, limits);
    }

    private static ClosedException closed() {
        return new ClosedException("The HTTP transport is closed; nothing was sent. Create a new client.");
    }

    /**
     * Releases the connections and the event loops. Requests still in flight fail: with {@link ClosedException} when they
     * were not sent, else with an ambiguous {@link run.caracal.error.TransportException}. Resources that the customizer
     * brought are left alone. Idempotent; all callers share one end.
     *
     * @return completes when everything is released; an error when an event loop does not end within seconds, which is only
     *     where somebody blocks it
     */
    @Override
    public Mono<Void> disposeLater() {
        return Mono.defer(() -> {
            disposed = true;
            return end;
        });
    }

    @Override
    public void dispose() {
        Disposable closing = disposeLater()
                .subscribe(null, error -> log.warn("Closing the Caracal HTTP transport failed: {}", error.toString()));
        if (closing.isDisposed()) {
            log.debug("The Caracal HTTP transport is closed");
        }
    }

    @Override
    public boolean isDisposed() {
        return disposed;
    }

    /** Names the limits only. */
    @Override
    public String toString() {
        return "NettyHttpTransport[maxConnections=" + limits.maxConnections() + ", disposed=" + disposed + "]";
    }

    /** One request: sent at most once, its answer collected up to the limit. */
    private final class Attempt {
        final HttpRequest request;
        volatile boolean sent;
        private final Sinks.Empty<Void> over = Sinks.empty();
        private volatile @Nullable Future<?> timer;
        private volatile boolean cancelled;
        private volatile @Nullable EventLoop loop;

        Attempt(HttpRequest request) {
            this.request = request;
        }

        /** Fails when the time of the request is over, or before, when the transport is closed. */
        Mono<Void> limit() {
            return Mono.defer(() -> {
                timer = requestLoops().schedule(this::end, request.timeout().toNanos(), TimeUnit.NANOSECONDS);
                return over.asMono();
            });
        }

        void end() {
            var unused = over.tryEmitError(new TimeoutException());
        }

        void stopTimer() {
            Future<?> started = timer;
            if (started != null) {
                started.cancel(false);
            }
        }

        /**
         * Cancels where the connection is. Elsewhere a cancel may meet the arrival of the answer, and Reactor Netty then
         * loses the connection, or closes it for the request that has it next.
         */
        void cancel(Runnable task) {
            cancelled = true;
            EventLoop used = loop;
            if (used == null || used.inEventLoop()) {
                task.run(); // what is not sent by now will not be
                return;
            }
            try {
                used.execute(task);
            } catch (RejectedExecutionException e) {
                log.debug("A request was cancelled whose connection has ended with its event loop");
            }
        }

        Mono<HttpResponse> through(HttpClient http) {
            HttpClient.RequestSender sender = http.request(HttpMethod.valueOf(request.method()));
            URI uri = request.uri();
            // A URI knows no host with an underscore, which networks of containers have; Reactor Netty reads it in
            // text.
            return (uri.getHost() == null ? sender.uri(uri.toString()) : sender.uri(uri))
                    .send(this::send)
                    .response(this::receive)
                    .singleOrEmpty();
        }

        Publisher<Void> send(HttpClientRequest out, NettyOutbound outbound) {
            outbound.withConnection(connection -> loop = connection.channel().eventLoop());
            HttpHeaders headers = out.requestHeaders();
            request.headers().forEach((name, value) -> {
                try {
                    headers.set(name, value);
                } catch (IllegalArgumentException e) {
                    throw new UnsendableHeader(TransportErrors.describe(request), name);
                }
            });
            // In this order: whoever cancels or closes sees that it is sent, or it is not.
            sent = true;
            if (cancelled || disposed) {
                sent = false;
                return Mono.never(); // its end, which is under way, closes the connection
            }
            byte[] body = request.body();
            if (body == null) {
                if (!"GET".equals(request.method()) && !"HEAD".equals(request.method())) {
                    headers.remove(HttpHeaderNames.TRANSFER_ENCODING).set(HttpHeaderNames.CONTENT_LENGTH, 0);
                }
                return outbound;
            }
            headers.remove(HttpHeaderNames.TRANSFER_ENCODING).set(HttpHeaderNames.CONTENT_LENGTH, body.length);
            return outbound.sendByteArray(Mono.just(body));
        }

        Mono<HttpResponse> receive(HttpClientResponse response, ByteBufFlux content) {
            int limit = request.maxResponseBytes();
            HttpHeaders headers = response.responseHeaders();
            long announced = announced(headers);
            // The status of an error answer says more than that its page is large.
            boolean cut = response.status().code() >= FIRST_ERROR;
            if (announced > limit && !cut && !"HEAD".equals(request.method())) {
                return Mono.error(TransportErrors.tooLarge(request));
            }
            int expected = announced < 0 || announced > limit ? 0 : (int) announced;
            Collected collected = new Collected(expected);
            return content.map(buffer -> {
                        boolean fits = collected.add(buffer, limit);
                        if (!fits && !cut) {
                            throw TransportErrors.tooLarge(request);
                        }
                        return fits;
                    })
                    .takeUntil(fits -> !fits)
                    .then(response.trailerHeaders())
                    .map(Attempt::first)
                    .defaultIfEmpty(Map.of())
                    .map(trailers ->
                            new HttpResponse(response.status().code(), first(headers), collected.bytes(), trailers));
        }

        private static long announced(HttpHeaders headers) {
            String value = headers.get(HttpHeaderNames.CONTENT_LENGTH);
            try {
                return value == null ? -1 : Long.parseLong(value.strip());
            } catch (NumberFormatException e) {
                return -1;
            }
        }

        private static Map<String, String> first(HttpHeaders headers) {
            Map<String, String> first = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
            headers.forEach(header -> first.putIfAbsent(header.getKey(), header.getValue()));
            return first;
        }
    }

    /** The bytes of an answer so far; the buffers are released by Reactor Netty. */
    private static final class Collected {
        private byte[] bytes;
        private int size;

        Collected(int expected) {
            bytes = new byte[expected];
        }

        boolean add(ByteBuf buffer, int limit) {
            int more = buffer.readableBytes();
            int taken = Math.min(more, limit - size);
            if (size + taken > bytes.length) {
                bytes = Arrays.copyOf(bytes, Math.min(limit, Math.max(size + taken, bytes.length * 2)));
            }
            buffer.readBytes(bytes, size, taken);
            size += taken;
            return taken == more;
        }

        byte[] bytes() {
            return size == bytes.length ? bytes : Arrays.copyOf(bytes, size);
        }
    }

    /** A header that HTTP does not allow; without its value, which may be a secret. */
    private static final class UnsendableHeader extends IllegalArgumentException {
        private static final long serialVersionUID = 1L;

        UnsendableHeader(String call, String name) {
            super(call + ": the value for the header " + name
                    + " holds a character that HTTP does not allow; nothing was"
                    + " sent. Check where the value comes from, for instance a secret file with a line break.");
        }
    }

    /** Settings of a transport. Not thread-safe. */
    public static final class Builder {
        private static final Duration MIN_ACQUIRE_TIMEOUT = Duration.ofMillis(1);
        private static final Duration MAX_ACQUIRE_TIMEOUT = Duration.ofHours(1);

        private UnaryOperator<HttpClient> customizer = UnaryOperator.identity();
        private @Nullable Supplier<? extends SslContext> sslContext;
        private int maxConnections = DEFAULT_MAX_CONNECTIONS;
        private int maxPending = DEFAULT_MAX_PENDING;
        private Duration acquireTimeout = DEFAULT_ACQUIRE_TIMEOUT;
        private boolean metrics;

        private Builder() {}

        /**
         * Changes the client that is used for the STS and the Coordinator alike: proxy, resolver, timeouts, metrics, event
         * loops and so on. Several customizers are applied one after the other. A connection provider or event loops
         * given here are never disposed by this transport; connections on its own event loops end with it.
         * Following redirects and repeating requests stay off.
         *
         * @param customizer gets the client with the settings of this transport, returns the one to use
         */
        public Builder customize(UnaryOperator<HttpClient> customizer) {
            Objects.requireNonNull(customizer, "customizer");
            UnaryOperator<HttpClient> before = this.customizer;
            this.customizer = client -> Objects.requireNonNull(
                    customizer.apply(before.apply(client)),
                    "the function given to customize(...) returned null; it has to return the client to use");
            return this;
        }

        /**
         * Sets the TLS context, for instance for a client certificate. The supplier is asked for each new connection, so
         * that a rotated certificate is used without a restart; connections that are open live on until they have been
         * idle for {@link NettyHttpTransport#MAX_IDLE_TIME}.
         *
         * <p>Default: the platform's trust store and no client certificate.
         *
         * @param sslContext gives the current context for clients. It is called on an event loop and must not block: load
         *     certificates elsewhere and hand out what is current. Return the same instance as long as nothing has
         *     changed: TLS sessions are resumed within one context only.
         */
        public Builder sslContext(Supplier<? extends SslContext> sslContext) {
            this.sslContext = Objects.requireNonNull(sslContext, "sslContext");
            return this;
        }

        /**
         * Sets how many connections there may be to one service.
         *
         * @param maxConnections at least 1; default {@value NettyHttpTransport#DEFAULT_MAX_CONNECTIONS}
         */
        public Builder maxConnections(int maxConnections) {
            this.maxConnections = positive(maxConnections, "maxConnections");
            return this;
        }

        /**
         * Sets how many requests may wait for a connection to one service; more fail with an error of the kind
         * {@link run.caracal.error.TransportException.Kind#OVERLOADED OVERLOADED}.
         *
         * @param maxPending at least 1; default {@value NettyHttpTransport#DEFAULT_MAX_PENDING}
         */
        public Builder maxPending(int maxPending) {
            this.maxPending = positive(maxPending, "maxPending");
            return this;
        }

        /**
         * Sets how long a request waits for a connection to become free, before it fails with an error of the kind
         * {@link run.caracal.error.TransportException.Kind#OVERLOADED OVERLOADED}. The timeout of the request as a whole
         * runs from the same moment.
         *
         * @param acquireTimeout a millisecond to an hour (resolution: ms); default 5 s
         */
        public Builder acquireTimeout(Duration acquireTimeout) {
            if (acquireTimeout.compareTo(MIN_ACQUIRE_TIMEOUT) < 0
                    || acquireTimeout.compareTo(MAX_ACQUIRE_TIMEOUT) > 0) {
                throw new IllegalArgumentException("acquireTimeout must be from " + MIN_ACQUIRE_TIMEOUT
                        + " (1 millisecond) to " + MAX_ACQUIRE_TIMEOUT + " (1 hour), not " + acquireTimeout);
            }
            this.acquireTimeout = acquireTimeout;
            return this;
        }

        /**
         * Records Reactor Netty's own meters of the calls and of the connection pool in Micrometer's global registry ({@code
         * reactor.netty.http.client.*}, {@code reactor.netty.connection.provider.*}). In their {@code uri} tag whatever may
         * be an id is {@code {id}}. Needs {@code io.micrometer:micrometer-core}, without which {@link #build()} fails with an
         * {@link IllegalStateException}.
         *
         * @param metrics whether to record; default {@code false}
         */
        public Builder metrics(boolean metrics) {
            this.metrics = metrics;
            return this;
        }

        private static int positive(int value, String name) {
            if (value < 1) {
                throw new IllegalArgumentException(name + " must be at least 1: " + value);
            }
            return value;
        }

        /**
         * Creates the transport.
         *
         * @return a new transport, owned by the caller
         * @throws IllegalStateException if metrics are wanted and Micrometer is absent
         */
        public NettyHttpTransport build() {
            return new NettyHttpTransport(this);
        }
    }
}
