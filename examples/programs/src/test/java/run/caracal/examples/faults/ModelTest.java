package run.caracal.examples.faults;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import java.io.IOException;
import java.nio.channels.NotYetConnectedException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import javax.net.ssl.SSLException;
import org.junit.jupiter.api.Test;
import reactor.core.Disposable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;
import reactor.netty.http.client.HttpClient;
import reactor.netty.resources.ConnectionProvider;
import reactor.test.StepVerifier;
import run.caracal.Caracal;
import run.caracal.CaracalContext;
import run.caracal.DelegationSpec;
import run.caracal.GatewayRequest;
import run.caracal.Grant;
import run.caracal.ServiceAgent;
import run.caracal.ServiceOptions;
import run.caracal.SpawnOptions;
import run.caracal.config.CaracalConfig;
import run.caracal.error.CoordinatorException;
import run.caracal.error.StsException;
import run.caracal.error.TransportException;
import run.caracal.event.CaracalEvent;
import run.caracal.event.CaracalEvent.TokenExchange;
import run.caracal.netty.CaracalHttp;
import run.caracal.netty.NettyHttpTransport;
import run.caracal.platform.Fault;
import run.caracal.platform.GatewayMode;
import run.caracal.platform.LocalPlatform;
import run.caracal.platform.PlatformLimits;
import run.caracal.platform.ProtectedResource;
import run.caracal.platform.ReceivedRequest;
import run.caracal.platform.Service;
import run.caracal.platform.SessionSnapshot;
import run.caracal.test.Progress;

/**
 * Random schedules of everything the client does, with faults, cancellations and time limits in between, against a model
 * that only knows which sessions have to be open when all is quiet. A seed gives the schedule; how its pipelines interleave
 * is up to the machine, and no check depends on it. {@code -Dcaracal.model.seeds=5000} runs more schedules,
 * {@code -Dcaracal.model.seed=17} runs one again.
 */
class ModelTest {
    private static final String SECRET = "secret-of-the-model";
    private static final String SCOPE = "billing:charge";
    private static final int SEEDS = 200;
    private static final int AT_ONCE = 16;

    /** The time limit of one schedule on a busy machine. */
    private static final Duration SCHEDULE_LIMIT = Duration.ofMinutes(2);

    /** How long the platform may take to read a request that was on its way when the client was closed. */
    private static final Duration LATE = Duration.ofMillis(250);

    private static final int ROUNDS = 2;
    private static final int PIPELINES = 3;
    private static final int DEEPEST = 3;
    private static final Pattern AGENT = Pattern.compile("\"agent_session_id\":\"([^\"]+)\"");
    private static final Pattern SOURCE = Pattern.compile("\"source_session_id\":\"([^\"]+)\"");
    private static final Pattern CLIENT = Pattern.compile("\"client_id\":\"([^\"]+)\"");
    private static final Pattern APPLICATION = Pattern.compile("(?:^|&)application_id=([^&]+)");
    private static final Pattern TAG = Pattern.compile("[?&]tag=([^&]+)");
    private static final Pattern MEMBER = Pattern.compile("caracal\\.agent_session=([^,;]+)");

    private final Map<String, Model> models = new ConcurrentHashMap<>();
    private final Set<String> bearers = ConcurrentHashMap.newKeySet();
    private final Queue<String> wrong = new ConcurrentLinkedQueue<>();
    private final AtomicLong steps = new AtomicLong();

    /** Not used, and read once: each client of its own would read the platform's trust store. */
    private final SslContext tls = tls();

