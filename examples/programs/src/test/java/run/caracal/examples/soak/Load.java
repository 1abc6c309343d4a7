package run.caracal.examples.soak;

import io.netty.buffer.ByteBuf;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.BiFunction;
import java.util.function.Function;
import org.reactivestreams.Publisher;
import org.springframework.http.client.reactive.ReactorClientHttpConnector;
import org.springframework.web.reactive.function.client.WebClient;
import reactor.core.Disposable;
import reactor.core.Disposables;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Scheduler;
import reactor.core.scheduler.Schedulers;
import reactor.netty.ByteBufFlux;
import reactor.netty.http.client.HttpClient;
import reactor.netty.http.server.HttpServerRequest;
import reactor.netty.http.server.HttpServerResponse;
import reactor.netty.resources.ConnectionProvider;
import reactor.util.context.ContextView;
import run.caracal.Boundary;
import run.caracal.Caracal;
import run.caracal.CaracalContext;
import run.caracal.DelegationSpec;
import run.caracal.FetchRequest;
import run.caracal.GatewayRequest;
import run.caracal.Grant;
import run.caracal.ServiceAgent;
import run.caracal.ServiceOptions;
import run.caracal.SpawnOptions;
import run.caracal.config.CaracalConfig;
import run.caracal.error.CaracalException;
import run.caracal.event.CaracalEvent;
import run.caracal.event.CaracalEvent.TokenExchange;
import run.caracal.event.Completion;
import run.caracal.netty.CaracalHttp;
import run.caracal.netty.CaracalHttpServer;
import run.caracal.netty.NettyHttpTransport;
import run.caracal.verify.InMemoryRevocationStore;
import run.caracal.verify.JwksMandateVerifier;
import run.caracal.verify.MandateRequirements;
import run.caracal.webflux.CaracalExchangeFilter;

/** Everything that an application does with the client, and the services that it holds meanwhile. */
final class Load {
    /** The key of the event loop of a call, in its Context. */
    private static final Object LOOP = new Object();

    /** The timeout of a request: only a stalled one reaches it. */
    private static final Duration PATIENCE = Duration.ofSeconds(10);

    /** The time limit for the end of a session or a client, with its retries. */
    private static final Duration END = Duration.ofSeconds(30);

    private static final Duration OFTEN = Duration.ofSeconds(2);

    /** When a client is closed in the midst of its work. */
    private static final Duration EARLY = Duration.ofMillis(50);

    private static final int CONNECTIONS = 16;

    /** The retries of a call that must succeed, when nothing is compiled yet or the machine is busy. */
    private static final int COLD = 5;

    /** How many services of each kind are held. */
    private static final int HELD = 3;

    /** The name of phases without faults. */
    static final String CALM = "calm";

    /** A request that keeps its connection for a while. */
    private static final String SLOW = "/slow?ms=200";

    /** The failure that the load wants. */
    private static final class Planned extends RuntimeException {
        private static final long serialVersionUID = 1L;

        Planned() {
            super("planned", null, false, false);
        }
    }

    private final FaultyPlatform platform;
    private final NettyHttpTransport transport;
    private final ConnectionProvider pool;
    private final Caracal caracal;
    private final HttpClient http;
    private final WebClient web;
    private final HttpClient asApplication;
    private final JwksMandateVerifier verifier;
    private final BiFunction<HttpServerRequest, HttpServerResponse, Publisher<Void>> inbound;

    /** Where clients are made, which reads the platform's trust store. */
    private final Scheduler maker = Schedulers.newBoundedElastic(1, 1_000, "soak-maker");

    private final List<ServiceAgent> held = new ArrayList<>();
    private final Disposable.Composite heartbeats = Disposables.composite();
    private final Map<String, LongAdder> counts = new ConcurrentHashMap<>();
    private String receiver;

    /**
     * Opens the client.
     *
     * @param inboundUrl where the requests arrive that {@link #inbound()} serves
     */
    Load(FaultyPlatform platform, String inboundUrl) {
        this.platform = platform;
        transport = NettyHttpTransport.builder()
                .maxConnections(CONNECTIONS)
                .acquireTimeout(END)
                .build();
        caracal = client(platform.config()
                .resource(FaultyPlatform.INBOUND, inboundUrl, FaultyPlatform.SCOPE)
                .transport(transport));
        pool = ConnectionProvider.builder("soak")
                .maxConnections(CONNECTIONS)
                .pendingAcquireTimeout(END)
                .pendingAcquireMaxCount(-1)
                .maxIdleTime(NettyHttpTransport.MAX_IDLE_TIME)
                .build();
        HttpClient plain = plain();
        http = CaracalHttp.decorate(plain, caracal);
        web = WebClient.builder()
                .clientConnector(new ReactorClientHttpConnector(plain))
                .filter(CaracalExchangeFilter.create(caracal))
                .build();
        asApplication =
                CaracalHttp.decorate(plain, caracal.applicationTransport(FaultyPlatform.BILLING, FaultyPlatform.SCOPE));
        verifier = caracal.mandateVerifier()
                .audience(FaultyPlatform.INBOUND)
                .revocations(InMemoryRevocationStore.create())
                .build();
        Boundary boundary = Boundary.verified(verifier)
                .requiring(MandateRequirements.builder()
                        .scopes(FaultyPlatform.SCOPE)
                        .session(true)
                        .build());
        inbound = CaracalHttpServer.boundary(
                caracal,
                boundary,
                (request, response) -> response.sendString(
                        caracal.current().map(caller -> caller.verifiedMandate().isPresent() ? "proven" : "somebody")));
    }

