package run.caracal.examples.faults;

import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.resolver.AddressResolver;
import io.netty.resolver.AddressResolverGroup;
import io.netty.resolver.InetNameResolver;
import io.netty.util.concurrent.EventExecutor;
import io.netty.util.concurrent.Promise;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.stream.Stream;
import javax.net.ssl.SSLException;
import okhttp3.tls.HeldCertificate;
import reactor.core.Disposable;
import reactor.core.publisher.Mono;
import reactor.netty.http.client.HttpClient;
import reactor.netty.resources.ConnectionProvider;
import run.caracal.Boundary;
import run.caracal.Caracal;
import run.caracal.CaracalContext;
import run.caracal.GatewayRequest;
import run.caracal.Grant;
import run.caracal.ServiceAgent;
import run.caracal.SpawnOptions;
import run.caracal.config.CaracalConfig;
import run.caracal.error.GatewayError;
import run.caracal.error.InboundException;
import run.caracal.event.CaracalEvent;
import run.caracal.event.CaracalEvent.TokenExchange;
import run.caracal.examples.faults.FaultProxy.Plan;
import run.caracal.examples.faults.FaultProxy.Seen;
import run.caracal.http.HttpRequest;
import run.caracal.http.HttpResponse;
import run.caracal.http.HttpTransport;
import run.caracal.netty.CaracalHttp;
import run.caracal.netty.NettyHttpTransport;
import run.caracal.platform.LocalPlatform;
import run.caracal.platform.SessionSnapshot;
import run.caracal.verify.InMemoryRevocationStore;
import run.caracal.verify.JwksMandateVerifier;
import run.caracal.verify.MandateRequirements;
import run.caracal.verify.VerifierClock;

/** One client of its own with a fault in its way: everything that one cell of the matrix needs, and its books. */
final class Bench {
    static final String SECRET = "secret-of-the-matrix";
    static final String SCOPE = "billing:charge";

    /** The timeout without a fault: no healthy request fails on a busy machine. */
    private static final Duration PATIENCE = Duration.ofSeconds(20);

    /** The timeout of a request that meets a slow fault. */
    private static final Duration IMPATIENCE = Duration.ofMillis(300);

    /** Where the request goes that meets the fault. */
    enum Where {
        STS,
        COORDINATOR,
        GATEWAY,
        UPSTREAM
    }

    /** The operation of the client that meets the fault. */
    @SuppressWarnings("ImmutableEnumChecker") // predicates keep nothing
    enum Op {
        EXCHANGE(Where.STS, seen -> seen.uri().startsWith("/oauth") && !isMint(seen), 0, 0),
        MINT(Where.STS, Op::isMint, 1, 0),
        OPEN(
                Where.COORDINATOR,
                seen -> seen.method().equals("POST") && seen.uri().endsWith("/agents"),
                0,
                2),
        CLOSE(Where.COORDINATOR, seen -> seen.method().equals("DELETE"), 1, 2),
        DELEGATE(Where.COORDINATOR, seen -> seen.uri().endsWith("/delegations"), 2, 1),
        RENEW(Where.COORDINATOR, seen -> seen.uri().endsWith("/heartbeat"), 1, 0),
        ATTACH(Where.COORDINATOR, seen -> seen.uri().endsWith("/lease"), 1, 1),
        GATEWAY(Where.GATEWAY, seen -> true, 0, 0),
        UPSTREAM(Where.UPSTREAM, seen -> true, 0, 0),
        /** It proves the mandate of an incoming request, for which it fetches the keys of the zone. */
        VERIFY(Where.STS, Op::isForKeys, 2, 0);

        final Where where;
        final Predicate<Seen> hits;

        /** How many requests to the same server come before it. */
        final int after;

        /** How often it is tried again. */
        final int retries;

        Op(Where where, Predicate<Seen> hits, int after, int retries) {
            this.where = where;
            this.hits = hits;
            this.after = after;
            this.retries = retries;
        }

        private static boolean isMint(Seen seen) {
            return seen.body().contains("agent_session_id=");
        }

        private static boolean isForKeys(Seen seen) {
            return seen.uri().startsWith("/.well-known/jwks.json");
        }

        /** Whether a proxy stands before the protected API. */
        boolean isSeenByTheUpstream() {
            return this == UPSTREAM || this == VERIFY;
        }

        boolean isControl() {
            return where == Where.STS || where == Where.COORDINATOR;
        }

        /** The operation's name in events. */
        String event() {
            return this == CLOSE ? "terminate" : name().toLowerCase(java.util.Locale.ROOT);
        }
    }