    @Test
    void whateverHappensNothingIsLeftAndNoIdentityIsMixedUp() {
        Integer only = Integer.getInteger("caracal.model.seed");
        int count = Integer.getInteger("caracal.model.seeds", SEEDS);
        List<Integer> seeds = only == null ? IntStream.range(0, count).boxed().toList() : List.of(only);
        LocalPlatform.Builder builder = LocalPlatform.builder()
                .gatewayMode(GatewayMode.ONE_SHOT)
                .limits(PlatformLimits.builder()
                        .sessionsPerZone(100_000)
                        .childrenPerSession(1_000)
                        .coordinatorRequestsPerMinute(Integer.MAX_VALUE)
                        .mintsPerMinute(Integer.MAX_VALUE)
                        .idempotencyReceipts(1_000_000)
                        .recordedRequests(10)
                        .auditEvents(10)
                        .build());
        for (int seed : seeds) {
            builder = builder.application(application(seed), SECRET)
                    .resource(ProtectedResource.of(resource(seed), SCOPE).withOwner(application(seed)));
        }
        LocalPlatform platform = builder.start();
        for (Service service : List.of(Service.STS, Service.COORDINATOR, Service.GATEWAY, Service.UPSTREAM)) {
            platform.faults(service, this::decide);
        }
        Progress progress = new Progress("schedules", seeds.size());
        Mono<Void> all = Flux.fromIterable(seeds)
                .flatMap(
                        seed -> Mono.defer(() -> new Model(platform, seed).run())
                                .subscribeOn(Schedulers.boundedElastic())
                                .timeout(SCHEDULE_LIMIT)
                                .onErrorResume(e -> {
                                    fault(seed, "it did not end: " + e);
                                    return Mono.empty();
                                })
                                .thenReturn(seed),
                        AT_ONCE)
                .doOnNext(seed -> progress.step())
                .then();
        StepVerifier.create(all).expectComplete().verify(SCHEDULE_LIMIT.plusSeconds(seeds.size()));
        models.values().forEach(Model::checkNothingCameAfterTheClose);
        StepVerifier.create(platform.disposeLater()).expectComplete().verify(Duration.ofSeconds(30));
        assertThat(wrong).as("in %s steps of %s schedules", steps, seeds.size()).isEmpty();
        assertThat(steps.get()).isGreaterThan(seeds.size() * 10L);
    }

    private static SslContext tls() {
        try {
            return SslContextBuilder.forClient().build();
        } catch (SSLException e) {
            throw new IllegalStateException(e);
        }
    }

    private static String application(int seed) {
        return "app-" + seed;
    }

    private static String resource(int seed) {
        return "resource://billing-" + seed;
    }

    private void fault(int seed, String what) {
        wrong.add("seed " + seed + ": " + what + "; again with: mvn -o -pl examples -am test -Dtest=ModelTest"
                + " -Dsurefire.failIfNoSpecifiedTests=false -Dcaracal.model.seed=" + seed);
    }

    /** Every request of every client passes here. */
    private Fault decide(ReceivedRequest request) {
        String claims = request.bearer().map(ModelTest::claims).orElse("");
        String application =
                request.service() == Service.STS ? find(APPLICATION, request.body()) : find(CLIENT, claims);
        Model model = models.get(application);
        if (model == null) {
            wrong.add("a request of an unknown application: " + request);
            return Fault.none();
        }
        return model.decide(request, claims);
    }

    private static String claims(String bearer) {
        String[] parts = bearer.split("\\.", -1);
        return parts.length == 3 ? new String(Base64.getUrlDecoder().decode(parts[1]), StandardCharsets.UTF_8) : "";
    }

    private static String find(Pattern pattern, String text) {
        Matcher matcher = pattern.matcher(text);
        return matcher.find() ? matcher.group(1) : "";
    }

    /** The session and trace of a call at the time of the call. */
    private record Tagged(String session, String trace) {}

    /** The failure that a schedule wants. */
    private static final class Planned extends RuntimeException {
        private static final long serialVersionUID = 1L;

        Planned() {
            super("planned", null, false, false);
        }
    }

    /** One schedule: a client, the users who share it, and the services that are meant to be open. */
    private final class Model {
        private final LocalPlatform platform;
        private final int seed;
        private final String application;
        private final String resource;
        private final Random random;
        private final Random faults;
        private final NettyHttpTransport transport;
        private final int limit;
        private final Caracal caracal;
        private final ConnectionProvider pool;
        private final HttpClient http;
        private final Map<String, ServiceAgent> held = new ConcurrentHashMap<>();
        private final Queue<ServiceAgent> fenced = new ConcurrentLinkedQueue<>();
        private final Queue<CaracalEvent> events = new ConcurrentLinkedQueue<>();
        private final Map<String, Tagged> tags = new ConcurrentHashMap<>();
        private final Map<String, String> atGateway = new ConcurrentHashMap<>();
        private final Set<String> struck = ConcurrentHashMap.newKeySet();
        private final AtomicInteger arrived = new AtomicInteger();
        private final AtomicInteger atControl = new AtomicInteger();
        private final AtomicInteger nextTag = new AtomicInteger();
        private volatile String receiver = "";
        private volatile int arrivedWhenClosed;
        private volatile boolean cancelled;

