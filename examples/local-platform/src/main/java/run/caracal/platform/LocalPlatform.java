package run.caracal.platform;

import com.nimbusds.jose.jwk.JWK;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.BiConsumer;
import java.util.function.BiFunction;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.reactivestreams.Publisher;
import reactor.core.Disposable;
import reactor.core.Disposables;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;
import reactor.netty.http.client.HttpClient;
import reactor.netty.http.server.HttpServerRequest;
import reactor.netty.http.server.HttpServerResponse;
import reactor.netty.resources.ConnectionProvider;
import run.caracal.config.CaracalConfig;
import run.caracal.http.HttpTransport;
import run.caracal.netty.NettyHttpTransport;
import run.caracal.platform.Zone.Application;

/**
 * A Caracal platform inside this JVM: STS, Coordinator, Gateway, a protected API and an audit log, on ports of 127.0.0.1. Its state is
 * in memory.
 *
 * <pre>{@code
 * LocalPlatform platform = LocalPlatform.builder().start();
 * Map<String, String> environment = platform.environment(); // the settings of a client
 * ...
 * platform.dispose();
 * }</pre>
 */
public final class LocalPlatform implements Disposable {

    private final Zone zone;
    private final Application application;
    private final GatewayMode gatewayMode;
    private final Ports ports;
    private final HttpClient client;
    private final @Nullable HttpTransport transport;
    private final Map<Service, Endpoint.Bound> servers;
    private final Disposable sweeps;
    private final Mono<Void> closing;
    private final AtomicBoolean closed = new AtomicBoolean();
    private volatile Sessions sessions;
    private volatile Delegations delegations;
    private volatile Approvals approvals;
    private volatile Gateway gateway;
    private volatile Console.@Nullable Bound console;

    private LocalPlatform(Builder builder, Zone zone, Map<Service, Endpoint.Bound> servers, Network network) {
        this.zone = zone;
        this.application = builder.mainApplication();
        this.gatewayMode = builder.gatewayMode;
        this.ports = builder.ports;
        this.servers = servers;
        ConnectionProvider connections = ConnectionProvider.builder("local-platform")
                .maxConnections(1000)
                .maxIdleTime(Duration.ofSeconds(30))
                .build();
        this.client = network.reaching(HttpClient.create(connections));
        this.transport = builder.inProcess
                ? NettyHttpTransport.builder().customize(network::reaching).build()
                : null;
        begin();
        serve();
        this.sweeps = Disposables.composite(
                Schedulers.parallel()
                        .schedulePeriodically(
                                () -> whileCoordinating(this::sweepTasks),
                                millis(zone.limits.ttlSweep),
                                millis(zone.limits.ttlSweep),
                                TimeUnit.MILLISECONDS),
                Schedulers.parallel()
                        .schedulePeriodically(
                                () -> whileCoordinating(() -> sessions.expireLeases()),
                                millis(zone.limits.leaseSweep),
                                millis(zone.limits.leaseSweep),
                                TimeUnit.MILLISECONDS));
        this.closing = Mono.defer(() -> {
                    closed.set(true);
                    sweeps.dispose();
                    Console.Bound open = console;
                    Mono<Void> shown = open == null ? Mono.empty() : open.close();
                    Mono<Void> own = transport == null ? Mono.empty() : transport.disposeLater();
                    return shown.then(own)
                            .then(connections.disposeLater())
                            .then(close(servers, network))
                            .then(zone.revocations.close());
                })
                .cache();
    }

    /** The platform with its console, which needs it to exist. */
    private Mono<LocalPlatform> withConsole(int port, Network network) {
        ConsoleState.Source source = new ConsoleState.Source(zone, () -> sessions, () -> delegations, () -> approvals);
        return Console.open(port, source, network)
                .doOnNext(open -> console = open)
                .thenReturn(this)
                .onErrorResume(failure -> disposeLater().then(Mono.error(failure)));
    }