    /** The resources that all benches share. */
    static final class Shared {
        final EventLoopGroup loops = new MultiThreadIoEventLoopGroup(2, NioIoHandler.newFactory());
        final ConnectionProvider forwarding = ConnectionProvider.builder("fault-proxies")
                .maxConnections(500)
                .pendingAcquireMaxCount(-1)
                .build();
        final HttpClient forwarder = HttpClient.create(forwarding).runOn(loops).disableRetry(true);
        final SslContext trusting;
        final SslContext distrusting;
        final SslContext server;
        final FaultProxy elsewhere;

        Shared() {
            HeldCertificate authority =
                    new HeldCertificate.Builder().certificateAuthority(0).build();
            HeldCertificate stranger =
                    new HeldCertificate.Builder().certificateAuthority(0).build();
            HeldCertificate localhost = new HeldCertificate.Builder()
                    .commonName("localhost")
                    .addSubjectAlternativeName("localhost")
                    .signedBy(authority)
                    .build();
            try {
                trusting = SslContextBuilder.forClient()
                        .trustManager(authority.certificate())
                        .build();
                distrusting = SslContextBuilder.forClient()
                        .trustManager(stranger.certificate())
                        .build();
                server = SslContextBuilder.forServer(localhost.keyPair().getPrivate(), localhost.certificate())
                        .build();
            } catch (SSLException e) {
                throw new IllegalStateException(e);
            }
            WireFault.Answer taken =
                    WireFault.Answer.of(200, "{\"access_token\":\"stolen\"}".getBytes(StandardCharsets.UTF_8));
            elsewhere = new FaultProxy(
                    loops,
                    forwarder,
                    "http://127.0.0.1:1",
                    new Plan(null, taken, false, seen -> true, 0, Integer.MAX_VALUE),
                    null,
                    "");
        }

        String elsewhereUrl() {
            return "http://127.0.0.1:" + elsewhere.port();
        }

        FaultProxy proxy(String target, Plan plan) {
            boolean tls = plan.fault() != null && plan.fault().isTls();
            return new FaultProxy(loops, forwarder, target, plan, tls ? server : null, elsewhereUrl());
        }

        Mono<Void> close() {
            elsewhere.close();
            return forwarding.disposeLater().then(Mono.fromRunnable(() -> {
                // Without a quiet period the event loops may end before they close their connections.
                var unused = loops.shutdownGracefully(50, 2_000, TimeUnit.MILLISECONDS);
            }));
        }
    }

    final Op op;
    final Plan plan;
    final String application;
    final String resource;
    volatile LocalPlatform platform;
    final FaultProxy sts;
    final FaultProxy coordinator;
    final FaultProxy gateway;
    final FaultProxy upstream;
    final NettyHttpTransport transport;
    final ConnectionProvider pool;
    final HttpClient http;
    final Caracal caracal;
    final Queue<CaracalEvent> events = new ConcurrentLinkedQueue<>();
    private final JwksMandateVerifier verifier;
    private final AtomicReference<Duration> ago = new AtomicReference<>(Duration.ZERO);
    private final AtomicInteger keysFetched = new AtomicInteger();
    volatile ServiceAgent agent;
    volatile long arrivedWhenClosed;