    private Caracal client(CaracalConfig.Builder config) {
        Caracal client =
                Caracal.create(config.resource(FaultyPlatform.BILLING, platform.upstreamUrl(), FaultyPlatform.SCOPE)
                        .coordinatorTimeout(PATIENCE)
                        .stsTimeout(PATIENCE)
                        .closeTimeout(END)
                        .disposeTimeout(END)
                        .build());
        Disposable unused = client.onOperation(this::account);
        return client;
    }

    /** The counts by name. */
    Map<String, Long> counts() {
        Map<String, Long> all = new TreeMap<>();
        counts.forEach((name, count) -> all.put(name, count.sum()));
        return all;
    }

    long count(String name) {
        LongAdder count = counts.get(name);
        return count == null ? 0 : count.sum();
    }

    private void add(String name, long more) {
        counts.computeIfAbsent(name, n -> new LongAdder()).add(more);
    }

    /** Every request to STS and Coordinator is one of an event. */
    private void account(CaracalEvent event, ContextView context) {
        if (event instanceof CaracalEvent.CoordinatorCall call) {
            add("accounted", call.attempts());
        } else if (event instanceof CaracalEvent.MandateMinted
                || (event instanceof TokenExchange exchange && exchange.cache() != TokenExchange.Cache.HIT)) {
            add("accounted", 1);
        } else if (event instanceof CaracalEvent.SessionOpened open && open.agentSessionId() != null) {
            add("opened", 1);
        } else if (event instanceof CaracalEvent.SessionClosed closed) {
            add("closed", 1);
            if (closed.completion().outcome() == Completion.Outcome.FAILURE) {
                add("closed in vain", 1);
            }
        } else if (event instanceof CaracalEvent.LeaseRenewed) {
            add("renewals", 1);
        } else if (event instanceof CaracalEvent.LeaseLost lost) {
            add("lost." + lost.reason(), 1);
        }
    }

    /** The handler of {@link FaultyPlatform#INBOUND}, which lets in callers with a proven mandate. */
    BiFunction<HttpServerRequest, HttpServerResponse, Publisher<Void>> inbound() {
        return inbound;
    }

    /**
     * The services that are held from now on, with all their helpers.
     *
     * @return how many sessions that makes
     */
    int hold() {
        ServiceOptions renewed =
                ServiceOptions.builder().heartbeatInterval(OFTEN).build();
        Grant.Narrow narrow = narrow(1).ttl(Duration.ofMinutes(2));
        ServiceOptions narrowed = ServiceOptions.builder().grant(narrow).build();
        for (int i = 0; i < HELD; i++) {
            held.add(open(ServiceOptions.defaults(), null));
            held.add(open(ServiceOptions.defaults(), OFTEN));
            held.add(open(renewed, OFTEN));
            held.add(open(narrowed, null));
        }
        for (ServiceAgent agent : held) {
            agent.bind(get(http)).retry(COLD).block();
        }
        get(asApplication).retry(COLD).block();
        // A session with received authority can delegate only parts of it, so the receiver makes no calls.
        receiver = open(renewed, OFTEN).agentSessionId();
        // Each that calls has a helper, or a holder, and the application has two sessions of its own.
        return 2 * held.size() + 2 + 1;
    }

    private ServiceAgent open(ServiceOptions options, Duration interval) {
        ServiceAgent agent =
                caracal.spawnService(options).retry(COLD).blockOptional().orElseThrow();
        heartbeats.add((interval == null ? agent.heartbeats() : agent.heartbeats(interval))
                .subscribe(lease -> add("heartbeats", 1), e -> add("heartbeats.ended", 1)));
        return agent;
    }

    /** Whether each service that is held has its lease. */
    boolean isHeld() {
        return held.stream().allMatch(agent -> agent.state() == ServiceAgent.State.ACTIVE);
    }

