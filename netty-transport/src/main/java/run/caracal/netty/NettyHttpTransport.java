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
import java.util.function.BiFunction;
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
import run.caracal.netty.internal.LoopClients;
import run.caracal.netty.internal.SharedLoops;

/**
 * The SDK's transport on Reactor Netty, for calls to the STS and the Coordinator, and for
 * {@link run.caracal.Caracal#fetch}. Each instance has its own connection pool and event loops. By default a client
 * sends renewals and terminations on an event loop of its own, where no code of users runs, and everything that callers
 * wait for on Reactor Netty's shared event loops. Once a service is called often, some twenty times a second, each of these
 * loops has its own connections to it, for which the maximum number counts, and a session, its mandates and their calls
 * run on one thread. A transport set in the configuration carries both, and code that blocks one of its loops delays renewals
 * too. It never retries a request or follows a redirect, whatever the customizer sets.
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
 * <p>The JDK's trust store is read by {@link #prepareTls()} or the first https request, once for all transports, on a
 * thread that may block.
 */
public final class NettyHttpTransport implements HttpTransport {
    /** The default maximum number of connections per service. */
    public static final int DEFAULT_MAX_CONNECTIONS = 100;

    /** The default maximum number of requests that wait for a connection per service. */
    public static final int DEFAULT_MAX_PENDING = 20_000;

    /** The default maximum number of event loops. */
    public static final int DEFAULT_MAX_EVENT_LOOPS = 4;

    /** The default wait for a free connection. */
    public static final Duration DEFAULT_ACQUIRE_TIMEOUT = Duration.ofSeconds(5);

    /** The connect timeout, unless the customizer sets one. */
    public static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(5);

    /** The maximum idle time of a pooled connection: less than the 60 s of common load balancers. */
    public static final Duration MAX_IDLE_TIME = Duration.ofSeconds(45);

    private static final Duration EVICTION_INTERVAL = Duration.ofSeconds(15);
    private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(5);

    /** Without a quiet period, a loop with pending tasks shuts down before it closes its channels. */
    private static final Duration QUIET_TIME = Duration.ofMillis(50);

    private static final int FIRST_ERROR = 400;

    /** The path segments of STS and Coordinator other than ids. */
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

    /** More than any route has; further segments, of a base path, count as one. */
    private static final int MAX_TAG_SEGMENTS = 10;

    private static final Logger log = LoggerFactory.getLogger(NettyHttpTransport.class);

    /**
     * Overrides Reactor's onErrorDropped hook, because a connection that closes after its request was cancelled is no
     * reason for an ERROR log.
     */
    private static final Context LATE_ERRORS = Context.of("reactor.onErrorDropped.local", (Consumer<Throwable>)
            error -> log.debug("A cancelled request ended with an error: {}", error.toString()));

    /** Shared by all transports: reading the trust store blocks, and takes a good part of a second. */
    private static final Mono<SslProvider> PLATFORM_TLS = kept(Mono.defer(
            () -> Mono.fromSupplier(NettyHttpTransport::platformTls).subscribeOn(Schedulers.boundedElastic())));