    /**
     * Creates a client and puts the fault in its way.
     *
     * @param upstream the proxy before the protected API; {@code null} when there is none
     */
    Bench(
            Shared shared,
            LocalPlatform platform,
            Op op,
            Plan plan,
            String application,
            String resource,
            FaultProxy upstream) {
        this.op = op;
        this.plan = plan;
        this.application = application;
        this.resource = resource;
        this.platform = platform;
        this.upstream = upstream;
        sts = shared.proxy(platform.stsUrl(), op.where == Where.STS ? plan : Plan.none());
        coordinator = shared.proxy(platform.coordinatorUrl(), op.where == Where.COORDINATOR ? plan : Plan.none());
        gateway = shared.proxy(platform.gatewayUrl(), op.where == Where.GATEWAY ? plan : Plan.none());
        Supplier<SslContext> tls =
                () -> plan.fault() == WireFault.TLS_UNTRUSTED && spoiled().spoilsConnection()
                        ? shared.distrusting
                        : shared.trusting;
        Resolver resolver = new Resolver(() -> plan.fault() == WireFault.LOST_THEN_GONE
                ? spoiled().isMissed(op.retries)
                : plan.fault() == WireFault.DNS && spoiled().spoilsConnection());
        transport = NettyHttpTransport.builder()
                .sslContext(tls)
                .customize(client -> client.resolver(resolver))
                .build();
        pool = ConnectionProvider.builder("matrix").maxConnections(10).build();
        HttpClient user = HttpClient.create(pool).resolver(resolver);
        if (plan.fault() != null && plan.fault().isTls() && op.where == Where.GATEWAY) {
            SslContext context = plan.fault() == WireFault.TLS_UNTRUSTED ? shared.distrusting : shared.trusting;
            user = user.secure(spec -> spec.sslContext(context));
        }
        caracal = Caracal.create(CaracalConfig.builder()
                .zoneId(platform.zoneId())
                .applicationId(application)
                .clientSecret(SECRET)
                .stsUrl(url(Where.STS, sts))
                .coordinatorUrl(url(Where.COORDINATOR, coordinator))
                .gatewayUrl(url(Where.GATEWAY, gateway))
                .resource(resource, upstream == null ? platform.upstreamUrl() : url(Where.UPSTREAM, upstream), SCOPE)
                .coordinatorTimeout(PATIENCE)
                .stsTimeout(PATIENCE)
                .closeTimeout(PATIENCE)
                .disposeTimeout(PATIENCE)
                .transport(new Hasty())
                .build());
        Disposable unused = caracal.onEvent(events::add);
        // The keys come through the proxy; the issuer is the STS's own URL.
        verifier = VerifierClock.set(
                        caracal.mandateVerifier()
                                .issuer(platform.stsUrl())
                                .audience(resource)
                                .revocations(InMemoryRevocationStore.create()),
                        ago::get)
                .build();
        http = CaracalHttp.decorate(user, caracal);
    }

    private boolean isSlow() {
        return plan.fault() != null && plan.fault().isSlow();
    }

    private String url(Where where, FaultProxy proxy) {
        WireFault fault = op.where == where ? plan.fault() : null;
        if (fault != null && fault.isOfNames()) {
            return "http://caracal.invalid:" + proxy.port();
        }
        return fault != null && fault.isTls()
                ? "https://localhost:" + proxy.port()
                : "http://127.0.0.1:" + proxy.port();
    }

    /** The proxy with the fault. */
    FaultProxy spoiled() {
        return switch (op.where) {
            case STS -> sts;
            case COORDINATOR -> coordinator;
            case GATEWAY -> gateway;
            case UPSTREAM -> upstream;
        };
    }

    /** Shortens the time of the requests that wait in vain, and of no others. */
    private final class Hasty implements HttpTransport {
        private final AtomicInteger hurried = new AtomicInteger();

        @Override
        public Mono<HttpResponse> exchange(HttpRequest request) {
            return Mono.defer(() -> {
                if (Op.isForKeys(seen(request))) {
                    keysFetched.incrementAndGet();
                }
                return transport.exchange(
                        op.isControl()
                                        && isSlow()
                                        && ago.get().isZero()
                                        && op.hits.test(seen(request))
                                        && hurried.getAndIncrement() < plan.times()
                                ? new HttpRequest(
                                        request.method(),
                                        request.uri(),
                                        request.headers(),
                                        request.body(),
                                        IMPATIENCE,
                                        request.maxResponseBytes())
                                : request);
            });
        }

        private static Seen seen(HttpRequest request) {
            byte[] body = request.body();
            return new Seen(
                    request.method(),
                    request.uri().getRawPath(),
                    Map.of(),
                    body == null ? "" : new String(body, StandardCharsets.UTF_8));
        }

        @Override
        public Mono<Void> disposeLater() {
            return transport.disposeLater();
        }

        @Override
        public void dispose() {
            transport.dispose();
        }

        @Override
        public boolean isDisposed() {
            return transport.isDisposed();
        }
    }

    /** Finds every name at the loopback address, or none. */
    private static final class Resolver extends AddressResolverGroup<InetSocketAddress> {
        private final BooleanSupplier fails;

        Resolver(BooleanSupplier fails) {
            this.fails = fails;
        }

        @Override
        protected AddressResolver<InetSocketAddress> newResolver(EventExecutor executor) {
            return new InetNameResolver(executor) {
                @Override
                protected void doResolve(String name, Promise<InetAddress> promise) {
                    if (fails.getAsBoolean()) {
                        promise.setFailure(new UnknownHostException(name));
                    } else {
                        promise.setSuccess(InetAddress.getLoopbackAddress());
                    }
                }

                @Override
                protected void doResolveAll(String name, Promise<List<InetAddress>> promise) {
                    if (fails.getAsBoolean()) {
                        promise.setFailure(new UnknownHostException(name));
                    } else {
                        promise.setSuccess(List.of(InetAddress.getLoopbackAddress()));
                    }
                }
            }.asAddressResolver();
        }
    }