    /** The end of it all. */
    Mono<Void> end() {
        return Mono.fromRunnable(heartbeats::dispose)
                .then(caracal.disposeLater())
                .then(Mono.fromRunnable(verifier::dispose))
                .then(transport.disposeLater())
                .then(pool.disposeLater())
                // Shutting a thread pool down may wait for a lock, and the pool of connections ends on an event loop.
                .then(Mono.defer(maker::disposeGracefully).subscribeOn(Schedulers.boundedElastic()));
    }

    /**
     * One operation, chosen at once and run on subscription. Its unplanned failures are counted by phase.
     */
    Mono<Void> operation(Random random, String phase) {
        boolean limited = random.nextInt(8) == 0;
        Duration limit = Duration.ofMillis(1 + random.nextInt(80));
        Mono<?> operation = operation(random);
        // The limit expires before the timeout of a request. A materialized error that races with it is not dropped.
        Mono<?> work = limited ? operation.materialize().timeout(limit).dematerialize() : operation;
        return work.then()
                .onErrorResume(e -> {
                    boolean planned = e instanceof Planned || (limited && e instanceof TimeoutException);
                    return planned ? Mono.empty() : counted(phase, e);
                })
                .doFinally(end -> add("operations", 1));
    }

    private Mono<Void> counted(String phase, Throwable error) {
        String name = "error." + phase + "." + kind(error);
        add(name, 1);
        if (phase.equals(CALM) && count(name) == 1) {
            System.out.println("  unexpected: " + error);
        }
        return Mono.empty();
    }

    private static String kind(Throwable error) {
        Throwable root = error;
        while (!(root instanceof CaracalException) && root.getCause() != null) {
            root = root.getCause();
        }
        return root.getClass().getSimpleName() + (root instanceof CaracalException e ? "_" + e.code() : "");
    }

    private Mono<?> operation(Random random) {
        return switch (random.nextInt(18)) {
            case 0, 1 -> caracal.spawn(session -> get(http));
            case 2 -> caracal.spawn(session -> getWeb("/echo"));
            case 3 -> caracal.spawn(session -> post().retry(1).repeat(2).then());
            case 4 -> caracal.spawn(parent -> caracal.spawn(child -> caracal.spawn(grandchild -> get(http))));
            case 5 -> caracal.spawn(parent -> narrowed(3, child -> narrowed(2, grandchild -> getWeb("/echo"))));
            case 6 -> caracal.spawn(source -> caracal.delegate(toTheReceiver(), delegated -> get(http)));
            case 7 -> caracal.spawn(session -> fetch());
            case 8 ->
                serviced(agent ->
                        agent.heartbeats().mergeWith(agent.heartbeat()).next().then(agent.bind(get(http))));
            case 9 -> serviced(agent -> agent.heartbeats(Duration.ofSeconds(1)).next());
            case 10 ->
                caracal.runService(
                                ServiceOptions.builder()
                                        .heartbeatInterval(OFTEN)
                                        .build(),
                                agent -> agent.bind(fetch()))
                        .then();
            case 11 ->
                serviced(agent -> Mono.usingWhen(
                        caracal.attachService(agent.agentSessionId()),
                        ServiceAgent::heartbeat,
                        ServiceAgent::disposeLater));
            case 12 -> get(asApplication);
            case 13 -> caracal.spawn(session -> getProven());
            case 14 -> caracal.spawn(session -> caracal.headers().flatMap(this::received));
            case 15 -> caracal.spawnMany(session -> lines()).take(3).then();
            case 16 ->
                caracal.spawn(session -> caracal.mintMandate(FaultyPlatform.BILLING)
                        .then(caracal.describeAuthority())
                        .then(Mono.error(new Planned())));
            default -> byAHeldOne(random.nextInt(held.size()));
        };
    }

    /** Enough concurrent calls to fill all connection pools, after faults have closed connections. */
    Mono<Void> crowd() {
        ServiceAgent agent = held.get(0);
        return Flux.range(0, 2 * CONNECTIONS)
                .flatMap(
                        i -> Flux.merge(
                                caracal.spawn(session -> Mono.empty()),
                                agent.bind(caracal.mintMandate(FaultyPlatform.BILLING)),
                                agent.bind(answer(caracal, http, FaultyPlatform.BILLING, SLOW)),
                                agent.bind(getWeb(SLOW)),
                                answer(caracal, asApplication, FaultyPlatform.BILLING, SLOW)),
                        2 * CONNECTIONS)
                .then()
                .retry(COLD)
                .onErrorResume(e -> counted(CALM, e));
    }