    /** Starts without sessions, delegations, approvals and counts. */
    private void begin() {
        DelegationGraph graph = new DelegationGraph(zone.revocations);
        this.sessions = new Sessions(zone, graph);
        this.delegations = new Delegations(zone, sessions, graph);
        this.approvals = new Approvals(zone);
        TokenService tokens = new TokenService(zone, sessions, delegations, approvals, stsUrl(), gatewayMode);
        this.gateway = new Gateway(zone, sessions, delegations, tokens, client, upstreamUrl());
        Sts sts = new Sts(zone, tokens, approvals);
        Coordinator coordinator = new Coordinator(zone, sessions, delegations, stsUrl());
        endpoint(Service.STS).answer(zone.limits.stsBodyBytes, sts::answer);
        endpoint(Service.COORDINATOR).answer(zone.limits.coordinatorBodyBytes, coordinator::answer);
        endpoint(Service.GATEWAY).stream(gateway::handle);
    }

    /** Parts without state of their own. */
    private void serve() {
        AuditQuery audit = new AuditQuery(zone.audit);
        BillingApi billing = new BillingApi(zone);
        endpoint(Service.AUDIT).answer(0, audit::answer);
        endpoint(Service.UPSTREAM).handle(Integer.MAX_VALUE, billing::handle);
    }

    /** {@return a builder with defaults that need no configuration} */
    public static Builder builder() {
        return new Builder();
    }

    /** {@return the base URL of the STS} */
    public String stsUrl() {
        return url(Service.STS);
    }

    /** {@return the base URL of the Coordinator} */
    public String coordinatorUrl() {
        return url(Service.COORDINATOR);
    }

    /** {@return the base URL of the Gateway} */
    public String gatewayUrl() {
        return url(Service.GATEWAY);
    }

    /** {@return the base URL of the protected API} */
    public String upstreamUrl() {
        return url(Service.UPSTREAM);
    }

    /** {@return the base URL of the audit log; {@code GET /audit?request_id=} returns events} */
    public String auditUrl() {
        return url(Service.AUDIT);
    }

    /** {@return the URL of the console page, if {@link Builder#console(int)} is set} */
    public Optional<String> consoleUrl() {
        return Optional.ofNullable(console).map(Console.Bound::url);
    }

    /** {@return the zone's id} */
    public String zoneId() {
        return zone.id;
    }

    /** {@return the id of the first application} */
    public String applicationId() {
        return application.id();
    }

    /** {@return the secret of the first application} */
    public String clientSecret() {
        return application.secret();
    }

    /** {@return the id of the first resource that the first application may use} */
    public String resourceId() {
        return usable().findFirst()
                .map(ProtectedResource::id)
                .orElseThrow(() -> new IllegalStateException(application.id() + " may use no resource"));
    }

    private Stream<ProtectedResource> usable() {
        return zone.resources.values().stream().filter(resource -> resource.isGrantedTo(application.id()));
    }

    /**
     * {@return the CARACAL_* variables of a client of the first application: URLs, credentials and resources}
     */
    public Map<String, String> environment() {
        Map<String, String> environment = new LinkedHashMap<>();
        environment.put("CARACAL_ZONE_ID", zoneId());
        environment.put("CARACAL_APPLICATION_ID", applicationId());
        environment.put("CARACAL_APP_CLIENT_SECRET", clientSecret());
        environment.put("CARACAL_STS_URL", stsUrl());
        environment.put("CARACAL_COORDINATOR_URL", coordinatorUrl());
        environment.put("CARACAL_GATEWAY_URL", gatewayUrl());
        environment.put(
                "CARACAL_RESOURCES",
                resourcePrefixes().entrySet().stream()
                        .map(entry -> entry.getKey() + "=" + entry.getValue())
                        .collect(Collectors.joining(",")));
        String scopes = resourceScopes().entrySet().stream()
                .map(entry -> entry.getKey() + "=" + String.join(" ", entry.getValue()))
                .collect(Collectors.joining(","));
        if (!scopes.isEmpty()) {
            environment.put("CARACAL_RESOURCE_SCOPES", scopes);
        }
        environment.put("CARACAL_RESOURCE_ID", resourceId());
        environment.put("CARACAL_RESOURCE_PATH", "/charge");
        return environment;
    }