        Model(LocalPlatform platform, int seed) {
            this.platform = platform;
            this.seed = seed;
            this.application = application(seed);
            this.resource = resource(seed);
            this.random = new Random(seed);
            this.faults = new Random(~seed);
            models.put(application, this);
            transport = NettyHttpTransport.builder().sslContext(() -> tls).build();
            CaracalConfig.Builder config = CaracalConfig.builder()
                    .zoneId(platform.zoneId())
                    .applicationId(application)
                    .clientSecret(SECRET)
                    .stsUrl(platform.stsUrl())
                    .coordinatorUrl(platform.coordinatorUrl())
                    .gatewayUrl(platform.gatewayUrl())
                    .resource(resource, platform.upstreamUrl(), SCOPE)
                    .closeTimeout(Duration.ofSeconds(20))
                    .disposeTimeout(Duration.ofSeconds(20))
                    .transport(transport);
            // Room for all services and a nest of the deepest kind, and not for all that is wanted at once.
            limit = seed % 2 == 0 ? Integer.MAX_VALUE : 24 + seed % 9;
            caracal = Caracal.create((seed % 2 == 0 ? config : config.maxOpenSessions(limit)).build());
            Disposable unused = caracal.onEvent(events::add);
            // All users of the client take turns on one connection.
            pool = ConnectionProvider.builder("model")
                    .maxConnections(1)
                    .pendingAcquireTimeout(SCHEDULE_LIMIT)
                    .pendingAcquireMaxCount(-1)
                    .build();
            http = CaracalHttp.decorate(HttpClient.create(pool), caracal);
        }

        Mono<Void> run() {
            // A session with received authority can delegate only parts of it, so the receiver makes no calls.
            Mono<Void> receives = caracal.spawnService()
                    .retry(5)
                    .doOnNext(agent -> {
                        receiver = agent.agentSessionId();
                        held.put(receiver, agent);
                    })
                    .then();
            Mono<Void> rounds = Flux.range(0, ROUNDS)
                    .concatMap(round -> round().then(Mono.defer(this::quiet)))
                    .then();
            return receives.then(rounds)
                    .then(Mono.defer(caracal::disposeLater))
                    .then(transport.disposeLater())
                    .then(pool.disposeLater())
                    .then(Bench.until(() -> open().isEmpty()))
                    // The platform still reads requests that were cancelled after they had left.
                    .then(Mono.defer(() -> cancelled ? Mono.delay(LATE) : Mono.empty()))
                    .then(Mono.fromRunnable(this::checkTheEnd));
        }

        /** Pipelines of several users and one thing for each service, at once. */
        private Mono<Void> round() {
            List<Mono<Void>> actions = new ArrayList<>();
            for (int i = 0; i < PIPELINES; i++) {
                actions.add(pipeline());
            }
            for (ServiceAgent agent : held.values()) {
                actions.add(service(agent));
            }
            if (random.nextInt(3) == 0) {
                actions.add(caracal.spawnService()
                        .doOnNext(agent -> held.put(agent.agentSessionId(), agent))
                        .then());
            }
            if (random.nextInt(4) == 0) {
                actions.add(limited(
                        caracal.runService(ServiceOptions.builder().build(), agent -> work(agent.context(), DEEPEST))
                                .then()));
            }
            return Flux.fromIterable(actions)
                    .flatMap(action -> action.onErrorResume(this::explained), Integer.MAX_VALUE)
                    .then();
        }

        /** The work of one user, in a trace of its own. */
        private Mono<Void> pipeline() {
            byte[] trace = new byte[16];
            random.nextBytes(trace);
            trace[0] = 1;
            SpawnOptions options = SpawnOptions.builder()
                    .traceId(HexFormat.of().formatHex(trace))
                    .build();
            Mono<Void> root = caracal.spawn(options, context -> work(context, 0));
            return switch (random.nextInt(4)) {
                case 0 -> limited(root);
                case 1 -> root.retry(1);
                default -> root;
            };
        }

        /** Gone after a while, wherever it is then. */
        private Mono<Void> limited(Mono<Void> work) {
            Duration limit = Duration.ofMillis(1 + random.nextInt(60));
            // As a value, the error that meets the limit is not one that this schedule drops.
            return work.doOnCancel(() -> cancelled = true)
                    .materialize()
                    .timeout(limit)
                    .dematerialize();
        }

        private Mono<Void> work(CaracalContext context, int depth) {
            List<Mono<Void>> parts = new ArrayList<>();
            int count = 1 + random(3);
            for (int i = 0; i < count; i++) {
                parts.add(step(context, depth));
            }
            return random(3) == 0
                    ? Mono.when(parts).doOnError(e -> cancelled = true)
                    : Flux.concat(parts).then();
        }