    /** The operation, as an application calls it. Emits the result of the caller: {@code ok}, or the status of an answer. */
    Mono<String> operate() {
        return switch (op) {
            case EXCHANGE -> caracal.headersAsApplication().map(headers -> "ok");
            case MINT -> caracal.spawn(session -> caracal.mintMandate(resource)).map(mandate -> "ok");
            case OPEN, CLOSE -> caracal.spawn(session -> Mono.just("ok"));
            case DELEGATE ->
                caracal.spawn(parent -> caracal.spawn(
                        SpawnOptions.builder()
                                .grant(Grant.narrow(SCOPE).resource(resource))
                                .build(),
                        child -> Mono.just("ok")));
            case RENEW -> {
                ServiceAgent known = agent;
                yield (known == null ? caracal.spawnService().doOnNext(a -> agent = a) : Mono.just(known))
                        .flatMap(ServiceAgent::heartbeat)
                        .map(lease -> "ok");
            }
            case ATTACH ->
                caracal.spawnService()
                        .doOnNext(a -> agent = a)
                        .flatMap(a -> caracal.attachService(a.agentSessionId()))
                        .map(attached -> "ok");
            case GATEWAY, UPSTREAM -> caracal.spawn(session -> call());
            case VERIFY -> caracal.spawn(session -> forwarded().flatMap(this::present));
        };
    }

    /** The bearer that the Gateway presents to the protected API for a call. */
    private Mono<String> forwarded() {
        return call().map(answer -> {
            List<Seen> calls = upstream.seen();
            return calls.get(calls.size() - 1).bearer();
        });
    }

    /** A request with this authorization comes in at a boundary with a verifier. */
    private Mono<String> present(String authorization) {
        Boundary boundary = Boundary.verified(verifier)
                .requiring(MandateRequirements.builder()
                        .scopes(SCOPE)
                        .session(true)
                        .build());
        return caracal.bindFromHeaders(Map.of("Authorization", authorization), boundary, caracal.current())
                .map(caller -> isOurs(caller) ? "ok" : "somebody else");
    }

    /** The keys are fetched at an earlier time, when the mandate was not valid yet; it is presented again now. */
    Mono<String> verifyLater(Duration age) {
        return caracal.spawn(session -> forwarded().flatMap(bearer -> {
            Mono<String> before = Mono.fromRunnable(() -> ago.set(age))
                    .then(present(bearer))
                    .onErrorResume(InboundException.class, tooEarly -> Mono.empty());
            return before.then(Mono.fromRunnable(() -> ago.set(Duration.ZERO))).then(present(bearer));
        }));
    }

    /** The operation of a client that is closed. */
    Mono<String> operateClosed() {
        return op == Op.VERIFY ? present("Bearer a.b.c") : operate();
    }

    private boolean isOurs(CaracalContext caller) {
        return caller.verifiedMandate().isPresent()
                && caller.applicationId().equals(application)
                && platform.sessions().stream()
                        .anyMatch(session -> session.applicationId().equals(application)
                                && session.id().equals(caller.agentSessionId()));
    }

    Mono<String> call() {
        GatewayRequest request = caracal.gatewayRequest(resource, "/echo");
        boolean waitsInVain = op == Op.GATEWAY && isSlow() && plan.fault() != WireFault.DRIP && gateway.isLoaded();
        Mono<String> call = http.responseTimeout(waitsInVain ? IMPATIENCE : PATIENCE)
                .headers(headers -> request.headers().forEach(headers::set))
                .get()
                .uri(request.url())
                .responseSingle((response, body) -> body.asByteArray()
                        .defaultIfEmpty(new byte[0])
                        .map(bytes -> {
                            int status = response.status().code();
                            Optional<GatewayError> error =
                                    GatewayError.from(status, response.responseHeaders()::get, bytes);
                            return status
                                    + error.map(e -> " " + e.origin() + " " + e.code())
                                            .orElse("");
                        }));
        // A response timeout sees no slow drip: there is always another byte.
        long before = gateway.count(seen -> true);
        return plan.fault() == WireFault.DRIP && op == Op.GATEWAY && gateway.isLoaded()
                ? call.timeout(until(() -> gateway.count(seen -> true) > before).then(Mono.delay(IMPATIENCE)))
                : call;
    }