    /** {@return the configuration of a client of the first application in this JVM} */
    public CaracalConfig config() {
        return config(applicationId());
    }

    /**
     * {@return the configuration of a client of an application in this JVM} On a platform without sockets it contains
     * the transport that reaches it, which ends with the platform.
     *
     * @throws IllegalArgumentException if the application is unknown
     */
    public CaracalConfig config(String applicationId) {
        Application known = zone.applications.get(applicationId);
        if (known == null) {
            throw new IllegalArgumentException("the platform has no application " + applicationId + ", only "
                    + zone.applications.keySet().stream().sorted().toList());
        }
        CaracalConfig.Builder config = CaracalConfig.builder()
                .zoneId(zoneId())
                .applicationId(applicationId)
                .clientSecret(known.secret())
                .stsUrl(stsUrl())
                .coordinatorUrl(coordinatorUrl())
                .gatewayUrl(gatewayUrl());
        Map<String, List<String>> scopes = resourceScopes();
        for (Map.Entry<String, String> prefix : resourcePrefixes().entrySet()) {
            String[] declared = scopes.getOrDefault(prefix.getKey(), List.of()).toArray(String[]::new);
            config = config.resource(prefix.getKey(), prefix.getValue(), declared);
        }
        if (transport != null) {
            config = config.transport(transport);
        }
        return config.build();
    }

    /**
     * Registers the {@code caracal.*} properties of a Spring Boot application, in one line of a test:
     * {@code platform.properties(registry::add)} with a {@code DynamicPropertyRegistry}.
     */
    public void properties(BiConsumer<String, Supplier<Object>> registry) {
        registry.accept("caracal.zone-id", this::zoneId);
        registry.accept("caracal.application-id", this::applicationId);
        registry.accept("caracal.client-secret", this::clientSecret);
        registry.accept("caracal.sts-url", this::stsUrl);
        registry.accept("caracal.coordinator-url", this::coordinatorUrl);
        registry.accept("caracal.gateway-url", this::gatewayUrl);
        int index = 0;
        for (String resource : zone.resources.keySet()) {
            String binding = "caracal.bindings[" + index++ + "].";
            registry.accept(binding + "resource", () -> resource);
            registry.accept(
                    binding + "upstream-prefix",
                    () -> Objects.requireNonNull(resourcePrefixes().get(resource), resource));
            if (resourceScopes().containsKey(resource)) {
                registry.accept(
                        binding + "scopes",
                        () -> String.join(",", resourceScopes().getOrDefault(resource, List.of())));
            }
        }
    }

    /**
     * {@return an undecorated client that reaches this platform, with sockets or without; its connections end with the
     * platform}
     */
    public HttpClient httpClient() {
        return client;
    }

    /**
     * Writes a profile and its secret file, both readable by their owner only. Blocks.
     *
     * @param directory created if missing
     * @return the absolute path of the profile
     */
    public Path writeProfile(Path directory) {
        return Profile.write(directory, this);
    }

    /** {@return the audit log} */
    public AuditTrail audit() {
        return zone.audit;
    }

    /** {@return the open sessions, oldest first} */
    public List<SessionSnapshot> sessions() {
        return sessions.live();
    }

    /** {@return the stored delegations, including revoked ones, oldest first} */
    public List<DelegationSnapshot> delegations() {
        return delegations.all();
    }

    /** {@return the number of open sessions} */
    public int openSessionCount() {
        return sessions.liveCount();
    }

    /** {@return the number of sessions opened since the start} */
    public long totalOpened() {
        return sessions.totalOpened();
    }

    /** {@return the row id of a resource, which some requests accept instead of its identifier} */
    public String resourceRowId(String resourceId) {
        return zone.rowId(resourceId);
    }

    /** {@return the stored requests to a server, oldest first} */
    public List<ReceivedRequest> received(Service service) {
        return endpoint(service).received();
    }