        private Mono<Void> step(CaracalContext context, int depth) {
            steps.incrementAndGet();
            int choice = random(depth < DEEPEST ? 12 : 6);
            return switch (choice) {
                case 0, 1, 2 -> call(context);
                case 3 -> call(context).retry(2);
                case 4 ->
                    random(4) == 0
                            ? Mono.error(new Planned())
                            : Mono.delay(Duration.ofMillis(random(5))).then();
                case 5 -> caracal.mintMandate(resource).then();
                case 6 -> delegated();
                case 7 -> limited(child(Grant.inherit(), depth));
                case 8, 9 ->
                    child(Grant.narrow(SCOPE).resource(resource).constraints(c -> c.maxHops(9 - depth)), depth);
                default -> child(Grant.inherit(), depth);
            };
        }

        private Mono<Void> child(Grant grant, int depth) {
            return caracal.spawn(SpawnOptions.builder().grant(grant).build(), context -> work(context, depth + 1));
        }

        /** The work under the derived context is still that of the session which delegates. */
        private Mono<Void> delegated() {
            DelegationSpec spec = DelegationSpec.builder()
                    .to(receiver, application)
                    .scopes(SCOPE)
                    .resource(resource)
                    .ttl(Duration.ofSeconds(60))
                    .build();
            return caracal.delegate(spec, derived -> call(derived));
        }

        private Mono<Void> call(CaracalContext context) {
            return Mono.defer(() -> {
                String tag = "t" + nextTag.incrementAndGet();
                tags.put(tag, new Tagged(context.agentSessionId(), context.traceId()));
                GatewayRequest request = caracal.gatewayRequest(resource, "/echo?tag=" + tag);
                // Elsewhere a cancel may meet the arrival of the answer, or its aggregation, and Reactor Netty then
                // loses it.
                AtomicReference<Executor> loop = new AtomicReference<>(Runnable::run);
                AtomicBoolean gone = new AtomicBoolean();
                return http.doOnRequest((sent, connection) -> {
                            loop.set(connection.channel().eventLoop());
                            if (gone.get()) {
                                connection.dispose();
                            }
                        })
                        .headers(headers -> request.headers().forEach(headers::set))
                        .get()
                        .uri(request.url())
                        .responseSingle((response, body) -> body.asString().thenReturn(""))
                        .then()
                        .cancelOn(Schedulers.fromExecutor(task -> {
                            gone.set(true);
                            loop.get().execute(task);
                        }));
            });
        }

        private Mono<Void> service(ServiceAgent agent) {
            String id = agent.agentSessionId();
            steps.incrementAndGet();
            return switch (id.equals(receiver) ? 0 : random.nextInt(5)) {
                case 0, 1 -> agent.heartbeat().then();
                case 2 -> agent.bind(call(agent.context()));
                case 3 ->
                    caracal.attachService(id)
                            .doOnNext(taken -> {
                                held.put(id, taken);
                                fenced.add(agent);
                            })
                            .then();
                default -> agent.disposeLater().then(Mono.fromRunnable(() -> held.remove(id)));
            };
        }

        private synchronized int random(int bound) {
            return random.nextInt(bound);
        }

        /** Accepts the errors that the schedule and the faults may cause, and no others. */
        private Mono<Void> explained(Throwable error) {
            boolean expected = error instanceof Planned
                    || error instanceof TimeoutException
                    || error instanceof TransportException
                    || error instanceof IOException
                    // Netty's native transport throws it if a connection is reset while it is being read.
                    || error instanceof NotYetConnectedException
                    || (error instanceof StsException refused && refused.httpStatus() == 503)
                    // A renewal is not tried again by itself.
                    || (error instanceof CoordinatorException refused
                            && refused.httpStatus() == 503
                            && refused.operation().endsWith("/heartbeat"));
            if (!expected) {
                fault(seed, "an error that nothing explains: " + error);
            }
            return Mono.empty();
        }

