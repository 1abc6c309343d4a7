package run.caracal.internal.client;

import java.util.List;
import java.util.ServiceLoader;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.Disposable;
import reactor.core.Disposables;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Scheduler;
import reactor.core.scheduler.Schedulers;
import run.caracal.config.CaracalConfig;
import run.caracal.error.ConfigurationException;
import run.caracal.http.HttpTransport;
import run.caracal.http.HttpTransportProvider;
import run.caracal.internal.LogNames;
import run.caracal.internal.ParallelTimer;
import run.caracal.internal.Supplied;
import run.caracal.internal.capacity.MintPace;
import run.caracal.internal.capacity.SessionGate;
import run.caracal.internal.control.Coordinator;
import run.caracal.internal.control.StsClient;
import run.caracal.internal.delegation.DelegationRunner;
import run.caracal.internal.delegation.GrantIssuer;
import run.caracal.internal.event.EventBus;
import run.caracal.internal.inbound.InboundJudge;
import run.caracal.internal.lifecycle.ClientState;
import run.caracal.internal.lifecycle.Scope;
import run.caracal.internal.mandate.ApplicationSessions;
import run.caracal.internal.mandate.ApprovalWaiter;
import run.caracal.internal.mandate.HelperSessions;
import run.caracal.internal.mandate.MandateMinter;
import run.caracal.internal.outbound.FetchSender;
import run.caracal.internal.outbound.OutboundDecider;
import run.caracal.internal.outbound.TrafficTransport;
import run.caracal.internal.routing.Router;
import run.caracal.internal.session.ServiceRunner;
import run.caracal.internal.session.SessionRunner;
import run.caracal.internal.token.TokenCache;
import run.caracal.internal.wire.StsRequests;
import run.caracal.verify.JwksMandateVerifier;

/** The parts of one client, created and released together. */
public final class ClientParts {
    private static final Logger log = LoggerFactory.getLogger(LogNames.CLIENT);

    private final CaracalConfig config;
    private final ClientState state = new ClientState();
    private final Scope scope;
    private final EventBus events = new EventBus();
    /** The timer of leases and background terminations, on its own daemon thread, which no blocked worker delays. */
    private final Scheduler leaseTimer = Schedulers.newSingle("caracal-leases", true);

    private final HttpTransport transport;
    private final Disposable preparation;
    private final boolean ownsTransport;
    /** Where code of users resolves the secret of the application's token, which renewals wait for. */
    private final Scheduler secrets;

    private final HttpTransport calls;
    private final TrafficTransport traffic;
    private final TokenCache tokens;
    private final Coordinator coordinator;
    private final SessionGate gate;
    private final MintPace pace;
    private final SessionRunner sessions;
    private final ServiceRunner services;
    private final DelegationRunner delegations;
    private final MandateMinter mandates;
    private final ApprovalWaiter approvals;
    private final OutboundDecider outbound;
    private final InboundJudge inbound;
    private final FetchSender fetches;
    private final Mono<Void> end;

    /**
     * Makes the parts. Sends nothing.
     *
     * @throws ConfigurationException if no HTTP transport is configured and none is found
     * @throws IllegalStateException when one has to be looked for on a thread that must not block
     */
    public ClientParts(CaracalConfig config) {
        this.config = config;
        // Parts that may throw are created before parts that would have to be released.
        List<Router.Binding> bindings = config.resources().stream()
                .map(binding -> new Router.Binding(binding.resource(), binding.upstreamPrefix()))
                .toList();
        Router router = new Router(config.gatewayUrl().toString(), bindings, config.resourceIds());
        this.ownsTransport = config.transport().isEmpty();
        HttpTransportProvider provider = config.transport()
                .<HttpTransportProvider>map(given -> () -> given)
                .orElseGet(ClientParts::findTransport);
        this.transport = provider.create();
        this.secrets = ownsTransport ? Schedulers.newSingle("caracal-secrets", true) : Schedulers.immediate();
        this.calls = ownsTransport ? forCalls(provider) : transport;
        this.traffic =
                ownsTransport ? TrafficTransport.made(provider, state) : TrafficTransport.given(transport, state);
        // A transport that is given runs the code of users anyway.
        Supplier<Scheduler> callers = ownsTransport ? provider::callerScheduler : Schedulers::immediate;
        this.scope = new Scope("The Caracal client is closed; create a new one", callers, provider::callerScheduler);
        Scheduler timer = ParallelTimer.INSTANCE;
        HttpTransport apart = events.observe(transport);
        HttpTransport observed = events.observe(calls);
        StsClient sts = new StsClient(config, apart, observed, events.observe(traffic), secrets, events);
        this.tokens = new TokenCache(sts, timer, callers);
        this.coordinator = new Coordinator(
                config, new Coordinator.Apart(apart, leaseTimer), observed, tokens, events, timer, callers, state);
        GrantIssuer grants = new GrantIssuer(config, coordinator, events, timer);
        this.gate = new SessionGate(config, events, timer, callers);
        this.pace = new MintPace(config, events, timer);
        this.sessions = new SessionRunner(config, coordinator, events, grants, gate, scope, timer, callers);
        this.services =
                new ServiceRunner(config, coordinator, sessions, grants, gate, scope, events, leaseTimer, callers);
        this.delegations = new DelegationRunner(config, coordinator, events, grants, scope, state);
        HelperSessions helpers = new HelperSessions(config, coordinator, grants, gate, events, timer, sessions::report);
        ApplicationSessions ofApplication = new ApplicationSessions(config, sessions, helpers, scope, timer);
        this.mandates = new MandateMinter(config, sts, helpers, ofApplication, pace, scope, state, timer);
        this.approvals = new ApprovalWaiter(sts, events, timer, state);
        this.outbound = new OutboundDecider(config, router, tokens, mandates, scope, state, events);
        this.inbound = new InboundJudge(config, events, scope, state);
        this.preparation = usesTls()
                ? Flux.just(transport, calls)
                        .distinct()
                        .flatMap(it -> Supplied.ask("The HttpTransport", it::prepareTls))
                        .subscribe(null, e -> log.debug("TLS is not prepared; the first request tries it again", e))
                : Disposables.disposed();
        this.fetches = new FetchSender(outbound, traffic);
        // cache(): one shared end for all callers; it cannot fail.
        this.end = Mono.<Void>fromRunnable(this::refuseWaiters)
                .then(scope.close(config.disposeTimeout(), timer))
                .then(coordinator.closePending(config.closeTimeout()))
                .then(Mono.defer(this::release))
                .cache();
    }