    /** {@return the mandates presented at the Gateway since the start} */
    public BearersSeen bearersSeen() {
        return gateway.bearersSeen();
    }

    /** Sets the fault rule of a server; {@link FaultRule#none()} ends all faults. */
    public void faults(Service service, FaultRule rule) {
        endpoint(service).faults(rule);
    }

    /** Revokes the authority of an application's tokens: they are rejected from now on, new ones are issued. */
    public void revokeTokens(String applicationId) {
        zone.revokeRecords(applicationId);
    }

    /**
     * Denies every mint of these scopes from now on, as a policy does: 403 {@code access_denied}, and an audit event.
     * {@link #reset()} ends it.
     *
     * @param scopes the denied scopes; none ends an earlier denial
     * @throws IllegalArgumentException if the resource is unknown
     */
    public void deny(String resourceId, String... scopes) {
        zone.rulings.deny(known(resourceId), Set.of(scopes));
    }

    /**
     * Holds every mint of these scopes from now on until {@link #decideApproval} approves it. {@link #reset()} ends it.
     *
     * @param scopes the held scopes; none ends an earlier hold
     * @throws IllegalArgumentException if the resource is unknown
     */
    public void holdForApproval(String resourceId, String... scopes) {
        zone.rulings.hold(known(resourceId), Set.of(scopes));
    }

    /**
     * Sets the upstream of a resource, for instance an application under test whose port is known only once it runs.
     *
     * @param baseUrl an absolute http URL
     * @throws IllegalArgumentException if the resource is unknown
     */
    public void upstream(String resourceId, String baseUrl) {
        zone.upstream(known(resourceId), baseUrl);
    }

    /**
     * Serves the protected API with a handler of Reactor Netty, for an application under test without its own port; Spring's
     * {@code ReactorHttpHandlerAdapter} adapts a WebFlux application. The Gateway has verified its requests, and their caller is
     * in the forwarded mandate.
     *
     * @param handler also handles direct requests to {@link #upstreamUrl()}
     */
    public void upstream(
            BiFunction<? super HttpServerRequest, ? super HttpServerResponse, ? extends Publisher<Void>> handler) {
        endpoint(Service.UPSTREAM).stream(call -> call.handOver(handler));
    }

    /**
     * {@return a builder of mandates of this zone, for calls to an application under test} Verifiers with this platform's keys accept
     * them.
     */
    public TestMandates mandates() {
        return new TestMandates(zone, stsUrl(), applicationId(), resourceId());
    }

    /**
     * Clears sessions, delegations, approvals, the audit log, recorded requests, counters, denials, holds and faults,
     * and closes stalled connections. Ports, keys, applications, resources and upstreams are kept, and issued tokens
     * stay valid, so that existing clients continue to work. Sessions that were open are then unknown.
     */
    public void reset() {
        Approvals before = approvals;
        zone.reset();
        begin();
        before.forgetAll();
        servers.values().forEach(server -> server.endpoint().reset());
    }

    /** {@return the stored held requests, oldest first} */
    public List<ApprovalSnapshot> approvals() {
        return approvals.all();
    }

    /**
     * Approves or rejects a held request, as an operator would.
     *
     * @throws IllegalArgumentException if there is no such approval
     * @throws IllegalStateException if it is not pending
     */
    public void decideApproval(String approvalId, boolean approved) {
        try {
            ApprovalSnapshot unused = approvals.decide(approvalId, approved, Ids.random());
        } catch (Refusal refusal) {
            if (refusal.status == 404) {
                throw new IllegalArgumentException("no approval " + approvalId, refusal);
            }
            throw new IllegalStateException(refusal.description, refusal);
        }
    }

    /**
     * {@return an ID token of the first trusted issuer for a user, valid for five minutes} Blocks on the random source.
     */
    public String idToken(String subject) {
        return zone.issuers.idToken(subject, zone.now());
    }

    /**
     * {@return stops a server on subscription: its connections are closed, and new ones refused} Its state is kept for
     * {@link #start(Service)}. While the Coordinator is stopped, nothing expires.
     */
    public Mono<Void> stop(Service service) {
        return bound(service).close();
    }