        /**
         * At most every second request for one thing is struck: each operation may then be tried once more, and has to come
         * through. Only exchanges, mints and calls, which are never tried again, fail.
         */
        Fault decide(ReceivedRequest request, String claims) {
            arrived.incrementAndGet();
            switch (request.service()) {
                case STS, COORDINATOR -> {
                    atControl.incrementAndGet();
                    int open = limit == Integer.MAX_VALUE ? 0 : open().size();
                    if (open > limit) {
                        fault(seed, open + " sessions are open, and the client may open " + limit);
                    }
                }
                case GATEWAY -> atGateway(request, claims);
                default -> {
                    atUpstream(request, claims);
                    return Fault.none();
                }
            }
            String thing = request.service()
                    + request.method()
                    + request.path()
                    + request.header("idempotency-key").orElse("");
            if (struck.remove(thing)) {
                return Fault.none();
            }
            int roll;
            synchronized (faults) {
                roll = faults.nextInt(40);
            }
            Fault fault = switch (roll) {
                case 0 -> Fault.resetBefore();
                case 1 -> Fault.dropResponse();
                case 2 -> Fault.respond(503, Map.of(), "{\"error\":\"sts_unavailable\"}");
                case 3, 4 -> Fault.delay(Duration.ofMillis(20));
                case 5, 6 -> Fault.delayResponse(Duration.ofMillis(20));
                default -> Fault.none();
            };
            if (roll <= 2) {
                struck.add(thing);
            }
            return fault;
        }

        private void atGateway(ReceivedRequest request, String claims) {
            String bearer = request.bearer().orElse("");
            if (!bearers.add(bearer)) {
                fault(seed, "a bearer came twice");
            }
            String tag = find(TAG, request.uri());
            Tagged own = tags.get(tag);
            String acting = find(AGENT, claims);
            if (own == null) {
                fault(seed, "a call without a tag: " + request);
                return;
            }
            String member = find(MEMBER, request.header("baggage").orElse(""));
            String trace = request.header("traceparent").orElse("");
            // The session itself under its delegation, or a helper with a delegation from that session.
            boolean itsOwn =
                    acting.equals(own.session()) || find(SOURCE, claims).equals(own.session());
            if (!itsOwn || !member.equals(acting) || !trace.contains(own.trace())) {
                fault(seed, "the call " + tag + " of " + own + " came as " + acting + ", " + member + ", " + trace);
            }
            atGateway.put(tag, acting);
        }

        private void atUpstream(ReceivedRequest request, String claims) {
            String tag = find(TAG, request.uri());
            if (!find(AGENT, claims).equals(atGateway.get(tag))) {
                fault(seed, "the call " + tag + " reached the resource as another session");
            }
        }

        private List<SessionSnapshot> open() {
            return platform.sessions().stream()
                    .filter(session -> session.applicationId().equals(application))
                    .toList();
        }

        /** The open sessions, except for the helpers of services. */
        private Set<String> sessions() {
            return open().stream()
                    .filter(session -> !(session.metadata().containsKey("holds_authority_for")
                            && session.parentId() != null
                            && held.containsKey(session.parentId())))
                    .map(SessionSnapshot::id)
                    .collect(Collectors.toCollection(TreeSet::new));
        }

        private Mono<Void> quiet() {
            return Bench.until(() -> sessions().equals(held.keySet())).then(Mono.fromRunnable(() -> {
                if (!sessions().equals(held.keySet())) {
                    fault(seed, "open at the platform are " + open() + ", and the model holds " + held.keySet());
                }
                held.values().forEach(agent -> {
                    if (agent.state() != ServiceAgent.State.ACTIVE) {
                        fault(seed, "a service is not active: " + agent);
                    }
                });
            }));
        }

        private void checkTheEnd() {
            arrivedWhenClosed = arrived.get();
            if (!open().isEmpty()) {
                fault(seed, "open after the close are " + open());
            }
            long accounted = 0;
            Set<String> opened = new TreeSet<>();
            Set<String> closed = new TreeSet<>();
            for (CaracalEvent event : events) {
                if (event instanceof CaracalEvent.CoordinatorCall call) {
                    accounted += call.attempts();
                } else if (event instanceof CaracalEvent.MandateMinted
                        || (event instanceof TokenExchange exchange && exchange.cache() != TokenExchange.Cache.HIT)) {
                    accounted++;
                } else if (event instanceof CaracalEvent.SessionOpened open && open.agentSessionId() != null) {
                    opened.add(open.agentSessionId());
                } else if (event instanceof CaracalEvent.SessionClosed close) {
                    closed.add(close.agentSessionId());
                }
            }
            int seen = atControl.get();
            // A cancelled request may not have left.
            if (cancelled ? seen > accounted : seen != accounted) {
                fault(seed, seen + " requests arrived, and the events speak of " + accounted);
            }
            if (!opened.equals(closed)) {
                fault(seed, "opened were " + opened + ", and closed " + closed);
            }
        }

        void checkNothingCameAfterTheClose() {
            if (arrived.get() != arrivedWhenClosed) {
                fault(seed, "a request came after the close");
            }
        }
    }
}