    /** A client of its own, from its creation to its end. */
    Mono<Void> client(Random random, String phase) {
        boolean ended = random.nextBoolean();
        return Mono.usingWhen(
                        Mono.fromCallable(() -> client(platform.config())).subscribeOn(maker),
                        client -> {
                            HttpClient own = CaracalHttp.decorate(plain(), client);
                            Mono<Void> work = client.spawn(session -> get(client, own))
                                    .then(client.spawnService(ServiceOptions.builder()
                                            .heartbeatInterval(OFTEN)
                                            .build()))
                                    .flatMap(ServiceAgent::heartbeat)
                                    .then();
                            return ended ? work.take(EARLY) : work;
                        },
                        Caracal::disposeLater)
                .onErrorResume(e -> counted(phase, e))
                .doFinally(end -> add("clients", 1));
    }

    private static Grant.Narrow narrow(int hops) {
        return Grant.narrow(FaultyPlatform.SCOPE)
                .resource(FaultyPlatform.BILLING)
                .constraints(constraints -> constraints.maxHops(hops));
    }

    private Mono<Void> narrowed(int hops, Function<CaracalContext, Mono<Void>> work) {
        return caracal.spawn(SpawnOptions.builder().grant(narrow(hops)).build(), work);
    }

    private DelegationSpec toTheReceiver() {
        return DelegationSpec.builder()
                .to(receiver, FaultyPlatform.APPLICATION)
                .scopes(FaultyPlatform.SCOPE)
                .resource(FaultyPlatform.BILLING)
                .ttl(Duration.ofMinutes(1))
                .build();
    }

    private Mono<?> serviced(Function<ServiceAgent, Mono<?>> work) {
        return Mono.usingWhen(caracal.spawnService(), work, ServiceAgent::disposeLater);
    }

    private Mono<Void> byAHeldOne(int index) {
        return Mono.defer(() -> {
            ServiceAgent agent = held.get(index);
            return agent.bind(get(http));
        });
    }

    private HttpClient plain() {
        return HttpClient.create(pool)
                .responseTimeout(PATIENCE)
                .doOnRequest((request, connection) -> request.currentContextView()
                        .<AtomicReference<Executor>>getOrEmpty(LOOP)
                        .ifPresent(loop -> loop.set(connection.channel().eventLoop())));
    }

    /**
     * Cancels a call on the event loop of its connection. On another thread the cancel may meet the arrival of the answer, whose
     * buffer Reactor Netty then leaks.
     */
    private static <T> Mono<T> onItsLoop(Mono<T> call) {
        return Mono.defer(() -> {
            AtomicReference<Executor> loop = new AtomicReference<>(Runnable::run);
            return call.cancelOn(Schedulers.fromExecutor(task -> loop.get().execute(task)))
                    .contextWrite(context -> context.put(LOOP, loop));
        });
    }

    private Mono<Void> get(HttpClient client) {
        return get(caracal, client);
    }

    private static Mono<Void> get(Caracal caracal, HttpClient client) {
        return answer(caracal, client, FaultyPlatform.BILLING, "/echo").then();
    }

    private static Mono<String> answer(Caracal caracal, HttpClient client, String resource, String path) {
        GatewayRequest request = caracal.gatewayRequest(resource, path);
        return onItsLoop(client.headers(headers -> request.headers().forEach(headers::set))
                .get()
                .uri(request.url())
                .responseSingle((response, body) -> body.asString()));
    }

    private Mono<String> post() {
        GatewayRequest request = caracal.gatewayRequest(FaultyPlatform.BILLING, "/charge");
        return onItsLoop(http.headers(headers -> request.headers().forEach(headers::set))
                .post()
                .uri(request.url())
                .send(ByteBufFlux.fromString(Mono.just("{\"amount\": 1200}")))
                .responseSingle((response, body) -> body.asString()));
    }

    private Flux<Integer> lines() {
        GatewayRequest request = caracal.gatewayRequest(FaultyPlatform.BILLING, "/stream?count=10&ms=10");
        return http.headers(headers -> request.headers().forEach(headers::set))
                .get()
                .uri(request.url())
                .response((response, body) -> body.map(ByteBuf::readableBytes));
    }

    /** By the address to which the resource is bound. */
    private Mono<Void> getWeb(String path) {
        return onItsLoop(web.get()
                .uri(URI.create(platform.upstreamUrl() + path))
                .exchangeToMono(response -> response.bodyToMono(byte[].class).then()));
    }

    private Mono<?> fetch() {
        return caracal.fetch(FetchRequest.builder(FaultyPlatform.BILLING, "/charge")
                .json("{\"amount\": 1200}")
                .timeout(PATIENCE)
                .build());
    }

    private Mono<Void> getProven() {
        return answer(caracal, http, FaultyPlatform.INBOUND, "/who")
                .doOnNext(who -> add("inbound." + who, 1))
                .then();
    }

    /** A request with the headers of a session arrives, and its handler has a session of its own. */
    private Mono<Void> received(Map<String, String> headers) {
        return caracal.bindFromHeaders(
                headers,
                Boundary.propagationOnly(),
                caracal.current().flatMap(caller -> caracal.spawn(own -> get(http))));
    }
}