    /** {@return starts a stopped server again on subscription, on the same port; completes when the server listens} */
    public Mono<Void> start(Service service) {
        return bound(service).open();
    }

    /**
     * {@return restarts the Coordinator on subscription: closes its connections, refuses new ones for that time, and
     * continues with its state}
     */
    public Mono<Void> restartCoordinator(Duration down) {
        return stop(Service.COORDINATOR).then(Mono.delay(down)).then(Mono.defer(() -> start(Service.COORDINATOR)));
    }

    /** Expires tasks and suspends services past their lease immediately, as the platform does periodically. */
    public void sweep() {
        sweepTasks();
        sessions.expireLeases();
    }

    /** Closes the platform like {@link #disposeLater()}, without waiting. */
    @Override
    public void dispose() {
        Disposable unused = closing.subscribe();
    }

    /** {@return closes every server on subscription; completes when all threads were told to end} */
    public Mono<Void> disposeLater() {
        return closing;
    }

    @Override
    public boolean isDisposed() {
        return closed.get();
    }

    /** The resources of the first application, with their upstream URLs. */
    Map<String, String> resourcePrefixes() {
        Map<String, String> prefixes = new LinkedHashMap<>();
        usable().forEach(resource ->
                prefixes.put(resource.id(), resource.upstream() == null ? upstreamUrl() : resource.upstream()));
        return prefixes;
    }

    /** Those of these resources that declare scopes, with all scopes, sorted. */
    Map<String, List<String>> resourceScopes() {
        Map<String, List<String>> scopes = new LinkedHashMap<>();
        usable().filter(resource -> !resource.scopes().isEmpty())
                .forEach(resource -> scopes.put(
                        resource.id(), resource.scopes().stream().sorted().toList()));
        return scopes;
    }

    /** Whether it is configured to listen on these ports. */
    boolean hasPorts(Ports asked) {
        return ports.equals(asked);
    }

    private String known(String resourceId) {
        if (!zone.resources.containsKey(resourceId)) {
            throw new IllegalArgumentException(
                    "the platform has no resource " + resourceId + ", only " + zone.resources.keySet());
        }
        return resourceId;
    }

    private void whileCoordinating(Runnable sweep) {
        if (bound(Service.COORDINATOR).isListening()) {
            sweep.run();
        }
    }

    private void sweepTasks() {
        sessions.expireTasks();
        delegations.forgetOld();
        approvals.forgetOld();
        zone.forgetOldRecords();
        gateway.forgetSpent();
    }

    private String url(Service service) {
        return bound(service).url();
    }

    private Endpoint endpoint(Service service) {
        return bound(service).endpoint();
    }

    private Endpoint.Bound bound(Service service) {
        Endpoint.Bound bound = servers.get(service);
        if (bound == null) {
            throw new IllegalStateException(service + " is not served");
        }
        return bound;
    }

    private static Mono<Void> close(Map<Service, Endpoint.Bound> servers, Network network) {
        return Flux.fromIterable(servers.values())
                .flatMap(Endpoint.Bound::close)
                .then()
                .then(network.close());
    }

    private static long millis(Duration duration) {
        return duration.toMillis();
    }

    /** The settings of a local platform. */
    public static final class Builder {

        private static final int NO_CONSOLE = -1;

        private final Map<String, Application> applications = new LinkedHashMap<>();
        private final Map<String, ProtectedResource> resources = new LinkedHashMap<>();
        private final List<TrustedIssuers.Issuer> issuers = new ArrayList<>();
        private String zoneId = "zone-local";
        private GatewayMode gatewayMode = GatewayMode.ONE_SHOT;
        private PlatformLimits limits = PlatformLimits.defaults();
        private Ports ports = Ports.free();
        private Clock clock = Clock.systemUTC();
        private boolean inProcess;
        private @Nullable String defaultSecret;