    private HttpTransport forCalls(HttpTransportProvider provider) {
        try {
            return provider.createForCalls();
        } catch (RuntimeException | LinkageError e) {
            transport.dispose();
            throw e;
        }
    }

    private boolean usesTls() {
        return Stream.of(config.stsUrl(), config.coordinatorUrl(), config.gatewayUrl())
                .anyMatch(url -> "https".equalsIgnoreCase(url.getScheme()));
    }

    private void refuseWaiters() {
        scope.refuse();
        gate.close();
        coordinator.refuseWaiters();
    }

    private Mono<Void> release() {
        state.close();
        preparation.dispose();
        pace.close();
        tokens.dispose();
        Mono<Void> own = ownsTransport
                ? Flux.mergeDelayError(2, transport.disposeLater(), calls.disposeLater())
                        .then()
                : Mono.empty();
        Mono<Void> released = Flux.mergeDelayError(2, own, traffic.disposeLater())
                .then()
                .onErrorResume(e -> {
                    log.warn("Releasing an HTTP transport failed: {}", e.getMessage());
                    return Mono.empty();
                });
        return released.then(events.close()).then(Mono.fromRunnable(() -> {
            secrets.dispose();
            leaseTimer.dispose();
        }));
    }

    /** The SDK's own class loader first: the thread's may belong to something else entirely. */
    private static HttpTransportProvider findTransport() {
        if (Schedulers.isInNonBlockingThread()) {
            throw new IllegalStateException(
                    "Looking for an HTTP transport may block, and this thread must not; use Caracal.load(), or "
                            + "give the configuration a transport");
        }
        for (ClassLoader loader : new @Nullable ClassLoader[] {
            ClientParts.class.getClassLoader(), Thread.currentThread().getContextClassLoader()
        }) {
            var provider =
                    ServiceLoader.load(HttpTransportProvider.class, loader).findFirst();
            if (provider.isPresent()) {
                return provider.get();
            }
        }
        throw new ConfigurationException(List.of(new ConfigurationException.Problem(
                "transport",
                "class path",
                "no HTTP transport was found; add the artifact run.caracal:caracal-netty-transport, or give the configuration "
                        + "one")));
    }

    public ClientState state() {
        return state;
    }

    /** Closes the client: the one end that all callers share. */
    public Mono<Void> end() {
        return end;
    }

    /** Completes if the STS issues an application token and the Coordinator accepts it. */
    public Mono<Void> check() {
        return coordinator.check();
    }

    /** The number of sessions being terminated in the background. */
    public int pendingTerminations() {
        return coordinator.pendingTerminations();
    }

    /** A verifier of the zone's mandates, to be completed with an audience. */
    public JwksMandateVerifier.Builder mandateVerifier() {
        return JwksMandateVerifier.builder()
                .zoneId(config.zoneId())
                .issuer(config.stsUrl().toString())
                .jwksUrl(new StsRequests(config.stsUrl()).jwks(config.zoneId()).toString())
                .allowInsecureUrls(config.allowInsecureUrls() || !config.production())
                .transport(calls);
    }

    public EventBus events() {
        return events;
    }

    /** Tasks. */
    public SessionRunner sessions() {
        return sessions;
    }

    /** Service agents. */
    public ServiceRunner services() {
        return services;
    }

    /** Delegations. */
    public DelegationRunner delegations() {
        return delegations;
    }

    /** Mandates. */
    public MandateMinter mandates() {
        return mandates;
    }

    /** Approvals. */
    public ApprovalWaiter approvals() {
        return approvals;
    }

    /** Outgoing requests. */
    public OutboundDecider outbound() {
        return outbound;
    }

    /** Incoming requests. */
    public InboundJudge inbound() {
        return inbound;
    }

    /** Calls that the SDK sends. */
    public FetchSender fetches() {
        return fetches;
    }
}
