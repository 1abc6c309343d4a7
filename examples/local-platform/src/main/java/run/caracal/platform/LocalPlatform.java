package run.caracal.platform;

import com.nimbusds.jose.jwk.JWK;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import reactor.core.Disposable;
import reactor.core.Disposables;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;
import reactor.netty.http.client.HttpClient;
import reactor.netty.resources.ConnectionProvider;
import reactor.netty.resources.LoopResources;
import run.caracal.platform.Zone.Application;

/**
 * A Caracal platform that runs inside this JVM: STS, Coordinator, Gateway, a protected API and an audit log, on ports of
 * 127.0.0.1. All of its state is in memory and ends with it.
 *
 * <pre>{@code
 * LocalPlatform platform = LocalPlatform.builder().start();
 * Map<String, String> environment = platform.environment(); // what a client needs to find it
 * ...
 * platform.dispose();
 * }</pre>
 */
public final class LocalPlatform implements Disposable {

    private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(2);

    /** Without it, a loop that has tasks when it is told to end does so before it closes what is open on it. */
    private static final Duration QUIET_TIME = Duration.ofMillis(50);

    private final Zone zone;
    private final Application application;
    private final Sessions sessions;
    private final Delegations delegations;
    private final Approvals approvals;
    private final Gateway gateway;
    private final Map<Service, Endpoint.Bound> servers;
    private final Disposable sweeps;
    private final Mono<Void> closing;
    private final AtomicBoolean closed = new AtomicBoolean();

    private LocalPlatform(Builder builder, Zone zone, Map<Service, Endpoint.Bound> servers, LoopResources loops) {
        this.zone = zone;
        this.application = builder.mainApplication();
        this.servers = servers;
        DelegationGraph graph = new DelegationGraph();
        this.sessions = new Sessions(zone, graph);
        this.delegations = new Delegations(zone, sessions, graph);
        this.approvals = new Approvals(zone);
        TokenService tokens = new TokenService(zone, sessions, delegations, approvals, stsUrl(), builder.gatewayMode);
        ConnectionProvider connections = ConnectionProvider.builder("local-platform-gateway")
                .maxConnections(1000)
                .maxIdleTime(Duration.ofSeconds(30))
                .build();
        HttpClient client = HttpClient.create(connections).runOn(loops);
        this.gateway = new Gateway(zone, sessions, delegations, tokens, client, upstreamUrl());
        serve(tokens);
        this.sweeps = Disposables.composite(
                Schedulers.parallel()
                        .schedulePeriodically(
                                () -> whileCoordinating(this::sweepTasks),
                                millis(zone.limits.ttlSweep),
                                millis(zone.limits.ttlSweep),
                                TimeUnit.MILLISECONDS),
                Schedulers.parallel()
                        .schedulePeriodically(
                                () -> whileCoordinating(sessions::expireLeases),
                                millis(zone.limits.leaseSweep),
                                millis(zone.limits.leaseSweep),
                                TimeUnit.MILLISECONDS));
        this.closing = Mono.defer(() -> {
                    closed.set(true);
                    sweeps.dispose();
                    return connections.disposeLater().then(close(servers, loops));
                })
                .cache();
    }

    private void serve(TokenService tokens) {
        Sts sts = new Sts(zone, tokens, approvals);
        Coordinator coordinator = new Coordinator(zone, sessions, delegations, stsUrl());
        AuditQuery audit = new AuditQuery(zone.audit);
        BillingApi billing = new BillingApi(zone);
        endpoint(Service.STS).answer(zone.limits.stsBodyBytes, sts::answer);
        endpoint(Service.COORDINATOR).answer(zone.limits.coordinatorBodyBytes, coordinator::answer);
        endpoint(Service.AUDIT).answer(0, audit::answer);
        endpoint(Service.UPSTREAM).handle(Integer.MAX_VALUE, billing::handle);
        endpoint(Service.GATEWAY).stream(gateway::handle);
    }

    /** {@return a builder with the defaults of a platform that needs no configuration} */
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