        /** A port that a server cannot listen on. */
        private record Taken(Service service, int port, Throwable failure) {
            static IllegalStateException all(List<Taken> taken) {
                String ports = taken.stream()
                        .sorted(Comparator.comparing(Taken::service))
                        .map(one -> one.service() + " on port " + one.port() + " ("
                                + one.failure().getMessage() + ")")
                        .collect(Collectors.joining(", "));
                IllegalStateException all = new IllegalStateException("The local platform cannot listen: " + ports
                        + ". End what listens there, or take other ports: Ports.free() finds some");
                taken.forEach(one -> all.addSuppressed(one.failure()));
                return all;
            }
        }

        private int consolePort = NO_CONSOLE;
        private @Nullable String redisUri;
        private String hmacKeyHex = "";

        private Builder() {}

        /**
         * Loads a shared set-up from a TOML file: zone, ports, limits, applications, and resources with owner, scopes, roles and
         * approvals. Later settings of this builder add to it. Blocks.
         *
         * @param location a file, or else a class path resource
         * @throws IllegalArgumentException with every fault and its line, and then nothing is applied; also if there is no such file
         */
        public Builder setup(String location) {
            Setup.read(location, this);
            return this;
        }

        /** Sets the zone id; {@code zone-local} by default. */
        public Builder zone(String id) {
            this.zoneId = id;
            return this;
        }

        /**
         * Adds an application; the first one is that of the platform's own environment and profile. By default
         * {@code app-local} with a random secret.
         */
        public Builder application(String id, String secret) {
            applications.put(id, new Application(id, secret));
            return this;
        }

        /**
         * Adds a resource; the first one is {@link LocalPlatform#resourceId()}. By default
         * {@code resource://billing-api} with the scopes {@code billing:charge} and {@code billing:read}.
         */
        public Builder resource(ProtectedResource resource) {
            resources.put(resource.id(), resource);
            return this;
        }

        /** Sets the bearers that the Gateway accepts; {@link GatewayMode#ONE_SHOT} by default. */
        public Builder gatewayMode(GatewayMode mode) {
            this.gatewayMode = mode;
            return this;
        }

        /**
         * Adds a trusted identity provider with a new key; {@link LocalPlatform#idToken(String)} signs for the first
         * one. By default {@code https://login.example.com} with the audience {@code caracal-local}.
         *
         * @param issuer the {@code iss} of its ID tokens
         * @param audience their {@code aud}
         */
        public Builder trustedIssuer(String issuer, String audience) {
            issuers.add(TrustedIssuers.Issuer.generated(issuer, audience));
            return this;
        }

        /**
         * Adds a trusted identity provider with a given key.
         *
         * @param key a private RSA or EC key with an id and an algorithm
         * @throws IllegalArgumentException for any other key
         */
        public Builder trustedIssuer(String issuer, String audience, JWK key) {
            issuers.add(new TrustedIssuers.Issuer(issuer, audience, key));
            return this;
        }

        /** Sets the limits; {@link PlatformLimits#defaults()} by default. */
        public Builder limits(PlatformLimits value) {
            this.limits = value;
            return this;
        }

        /** Sets the ports; {@link Ports#free()} by default. */
        public Builder ports(Ports value) {
            this.ports = value;
            return this;
        }

        /** Sets the clock of the platform, for tests of expiry; {@link Clock#systemUTC()} by default. */
        public Builder clock(Clock value) {
            this.clock = value;
            return this;
        }

        /**
         * Opens no sockets: the servers are reached inside this JVM only, by clients with this platform's
         * {@link LocalPlatform#config()} and by its {@link LocalPlatform#httpClient()}. Its URLs have no meaning
         * elsewhere, and its only upstream is {@link LocalPlatform#upstreamUrl()}.
         */
        public Builder inProcess() {
            this.inProcess = true;
            return this;
        }

        /**
         * Serves the console, a page that shows sessions, delegations, holds and the audit log live, with buttons to
         * approve, reject, end and revoke. It requires no credentials: every user of this machine can open it. Not
         * available in process.
         *
         * @param port the port on 127.0.0.1; 0 for a free one
         */
        public Builder console(int port) {
            this.consolePort = port;
            return this;
        }