    private final ConnectionProvider pool;
    private final LoopResources loops;
    private final HttpClient client;
    /** The client for a request by the loop of its caller. */
    private final BiFunction<EventLoop, URI, HttpClient> clients;
    /** For https: with the customizer's TLS, or the JDK's. */
    private final Mono<BiFunction<EventLoop, URI, HttpClient>> secured;

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
        loops = LoopResources.create("caracal-http", builder.eventLoops, true);
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
        // Reactor Netty would create one for these loops, and keep both forever.
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
        clients = clients(client);
        secured = client.configuration().isSecure()
                ? Mono.just(clients)
                : kept(PLATFORM_TLS.map(tls -> clients(client.secure(tls))));
        end = Mono.defer(() -> close(resolver)).cache();
    }

    private static BiFunction<EventLoop, URI, HttpClient> clients(HttpClient client) {
        return client.configuration().loopResources() instanceof SharedLoops
                ? new LoopClients(client)::client
                : (caller, uri) -> client;
    }

    /** Caches the value but not an error; a cancelled subscriber does not abort it. */
    private static <T> Mono<T> kept(Mono<T> made) {
        return made.cache(value -> Duration.ofMillis(Long.MAX_VALUE), failure -> Duration.ZERO, () -> Duration.ZERO);
    }

    private static SslProvider platformTls() {
        SslProvider.GenericSslContextSpec<SslContextBuilder> platform = Http11SslContextSpec.forClient();
        return SslProvider.builder().sslContext(platform).build();
    }

    /**
     * The event loops of the requests: our own, or those of the customizer. Looked up each time, since an application
     * may replace Reactor Netty's shared ones. Timeouts run there too, so that a blocked {@link Schedulers#parallel()}
     * delays no renewal.
     */
    private EventLoopGroup requestLoops() {
        HttpClientConfig used = client.configuration();
        return used.loopResources().onClient(used.isPreferNative());
    }

    /**
     * Ends the requests first: nothing could end one without its loop and timer, and one that acquires after the pool
     * was closed creates a new pool. Pending connects and lookups are unknown to the pool, and end with the loops.
     */
    private Mono<Void> close(AddressResolverGroup<?> resolver) {
        return bounded(Mono.defer(this::failUnderWay).then(aTurnOfEachLoop()))
                .then(bounded(pool.disposeLater()))
                .then(Mono.fromRunnable(resolver::close))
                .then(loops.disposeLater(QUIET_TIME, CLOSE_TIMEOUT));
    }

    /**
     * Bounds a step of the close that the next one does not depend on; not on the loops, which a subscriber may block.
     */
    private static Mono<Void> bounded(Mono<Void> step) {
        // As a value, because an error after the timeout would be dropped and logged.
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
     * {@return a new transport with default settings, which the caller has to dispose}
     */
    public static NettyHttpTransport create() {
        return builder().build();
    }

    /** {@return a builder with default settings} */
    public static Builder builder() {
        return new Builder();
    }

    @Override
    public Mono<HttpResponse> exchange(HttpRequest request) {
        Objects.requireNonNull(request, "request");
        return Mono.defer(() -> {
            EventLoop caller = requestLoops().next(); // the caller's own, if it is one of them
            Attempt attempt = new Attempt(request, caller);
            boolean tls = "https".equalsIgnoreCase(request.uri().getScheme());
            Mono<HttpResponse> answer = (tls
                            ? secured.flatMapMany(secure -> attempt.through(secure.apply(caller, request.uri())))
                            : attempt.through(clients.apply(caller, request.uri())))
                    .cancelOn(Schedulers.fromExecutor(attempt::cancel))
                    // Not timeout(...), which makes up a name from all operators above it each time.
                    .takeUntilOther(attempt.limit())
                    // Behind the limit, which else might come behind an answer that is being used.
                    .singleOrEmpty()
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

    @Override
    public Mono<Void> prepareTls() {
        return secured.then();
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

    /** Fails the requests in flight; completes when all have ended. */
    private Mono<Void> failUnderWay() {
        underWay.forEach(attempt -> requestLoops().execute(attempt::end));
        tellIfDrained();
        return drained.asMono();
    }

    /** Lets cancelled calls return their connections: after the pool was closed it would count them twice. */
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
     * Releases the connections and the event loops. Requests in flight fail: with {@link ClosedException} if they were
     * not sent, else with an ambiguous {@link run.caracal.error.TransportException}. Resources of the customizer are
     * not disposed. Idempotent; all subscribers share one completion.
     *
     * @return completes when everything is released; an error if an event loop does not end within seconds, because it
     *     is blocked
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

    /** Contains the limits only. */
    @Override
    public String toString() {
        return "NettyHttpTransport[maxConnections=" + limits.maxConnections() + ", disposed=" + disposed + "]";
    }

    /** One request: sent at most once, its answer collected up to the limit. */
    private final class Attempt {
        final HttpRequest request;
        volatile boolean sent;
        // The timer and the close may meet here, and the first of them counts.
        private final Sinks.Empty<Void> over = Sinks.unsafe().empty();
        private final EventLoop timing;
        private volatile @Nullable Future<?> timer;
        private volatile boolean cancelled;
        private volatile @Nullable EventLoop loop;

        Attempt(HttpRequest request, EventLoop timing) {
            this.request = request;
            this.timing = timing;
        }

        /** Fails when the time of the request is over, or before, when the transport is closed. */
        Mono<Void> limit() {
            return Mono.defer(() -> {
                timer = timing.schedule(this::end, request.timeout().toNanos(), TimeUnit.NANOSECONDS);
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
         * Cancels where the connection is. Elsewhere a cancel may meet the arrival of the answer, and Reactor Netty
         * then loses the connection, or closes it for the request that has it next.
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

        Flux<HttpResponse> through(HttpClient http) {
            HttpClient.RequestSender sender = http.request(HttpMethod.valueOf(request.method()));
            URI uri = request.uri();
            // A URI knows no host with an underscore, which networks of containers have; Reactor Netty reads it in
            // text.
            return (uri.getHost() == null ? sender.uri(uri.toString()) : sender.uri(uri))
                    .send(this::send)
                    .response(this::receive);
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
            // In this order, so that a cancel or close sees whether the request was sent.
            sent = true;
            if (cancelled || disposed) {
                sent = false;
                return Mono.never(); // the pending end closes the connection
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
            if (headers.isEmpty()) {
                return Map.of(); // as most trailers are
            }
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
        private int eventLoops =
                Math.min(DEFAULT_MAX_EVENT_LOOPS, Runtime.getRuntime().availableProcessors());
        private boolean metrics;

        private Builder() {}

        /**
         * Customizes the client: proxy, resolver, timeouts, metrics, event loops and so on. Several customizers are
         * applied in order. The transport does not dispose a connection provider or event loops that are set here.
         * Redirects and retries stay disabled.
         *
         * @param customizer maps the client with the settings of this transport to the one to use
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
         * Sets the TLS context, for instance for a client certificate; by default the JDK's trust store without a
         * client certificate. The supplier is called for each new connection, so a rotated certificate needs no
         * restart; open connections are kept until they have been idle for {@link NettyHttpTransport#MAX_IDLE_TIME}.
         *
         * @param sslContext returns the current client context; called on an event loop, so it must not block. Return
         *     the same instance while nothing has changed, because TLS sessions are resumed within one context only
         */
        public Builder sslContext(Supplier<? extends SslContext> sslContext) {
            this.sslContext = Objects.requireNonNull(sslContext, "sslContext");
            return this;
        }

        /**
         * Sets the maximum number of connections per service.
         *
         * @param maxConnections at least 1; default {@value NettyHttpTransport#DEFAULT_MAX_CONNECTIONS}
         */
        public Builder maxConnections(int maxConnections) {
            this.maxConnections = positive(maxConnections, "maxConnections");
            return this;
        }

        /**
         * Sets the maximum number of requests that wait for a connection per service; further ones fail as {@link
         * run.caracal.error.TransportException.Kind#OVERLOADED OVERLOADED}.
         *
         * @param maxPending at least 1; default {@value NettyHttpTransport#DEFAULT_MAX_PENDING}
         */
        public Builder maxPending(int maxPending) {
            this.maxPending = positive(maxPending, "maxPending");
            return this;
        }

        /**
         * Sets how long a request waits for a free connection, before it fails as {@link
         * run.caracal.error.TransportException.Kind#OVERLOADED OVERLOADED}. The wait counts towards the timeout of the
         * request.
         *
         * @param acquireTimeout from a millisecond to an hour (resolution: ms); default 5 s
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
         * Sets the number of the transport's own event loops.
         *
         * @param eventLoops at least 1; by default one for each processor, but at most {@value
         *     NettyHttpTransport#DEFAULT_MAX_EVENT_LOOPS}
         */
        public Builder eventLoops(int eventLoops) {
            this.eventLoops = positive(eventLoops, "eventLoops");
            return this;
        }

        /**
         * Enables Reactor Netty's own meters in Micrometer's global registry ({@code reactor.netty.http.client.*},
         * {@code reactor.netty.connection.provider.*}); disabled by default. Possible ids in their {@code uri} tag are
         * replaced by {@code {id}}. Needs {@code io.micrometer:micrometer-core}.
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
         * {@return a new transport, which the caller has to dispose}
         *
         * @throws IllegalStateException if metrics are enabled and Micrometer is absent
         */
        public NettyHttpTransport build() {
            return new NettyHttpTransport(this);
        }
    }
}