    /** The operation with a restart in its middle, after which the platform is another one with the same applications. */
    Mono<String> operateAcross(LocalPlatform after) {
        Mono<String> restart = Mono.fromSupplier(() -> {
            platform = after;
            sts.retarget(after.stsUrl());
            coordinator.retarget(after.coordinatorUrl());
            gateway.retarget(after.gatewayUrl());
            return "restarted";
        });
        return switch (op) {
            case OPEN -> caracal.headersAsApplication().then(restart).then(operate());
            case CLOSE -> caracal.spawn(session -> restart.thenReturn("ok"));
            case DELEGATE -> caracal.spawn(parent -> restart.then(operate()));
            case RENEW, ATTACH -> {
                Mono<ServiceAgent> open = caracal.spawnService().doOnNext(a -> agent = a);
                yield open.flatMap(a -> restart.then(
                        op == Op.RENEW
                                ? a.heartbeat().map(lease -> "ok")
                                : caracal.attachService(a.agentSessionId()).map(attached -> "ok")));
            }
            case MINT -> {
                Mono<String> mint = caracal.mintMandate(resource).map(mandate -> "ok");
                yield caracal.spawn(session -> mint.then(restart).then(mint));
            }
            case VERIFY -> caracal.spawn(session -> forwarded().flatMap(old -> restart.then(present(old))));
            default -> caracal.spawn(session -> call().then(restart).then(call()));
        };
    }

    /** The requests of the operation that were tried, whether or not they were sent. */
    int attempts() {
        return switch (op) {
            case EXCHANGE ->
                (int) events.stream()
                        .filter(e -> e instanceof TokenExchange t && t.cache() == TokenExchange.Cache.MISS)
                        .count();
            case MINT ->
                (int) events.stream()
                        .filter(CaracalEvent.MandateMinted.class::isInstance)
                        .count();
            case VERIFY -> keysFetched.get();
            case GATEWAY -> (int) gateway.count(seen -> true);
            case UPSTREAM -> (int) upstream.count(seen -> true);
            default -> coordinatorAttempts(op.event());
        };
    }

    private int coordinatorAttempts(String operation) {
        return events.stream()
                .filter(CaracalEvent.CoordinatorCall.class::isInstance)
                .map(CaracalEvent.CoordinatorCall.class::cast)
                .filter(call -> operation.isEmpty() || call.operation().equals(operation))
                .mapToInt(CaracalEvent.CoordinatorCall::attempts)
                .sum();
    }

    /** How many requests to STS and Coordinator the events speak of; those for keys have none. */
    long accountedFor() {
        return coordinatorAttempts("")
                + events.stream()
                        .filter(e -> e instanceof CaracalEvent.MandateMinted
                                || (e instanceof TokenExchange t && t.cache() != TokenExchange.Cache.HIT))
                        .count();
    }

    long arrivedAtControl() {
        return sts.count(seen -> !Op.isForKeys(seen)) + coordinator.count(seen -> true);
    }

    Stream<FaultProxy> proxies() {
        return Stream.of(sts, coordinator, gateway, upstream).filter(proxy -> proxy != null);
    }

    long arrived() {
        return proxies().mapToLong(proxy -> proxy.count(seen -> true)).sum();
    }

    /** The connections of the client; those to the protected API are the Gateway's. */
    int connections() {
        return Stream.of(sts, coordinator, gateway).mapToInt(FaultProxy::open).sum();
    }

    /** How many requests at the Gateway carried a bearer that another one had carried before. */
    long bearersTwice() {
        List<String> bearers = gateway.seen().stream().map(Seen::bearer).toList();
        return bearers.size() - bearers.stream().distinct().count();
    }

    List<SessionSnapshot> sessions(LocalPlatform at) {
        return at.sessions().stream()
                .filter(session -> session.applicationId().equals(application))
                .toList();
    }

    /** The end of the client and of its resources, and of the requests that the platform still processes. */
    Mono<Void> end() {
        return Mono.fromRunnable(verifier::dispose)
                .then(caracal.disposeLater())
                .then(transport.disposeLater())
                .then(pool.disposeLater())
                .then(until(() -> proxies().allMatch(FaultProxy::isQuiet) && connections() == 0));
    }

    /** Completes when the condition holds, or after a generous time limit: the caller checks it again. */
    static Mono<Void> until(BooleanSupplier holds) {
        return Mono.delay(Duration.ofMillis(5))
                .repeat(() -> !holds.getAsBoolean())
                .take(Duration.ofSeconds(20))
                .then();
    }
}