        /**
         * Writes revocations to Redis streams, as the platform does for its resource servers. Needs
         * {@code io.lettuce:lettuce-core}.
         *
         * @param uri for instance {@code redis://localhost:6379}
         * @param hmacKeyHex the key that signs the entries ({@code STREAMS_HMAC_KEY}), in hexadecimal
         */
        public Builder revocationStreams(String uri, String hmacKeyHex) {
            this.redisUri = uri;
            this.hmacKeyHex = hmacKeyHex;
            return this;
        }

        /**
         * {@return the platform, with all servers listening} Blocks until then.
         *
         * @throws IllegalStateException if ports are taken; the message names each
         */
        public LocalPlatform start() {
            return startLater().blockOptional().orElseThrow();
        }

        /** {@return the platform, with all servers listening; each subscription starts one} */
        public Mono<LocalPlatform> startLater() {
            return Mono.fromCallable(this::zone)
                    .subscribeOn(Schedulers.boundedElastic())
                    .flatMap(this::bind);
        }

        private Mono<LocalPlatform> bind(Zone zone) {
            Network network = inProcess ? new InProcess() : new Sockets();
            Map<Service, Endpoint.Bound> servers = new ConcurrentHashMap<>();
            return Flux.fromArray(Service.values())
                    .flatMap(service -> Endpoint.bind(service, ports.of(service), limits, clock, network)
                            .doOnNext(bound -> servers.put(service, bound))
                            .then(Mono.<Taken>empty())
                            .onErrorResume(failure -> Mono.just(new Taken(service, ports.of(service), failure))))
                    .collectList()
                    .flatMap(taken -> taken.isEmpty()
                            ? Mono.fromSupplier(() -> new LocalPlatform(this, zone, servers, network))
                                    // Its transport reads the trust store.
                                    .subscribeOn(Schedulers.boundedElastic())
                            : Mono.error(Taken.all(taken)))
                    .flatMap(platform -> consolePort == NO_CONSOLE || inProcess
                            ? Mono.just(platform)
                            : platform.withConsole(consolePort, network))
                    .onErrorResume(failure -> close(servers, network)
                            .then(zone.revocations.close())
                            .then(Mono.error(failure)))
                    .doOnCancel(() -> {
                        Disposable unused = close(servers, network).subscribe();
                    });
        }

        private Application mainApplication() {
            return applications.values().iterator().next();
        }

        private TrustedIssuers trustedIssuers() {
            return new TrustedIssuers(
                    issuers.isEmpty()
                            ? List.of(TrustedIssuers.Issuer.generated("https://login.example.com", "caracal-local"))
                            : List.copyOf(issuers));
        }

        private Zone zone() {
            if (applications.isEmpty()) {
                String secret = defaultSecret == null ? randomSecret() : defaultSecret;
                applications.put("app-local", new Application("app-local", secret));
            }
            if (resources.isEmpty()) {
                ProtectedResource billing =
                        ProtectedResource.of("resource://billing-api", "billing:charge", "billing:read");
                resources.put(billing.id(), billing);
            }
            Map<String, ProtectedResource> owned = new LinkedHashMap<>();
            String first = mainApplication().id();
            resources.forEach((id, resource) -> owned.put(id, resource.ownedBy(first)));
            return new Zone(
                    zoneId,
                    Map.copyOf(applications),
                    owned,
                    limits,
                    clock,
                    ZoneKeys.generate(),
                    trustedIssuers(),
                    redisUri == null ? Revocations.NONE : new RedisRevocations(zoneId, redisUri, hmacKeyHex));
        }

        /** The secret of the default application. */
        Builder defaultSecret(String secret) {
            this.defaultSecret = secret;
            return this;
        }

        static String randomSecret() {
            byte[] secret = new byte[32];
            new SecureRandom().nextBytes(secret);
            return Base64.getUrlEncoder().withoutPadding().encodeToString(secret);
        }
    }
}