    /** {@return the base URL of the audit log; {@code GET /audit?request_id=} answers with its events} */
    public String auditUrl() {
        return url(Service.AUDIT);
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
     * {@return the CARACAL_* variables with which a client of the first application finds this platform, its secret among
     * them, and the resources that it may use}
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

    /**
     * Writes a profile and, beside it, the secret it refers to, both readable by their owner only. Blocks on the files.
     *
     * @param directory where to write; it is made if need be
     * @return the profile's absolute path
     */
    public Path writeProfile(Path directory) {
        return Profile.write(directory, this);
    }

    /** {@return the audit log} */
    public AuditTrail audit() {
        return zone.audit;
    }

    /** {@return the sessions that are open now, oldest first} */
    public List<SessionSnapshot> sessions() {
        return sessions.live();
    }

    /** {@return the delegations that were made and are remembered, oldest first, revoked ones among them} */
    public List<DelegationSnapshot> delegations() {
        return delegations.all();
    }

    /** {@return how many sessions are open now} */
    public int openSessionCount() {
        return sessions.liveCount();
    }

    /** {@return how many sessions were ever opened} */
    public long totalOpened() {
        return sessions.totalOpened();
    }

    /**
     * {@return the id of the row that a resource is kept in} Some requests take it in the identifier's place.
     *
     * @param resourceId the resource's identifier
     */
    public String resourceRowId(String resourceId) {
        return zone.rowId(resourceId);
    }

    /**
     * {@return the requests that a server received, oldest first, as many as the limits allow}
     *
     * @param service the server
     */
    public List<ReceivedRequest> received(Service service) {
        return endpoint(service).received();
    }

    /** {@return what the Gateway saw of mandates for one call since the platform started} */
    public BearersSeen bearersSeen() {
        return gateway.bearersSeen();
    }

    /**
     * Decides from now on what goes wrong at a server.
     *
     * @param service the server
     * @param rule asked for each request; {@link FaultRule#none()} ends all faults
     */
    public void faults(Service service, FaultRule rule) {
        endpoint(service).faults(rule);
    }

    /**
     * Revokes all that an application's tokens stand on: each of them is refused from now on, new ones can be had.
     *
     * @param applicationId the application
     */
    public void revokeTokens(String applicationId) {
        zone.revokeRecords(applicationId);
    }

    /** {@return the requests that were held for a person's approval and are remembered, oldest first} */
    public List<ApprovalSnapshot> approvals() {
        return approvals.all();
    }

    /**
     * Decides on a request that waits for a person's approval, as an operator would.
     *
     * @param approvalId the approval's id
     * @param approved whether its mandate may be issued
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
     * {@return an ID token of the first trusted issuer for one of its users, as a login there gives it} It is good for five
     * minutes. Blocks on the machine's source of randomness.
     *
     * @param subject the user
     */
    public String idToken(String subject) {
        return zone.issuers.idToken(subject, zone.now());
    }

    /**
     * {@return the end of a server's service: subscribing cuts its connections and refuses new ones} Its state is kept, and
     * {@link #start(Service)} brings it back. Nothing is swept while the Coordinator is stopped.
     *
     * @param service the server
     */
    public Mono<Void> stop(Service service) {
        return bound(service).close();
    }

    /**
     * {@return the return of a server that was stopped, on the port it had} It completes when the server listens.
     *
     * @param service the server
     */
    public Mono<Void> start(Service service) {
        return bound(service).open();
    }

    /**
     * {@return a restart of the Coordinator in place: its connections are cut, for a while nothing answers on its port, then it
     * is back with all it knew}
     *
     * @param down how long it is away
     */
    public Mono<Void> restartCoordinator(Duration down) {
        return stop(Service.COORDINATOR).then(Mono.delay(down)).then(Mono.defer(() -> start(Service.COORDINATOR)));
    }

    /** Does at once what the platform does every so often: ends tasks past their life, suspends services past their lease. */
    public void sweep() {
        sweepTasks();
        sessions.expireLeases();
    }

    /** Closes every server; {@link #disposeLater()} says when that is done. */
    @Override
    public void dispose() {
        Disposable unused = closing.subscribe();
    }

    /** {@return the end of the platform: subscribing closes every server, completion means that all threads are told to go} */
    public Mono<Void> disposeLater() {
        return closing;
    }

    @Override
    public boolean isDisposed() {
        return closed.get();
    }

    /** Each resource that the first application may use with the base URL behind the Gateway. */
    Map<String, String> resourcePrefixes() {
        Map<String, String> prefixes = new LinkedHashMap<>();
        usable().forEach(resource ->
                prefixes.put(resource.id(), resource.upstream() == null ? upstreamUrl() : resource.upstream()));
        return prefixes;
    }

    /** Each of these resources that declares scopes with all of them, sorted. */
    Map<String, List<String>> resourceScopes() {
        Map<String, List<String>> scopes = new LinkedHashMap<>();
        usable().filter(resource -> !resource.scopes().isEmpty())
                .forEach(resource -> scopes.put(
                        resource.id(), resource.scopes().stream().sorted().toList()));
        return scopes;
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

    private static Mono<Void> close(Map<Service, Endpoint.Bound> servers, LoopResources loops) {
        return Flux.fromIterable(servers.values())
                .flatMap(Endpoint.Bound::close)
                .then()
                .then(loops.disposeLater(QUIET_TIME, CLOSE_TIMEOUT));
    }

    private static long millis(Duration duration) {
        return duration.toMillis();
    }

    /** What a local platform is made of. */
    public static final class Builder {

        private final Map<String, Application> applications = new LinkedHashMap<>();
        private final Map<String, ProtectedResource> resources = new LinkedHashMap<>();
        private final List<TrustedIssuers.Issuer> issuers = new ArrayList<>();
        private String zoneId = "zone-local";
        private GatewayMode gatewayMode = GatewayMode.ONE_SHOT;
        private PlatformLimits limits = PlatformLimits.defaults();
        private Ports ports = Ports.free();
        private Clock clock = Clock.systemUTC();

        private Builder() {}

        /**
         * Names the zone.
         *
         * @param id the id, default {@code zone-local}
         * @return this builder
         */
        public Builder zone(String id) {
            this.zoneId = id;
            return this;
        }

        /**
         * Registers an application; the first is the one that the platform's own environment and profile speak of.
         *
         * @param id the id; {@code app-local} if no application is registered
         * @param secret its secret; a random one if no application is registered
         * @return this builder
         */
        public Builder application(String id, String secret) {
            applications.put(id, new Application(id, secret));
            return this;
        }

        /**
         * Registers a resource; the first is the one that {@link LocalPlatform#resourceId()} names.
         *
         * @param resource the resource; {@code resource://billing-api} with the scopes {@code billing:charge} and
         *     {@code billing:read} if none is registered
         * @return this builder
         */
        public Builder resource(ProtectedResource resource) {
            resources.put(resource.id(), resource);
            return this;
        }

        /**
         * Says which bearer the Gateway takes.
         *
         * @param mode the mode, default {@link GatewayMode#ONE_SHOT}
         * @return this builder
         */
        public Builder gatewayMode(GatewayMode mode) {
            this.gatewayMode = mode;
            return this;
        }

        /**
         * Registers an identity provider whose users the zone accepts, with a new key; {@link LocalPlatform#idToken(String)}
         * signs in the name of the first. If none is registered, {@code https://login.example.com} is, for the audience
         * {@code caracal-local}.
         *
         * @param issuer the {@code iss} of its ID tokens
         * @param audience the {@code aud} that they must have
         * @return this builder
         */
        public Builder trustedIssuer(String issuer, String audience) {
            issuers.add(TrustedIssuers.Issuer.generated(issuer, audience));
            return this;
        }

        /**
         * Registers an identity provider like {@link #trustedIssuer(String, String)}, with a given key.
         *
         * @param issuer the {@code iss} of its ID tokens
         * @param audience the {@code aud} that they must have
         * @param key a private RSA or EC key with an id and an algorithm
         * @return this builder
         * @throws IllegalArgumentException if the key is another
         */
        public Builder trustedIssuer(String issuer, String audience, JWK key) {
            issuers.add(new TrustedIssuers.Issuer(issuer, audience, key));
            return this;
        }

        /**
         * Sets the limits.
         *
         * @param value the limits, default {@link PlatformLimits#defaults()}
         * @return this builder
         */
        public Builder limits(PlatformLimits value) {
            this.limits = value;
            return this;
        }

        /**
         * Sets the ports.
         *
         * @param value the ports, default {@link Ports#free()}
         * @return this builder
         */
        public Builder ports(Ports value) {
            this.ports = value;
            return this;
        }

        /**
         * Sets the clock that every time of the platform is taken from, for tests of expiry.
         *
         * @param value the clock, default {@link Clock#systemUTC()}
         * @return this builder
         */
        public Builder clock(Clock value) {
            this.clock = value;
            return this;
        }

        /** {@return the platform, once all of its servers listen} Blocks until then. */
        public LocalPlatform start() {
            return startLater().blockOptional().orElseThrow();
        }

        /** {@return the platform as soon as all of its servers listen} Each subscription starts one. */
        public Mono<LocalPlatform> startLater() {
            return Mono.fromCallable(this::zone)
                    .subscribeOn(Schedulers.boundedElastic())
                    .flatMap(this::bind);
        }

        private Mono<LocalPlatform> bind(Zone zone) {
            LoopResources loops = LoopResources.create("local-platform", 2, true);
            Map<Service, Endpoint.Bound> servers = new ConcurrentHashMap<>();
            return Flux.fromArray(Service.values())
                    .flatMap(service -> Endpoint.bind(service, ports.of(service), limits, clock, loops)
                            .doOnNext(bound -> servers.put(service, bound)))
                    .then(Mono.fromSupplier(() -> new LocalPlatform(this, zone, servers, loops)))
                    .onErrorResume(failure -> close(servers, loops).then(Mono.error(failure)));
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
                applications.put("app-local", new Application("app-local", randomSecret()));
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
                    zoneId, Map.copyOf(applications), owned, limits, clock, ZoneKeys.generate(), trustedIssuers());
        }

        private static String randomSecret() {
            byte[] secret = new byte[32];
            new SecureRandom().nextBytes(secret);
            return Base64.getUrlEncoder().withoutPadding().encodeToString(secret);
        }
    }
}
