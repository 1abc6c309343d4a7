package run.caracal;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.UnaryOperator;
import org.reactivestreams.Publisher;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.Disposable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;
import run.caracal.config.CaracalConfig;
import run.caracal.error.ClosedException;
import run.caracal.error.ConfigurationException;
import run.caracal.event.CaracalEvent;
import run.caracal.event.OperationListener;
import run.caracal.http.HttpResponse;
import run.caracal.http.InboundDecision;
import run.caracal.http.InboundPolicy;
import run.caracal.http.OutboundPolicy;
import run.caracal.http.TransportOptions;
import run.caracal.internal.Calls;
import run.caracal.internal.Supplied;
import run.caracal.internal.client.ClientParts;
import run.caracal.internal.context.BoundContext;
import run.caracal.internal.context.Provenance;
import run.caracal.internal.options.Arguments;
import run.caracal.internal.propagation.IncomingHeaders;
import run.caracal.internal.session.Service;
import run.caracal.verify.JwksMandateVerifier;

/**
 * The client of the Caracal platform: opens agent sessions around reactive work, binds who acts in the Reactor Context,
 * and gives outgoing requests their identity.
 *
 * <pre>{@code
 * Caracal caracal = Caracal.create();
 * Mono<Receipt> receipt = caracal.spawn(context -> charge(order));
 * }</pre>
 *
 * <p>One client serves a whole application; it is safe for use by many threads. Everything that returns a publisher is
 * lazy, and each subscription does its work anew. Wrong arguments throw at once, everything else is signalled. Results
 * arrive on the threads of the HTTP transport or of the SDK's timer, which must not be blocked.
 *
 * <p>Close it with {@link #disposeLater()} when the application ends: that ends the sessions it opened.
 */
public final class Caracal implements Disposable {
    private static final Logger log = LoggerFactory.getLogger(Caracal.class);

    private final CaracalConfig config;
    private final ClientParts parts;

    private Caracal(CaracalConfig config) {
        this.config = config;
        this.parts = new ClientParts(config);
    }

    /**
     * Creates a client from the profile named by {@code CARACAL_CONFIG}, the {@code caracal.toml} of the default directory,
     * or the environment, in this order. Reads files: for start-up code; elsewhere use {@link #load()}.
     *
     * @throws ConfigurationException if the configuration cannot be used; it names every fault
     * @throws IllegalStateException on a thread that must not block
     */
    public static Caracal create() {
        return create(CaracalConfig.load());
    }

    /**
     * Creates a client from a configuration made in code. Sends nothing. Without a transport in the configuration it looks for
     * one, which may block.
     *
     * @throws ConfigurationException if no HTTP transport is configured and none is found
     * @throws IllegalStateException on a thread that must not block, unless the configuration has a transport
     */
    public static Caracal create(CaracalConfig config) {
        return new Caracal(Objects.requireNonNull(config, "config"));
    }

    /**
     * Does what {@link #create()} does, away from the subscriber's thread. Each subscription creates a client of its own,
     * which the subscriber owns.
     *
     * @return a new client, made on {@link Schedulers#boundedElastic()}; or a {@link ConfigurationException}
     */
    public static Mono<Caracal> load() {
        return Mono.<Caracal>fromCallable(Caracal::create).subscribeOn(Schedulers.boundedElastic());
    }

    /**
     * Creates a client from the environment variables alone. May read files that they name: for start-up code.
     *
     * @throws ConfigurationException if the configuration cannot be used; it names every fault
     * @throws IllegalStateException on a thread that must not block
     */
    public static Caracal fromEnvironment() {
        return create(CaracalConfig.fromEnvironment());
    }

    /**
     * Creates a client from a profile. Reads files: for start-up code.
     *
     * @param profile the path of a {@code caracal.toml}
     * @throws ConfigurationException if the configuration cannot be used; it names every fault
     * @throws IllegalStateException on a thread that must not block
     */
    public static Caracal fromProfile(Path profile) {
        return create(CaracalConfig.fromProfile(profile));
    }

    /**
     * Checks that the platform can be used, for instance before an application says that it is ready: that the STS gives the
     * application token, and that the Coordinator takes it. Opens no session, and takes no longer than the timeouts of the
     * two calls; a token that is still valid is not asked for again.
     *
     * @return completes when both are so; else signals the error that opening a session would meet: a {@link
     *     run.caracal.error.StsException}, {@link run.caracal.error.CoordinatorException}, {@link
     *     run.caracal.error.TransportException}, {@link ConfigurationException} or {@link ClosedException}
     */
    public Mono<Void> check() {
        return Calls.sealed(parts.check());
    }

    /** {@return the zone of the configuration} */
    public String zoneId() {
        return config.zoneId();
    }

    /** {@return the application of the configuration} */
    public String applicationId() {
        return config.applicationId();
    }

    /** Runs work inside an agent session of its own, with every default; see {@link #spawn(SpawnOptions, Function)}. */
    public <T> Mono<T> spawn(Function<? super CaracalContext, ? extends Mono<T>> work) {
        return spawn(SpawnOptions.defaults(), work);
    }

    /**
     * Runs work inside an agent session of its own. The session is open exactly while the work is subscribed: it is opened
     * on subscription and terminated once when the work completes, fails or is cancelled, also when the cancellation comes
     * while it is being opened. The session's context is bound in the Reactor Context of the work.
     *
     * <p>The session is a child of the one bound in the subscriber's Reactor Context, if any. A failing termination never
     * replaces the result or the error of the work unless the configuration asks for it; the result waits for it for the
     * close timeout at most, then it goes on in the background.
     *
     * @param work makes the work, given the session's context; subscribed once for each session
     * @return the result of the work, empty when the work is; its error; or the error of opening the session: a {@link
     *     run.caracal.error.CoordinatorException}, {@link run.caracal.error.StsException}, {@link
     *     run.caracal.error.TransportException} or {@link ClosedException}
     */
    public <T> Mono<T> spawn(SpawnOptions options, Function<? super CaracalContext, ? extends Mono<T>> work) {
        return parts.sessions().one(options.spec(), viewing("The work of spawn(...)", work));
    }

    /**
     * Runs work with many results inside an agent session, with every default; see {@link #spawnMany(SpawnOptions,
     * Function)}.
     */
    public <T> Flux<T> spawnMany(Function<? super CaracalContext, ? extends Publisher<T>> work) {
        return spawnMany(SpawnOptions.defaults(), work);
    }

    /**
     * Runs work with many results inside an agent session of its own. As {@link #spawn(SpawnOptions, Function)}, but the
     * results flow at once, with the subscriber's demand; only the completion waits for the termination.
     *
     * @param work makes the work, given the session's context; subscribed once for each session
     * @return the results of the work, and its errors or those of opening the session
     */
    public <T> Flux<T> spawnMany(SpawnOptions options, Function<? super CaracalContext, ? extends Publisher<T>> work) {
        return parts.sessions().many(options.spec(), viewing("The work of spawnMany(...)", work));
    }

    /**
     * An operator that puts an existing pipeline inside a session, with every default: {@code
     * charge(order).transform(caracal.inSession())}.
     */
    public <T> UnaryOperator<Mono<T>> inSession() {
        return inSession(SpawnOptions.defaults());
    }

    /** An operator that puts an existing pipeline inside a session; see {@link #spawn(SpawnOptions, Function)}. */
    public <T> UnaryOperator<Mono<T>> inSession(SpawnOptions options) {
        return work -> spawn(options, context -> work);
    }

    /**
     * Opens a service agent with every default; see {@link #spawnService(ServiceOptions)}.
     *
     * @return the agent, which its receiver owns and has to close
     */
    public Mono<ServiceAgent> spawnService() {
        return spawnService(ServiceOptions.defaults());
    }

    /**
     * Opens a service agent: a session without a TTL that lives as long as its lease is renewed, for daemons and workers
     * that outlive a request. Renew it by {@link ServiceAgent#heartbeat()}, by listening to {@link
     * ServiceAgent#heartbeats()}, or in the background with {@link ServiceOptions.Builder#heartbeatInterval}.
     *
     * <p>A subscriber that has gone before the agent is delivered leaves nothing open; afterwards the receiver owns the
     * agent and has to close it. {@link #runService} does that by itself. A task bound in the Reactor Context
     * does not become the parent, because the platform refuses that: the service only keeps its trace.
     *
     * @return the agent; or the error of opening it
     */
    public Mono<ServiceAgent> spawnService(ServiceOptions options) {
        return parts.services().open(options.spec(), this::agent);
    }

    /**
     * Runs a daemon as a service agent of its own: opens it on subscription, renews its lease behind the work, and closes it
     * when the work ends, fails or is cancelled. When the lease is lost the work is cancelled and the Flux errors with
     * {@link run.caracal.error.LeaseLostException}. The agent's context is bound in the Reactor Context of
     * the work.
     *
     * <p>With {@link ServiceOptions.Builder#reopen} it goes on after most of what can happen to a daemon; else the first error
     * ends it. It needs a thread that keeps the JVM, because all of Reactor's are daemons: block for its end in {@code main}.
     *
     * @param options how the service is opened; its heartbeat interval, if any, replaces the cadence that follows the
     *     deadline
     * @param work makes the work, given the agent; subscribed once for each service, and again when a daemon's work failed
     */
    public <T> Flux<T> runService(ServiceOptions options, Function<? super ServiceAgent, ? extends Publisher<T>> work) {
        Objects.requireNonNull(work, "work");
        return parts.services()
                .run(
                        options.spec(),
                        this::agent,
                        agent -> Supplied.<Publisher<T>>given(work.apply(agent), "The work of runService(...)"));
    }

    /**
     * Runs work with one result, or none, as a service agent of its own; see {@link #runService}. The result is signalled when
     * the service is closed.
     *
     * @return the result of the work, empty when the work is
     */
    public <T> Mono<T> runServiceMono(ServiceOptions options, Function<? super ServiceAgent, ? extends Mono<T>> work) {
        return this.<T>runService(options, work).singleOrEmpty();
    }

    private ServiceAgent agent(Service service, Mono<Void> end) {
        return new ServiceAgent(this, service, end);
    }

    /**
     * Takes over a service session after a restart, with every default; see {@link #attachService(String,
     * ServiceOptions)}.
     *
     * @return the agent, which its receiver owns and has to close
     */
    public Mono<ServiceAgent> attachService(String agentSessionId) {
        return attachService(agentSessionId, ServiceOptions.defaults());
    }

    /**
     * Takes over a service session, for instance after a restart: its lease gets a new generation, and an older holder loses
     * it as {@link run.caracal.error.LeaseLostException.Reason#FENCED}. A narrowed service cannot be taken over
     * with its delegation, which its first holder renewed: open a new one instead.
     *
     * @param options how its lease is renewed; what describes a new session is not used
     * @return the agent, which its receiver owns and has to close; {@link run.caracal.error.LeaseLostException} when the
     *     session has expired or is suspended, {@link run.caracal.error.CoordinatorException} when it is no service of this
     *     application
     */
    public Mono<ServiceAgent> attachService(String agentSessionId, ServiceOptions options) {
        String id = Arguments.id(agentSessionId, "agentSessionId");
        return parts.services().attach(id, options.spec(), this::agent);
    }

    /**
     * Delegates a part of the bound session's authority to another session, and runs work that shows the delegation in {@link
     * #headers()} and in calls without scopes; those with scopes act with the session's own authority. The context of the
     * work is the bound session's own, with the new delegation, the delegation that the session holds as its parent, and one
     * hop more. The delegation outlives the work until its time to live is over, unless the specification asks
     * to revoke it at the end; then it is revoked on completion, error and cancel, also when the cancel comes while it is
     * being created.
     *
     * @param work makes the work, given the derived context; subscribed once for each delegation
     * @return the result of the work; its error; {@link run.caracal.error.NoContextException} outside a session, {@link
     *     run.caracal.error.DelegationException} for a delegation to itself, or the error of creating the delegation, such as
     *     a {@link run.caracal.error.CoordinatorException}
     */
    public <T> Mono<T> delegate(DelegationSpec spec, Function<? super CaracalContext, ? extends Mono<T>> work) {
        return parts.delegations().one(spec.terms(), viewing("The work of delegate(...)", work));
    }

    /**
     * Delegates and runs work with many results; see {@link #delegate(DelegationSpec, Function)}.
     *
     * @return the results of the work, and its errors or those of creating the delegation
     */
    public <T> Flux<T> delegateMany(
            DelegationSpec spec, Function<? super CaracalContext, ? extends Publisher<T>> work) {
        return parts.delegations().many(spec.terms(), viewing("The work of delegateMany(...)", work));
    }

    /**
     * Delegates a part of the bound session's authority to another session, whose application presents the delegation with
     * {@link #acceptDelegation(String, Function)}. Each subscription creates a delegation of its own, unless the
     * specification has an idempotency key. A cancellation lets a creation that is under way run to its end. Nothing is
     * revoked: {@link DelegationSpec#revokeOnEnd()} is for {@link #delegate(DelegationSpec, Function)}.
     *
     * @return the delegation; or the errors of {@link #delegate(DelegationSpec, Function)}
     */
    public Mono<Delegation> createDelegation(DelegationSpec spec) {
        return parts.delegations().create(spec.terms()).map(Delegation::of);
    }

    /**
     * Presents a delegation that the bound session received, in the session's own name, without asking the Coordinator; see
     * {@link #acceptDelegation(String, Acceptance, Function)}.
     */
    public <T> Mono<T> acceptDelegation(
            String delegationEdgeId, Function<? super CaracalContext, ? extends Mono<T>> work) {
        return acceptDelegation(delegationEdgeId, Acceptance.UNCHECKED, work);
    }

    /**
     * Runs work in which the bound session presents a delegation that it received: its context has the session's id, the
     * delegation, and one hop more.
     *
     * @param acceptance whether the Coordinator is asked first
     * @param work makes the work, given the derived context
     * @return the result of the work; {@link run.caracal.error.NoContextException} outside a session, or {@link
     *     run.caracal.error.DelegationException} when the Coordinator was asked and the delegation is not active or not
     *     addressed to the session
     * @throws IllegalArgumentException if the id is none
     */
    public <T> Mono<T> acceptDelegation(
            String delegationEdgeId, Acceptance acceptance, Function<? super CaracalContext, ? extends Mono<T>> work) {
        String id = Arguments.id(delegationEdgeId, "delegationEdgeId");
        return parts.delegations()
                .accept(id, acceptance.isValidated(), viewing("The work of acceptDelegation(...)", work));
    }

    /**
     * Presents a delegation in work with many results; see {@link #acceptDelegation(String, Acceptance, Function)}.
     *
     * @throws IllegalArgumentException if the id is none
     */
    public <T> Flux<T> acceptDelegationMany(
            String delegationEdgeId,
            Acceptance acceptance,
            Function<? super CaracalContext, ? extends Publisher<T>> work) {
        String id = Arguments.id(delegationEdgeId, "delegationEdgeId");
        return parts.delegations()
                .acceptMany(id, acceptance.isValidated(), viewing("The work of acceptDelegationMany(...)", work));
    }

    /**
     * Revokes a delegation that this application issued, and what was derived from it. On the platform this also ends the
     * sessions that received them. One that is not active any more counts as revoked.
     *
     * @return completes when the delegation has ended
     * @throws IllegalArgumentException if the id is none
     */
    public Mono<Void> revokeDelegation(String delegationEdgeId) {
        return parts.delegations().revoke(Arguments.id(delegationEdgeId, "delegationEdgeId"));
    }

    /**
     * Says in words who acts for whom: the application, the bound session and its parents as far as this client opened them,
     * and what was granted and delegated on the way. For people: its form may change. Holds ids and names, no secret.
     *
     * @return the chain, the root first; empty outside a session
     */
    public Mono<String> describeAuthority() {
        return current().map(context -> Provenance.describe(context.bound()));
    }

    /** {@return the context that is bound in the subscriber's Reactor Context; empty outside a session} */
    public Mono<CaracalContext> current() {
        return Mono.deferContextual(view -> Mono.justOrEmpty(CaracalContext.from(view)));
    }

    /**
     * Binds a context for work that runs elsewhere, for instance in the background: what is captured inside a session is
     * bound again where the work is subscribed. Does not keep the session open.
     *
     * @return the same work, with the context bound
     */
    public <T> Mono<T> bind(CaracalContext context, Mono<T> work) {
        return work.contextWrite(context.bound()::bind);
    }

    /** Binds a context for work with many results; see {@link #bind(CaracalContext, Mono)}. */
    public <T> Flux<T> bind(CaracalContext context, Flux<T> work) {
        return work.contextWrite(context.bound()::bind);
    }

    /**
     * Binds the caller of a request by its headers, proving nothing; see {@link #bindFromHeaders(Function, Boundary, Mono)}.
     * Fails in production: choose a boundary there.
     */
    public <T> Mono<T> bindFromHeaders(Map<String, String> headers, Mono<T> work) {
        return bindFromHeaders(headers, Boundary.propagationOnly(), work);
    }

    /**
     * Binds the caller of a request by its headers; see {@link #bindFromHeaders(Function, Boundary, Mono)}.
     *
     * @param headers the headers, also the metadata of another carrier; names match in any case
     * @throws ConfigurationException in production, for a boundary that has no verifier or runs as the
     *     application, unless it is trusted
     */
    public <T> Mono<T> bindFromHeaders(Map<String, String> headers, Boundary boundary, Mono<T> work) {
        return bindFromHeaders(IncomingHeaders.lookup(Objects.requireNonNull(headers, "headers")), boundary, work);
    }

    /**
     * Judges a request by its headers and runs work for its caller: the context that is bound in the Reactor
     * Context of the work has the caller's session, delegation, trace and baggage, and its bearer, which decorated clients
     * send to the Gateway, and to other origins only where {@link run.caracal.http.Propagation#origins} names them. What
     * handles requests of a server is easier bound by its adapter.
     *
     * <p>With a verifier the claims of the mandate replace the unsigned baggage completely; without one nothing is proven,
     * and the context shows what the caller wrote. Malformed and oversized headers other than the bearer count as absent.
     *
     * @param headers gives all values of a header by its lower-case name, in order; asked at the subscription
     * @param work what handles the request; not subscribed when it is refused
     * @return the same work, with the caller bound; its error; or {@link run.caracal.error.InboundException} with the HTTP
     *     status of a refusal: without a bearer {@code missing_token}, 401, unless the boundary lets that pass
     * @throws ConfigurationException in production, for a boundary that has no verifier or runs as the
     *     application, unless it is trusted
     */
    public <T> Mono<T> bindFromHeaders(Function<String, List<String>> headers, Boundary boundary, Mono<T> work) {
        Objects.requireNonNull(work, "work");
        Mono<InboundDecision> judged = inbound(boundary).judge(headers);
        return judged.flatMap(call -> work.contextWrite(call::bind)).onErrorStop();
    }

    /**
     * Binds the caller of a request by its headers, proving nothing, for work with many results; see {@link
     * #bindFromHeaders(Function, Boundary, Mono)}. Fails in production: choose a boundary there.
     */
    public <T> Flux<T> bindFromHeaders(Map<String, String> headers, Flux<T> work) {
        return bindFromHeaders(headers, Boundary.propagationOnly(), work);
    }

    /**
     * Binds the caller of a request by its headers, for work with many results; see {@link #bindFromHeaders(Function,
     * Boundary, Mono)}.
     *
     * @param headers the headers, also the metadata of another carrier; names match in any case
     * @throws ConfigurationException in production, for a boundary that has no verifier or runs as the
     *     application, unless it is trusted
     */
    public <T> Flux<T> bindFromHeaders(Map<String, String> headers, Boundary boundary, Flux<T> work) {
        return bindFromHeaders(IncomingHeaders.lookup(Objects.requireNonNull(headers, "headers")), boundary, work);
    }

    /**
     * Binds the caller of a request by its headers, for work with many results; see {@link #bindFromHeaders(Function,
     * Boundary, Mono)}.
     *
     * @param headers gives all values of a header by its lower-case name, in order; asked at the subscription
     * @return the same work, with the caller bound; its errors, or those of the judgement
     * @throws ConfigurationException in production, for a boundary that has no verifier or runs as the
     *     application, unless it is trusted
     */
    public <T> Flux<T> bindFromHeaders(Function<String, List<String>> headers, Boundary boundary, Flux<T> work) {
        Objects.requireNonNull(work, "work");
        Mono<InboundDecision> judged = inbound(boundary).judge(headers);
        return judged.flatMapMany(call -> work.contextWrite(call::bind)).onErrorStop();
    }

    /**
     * How incoming requests are judged. Applications use the adapter of their server or {@link #bindFromHeaders(Function,
     * Boundary, Mono)} instead of calling this; it is public for those who adapt another server.
     *
     * @return the policy, good for as long as this client
     * @throws ConfigurationException in production, for a boundary that has no verifier or runs as the
     *     application, unless it is trusted
     */
    public InboundPolicy inbound(Boundary boundary) {
        return parts.inbound().policy(boundary.spec());
    }

    /**
     * The headers that carry the bound context: {@code Authorization}, {@code traceparent}, {@code tracestate} and {@code
     * baggage}. Resolves the token anew for each subscription. The map holds a bearer: never log it, and send
     * it only where the application's identity may go.
     *
     * <p>The bearer of an incoming request is not given out like this, because where the headers go is not known here: under
     * a context that came with one it fails, and {@link CaracalContext#toMap()} gives the trace without a bearer.
     *
     * @return a new map; or {@link run.caracal.error.NoContextException} outside a session, {@link
     *     run.caracal.error.ForeignContextException} under the context of an incoming request's caller
     */
    public Mono<Map<String, String>> headers() {
        return parts.outbound().headers(false);
    }

    /**
     * The headers of the application itself, outside every session; inside a session, those of {@link #headers()}. For
     * trusted service-root calls only.
     *
     * @return a new map
     */
    public Mono<Map<String, String>> headersAsApplication() {
        return parts.outbound().headers(true);
    }

    /**
     * Mints a one-shot mandate with every default; see {@link #mintMandate(String, List, MandateOptions)}.
     *
     * @param resource the resource identifier, for instance {@code resource://billing-api}
     * @param scopes what the call needs; none for the scopes of the session's grant, if it names the resource, else those
     *     of the configuration
     * @throws IllegalArgumentException if the resource or a scope is none
     */
    public Mono<Mandate> mintMandate(String resource, String... scopes) {
        return mintMandate(resource, Arrays.asList(scopes), MandateOptions.defaults());
    }

    /**
     * Mints a one-shot mandate for the bound session and its delegation: the bearer of one call through the Gateway. For
     * clients that cannot be decorated; a decorated client with scopes mints by itself. Each subscription is exactly one
     * request for a mandate, and none is kept.
     *
     * <p>A session that holds no delegation obtains one: a child of it is opened, with the labels of the options, and
     * receives a delegation of exactly this resource and these scopes. Both are kept for further mandates, and ended with
     * the session.
     *
     * @param scopes what the call needs; none for the scopes of the session's grant, if it names the resource, else those
     *     of the configuration
     * @param options how long it lives, and the approval that it presents
     * @return a new mandate; {@link run.caracal.error.NoContextException} outside a session, {@link ConfigurationException}
     *     without a client secret and when no scopes are known, {@link run.caracal.error.ApprovalRequiredException} when a
     *     person has to approve first, another {@link run.caracal.error.StsException} when the mandate is refused, or a {@link
     *     run.caracal.error.CoordinatorException} when the delegation is
     * @throws IllegalArgumentException if the resource or a scope is none
     */
    public Mono<Mandate> mintMandate(String resource, List<String> scopes, MandateOptions options) {
        String id = Arguments.resource(resource, "resource");
        List<String> given = Arguments.callScopes(scopes);
        return parts.mandates().mintForBound(id, given, options.spec()).map(Mandate::new);
    }

    /**
     * Waits until a person has approved what was held with an {@link run.caracal.error.ApprovalRequiredException}. Asks the
     * STS with long polls, goes on while the STS cannot be reached, and has no end of its own but the hold's: bound it with
     * {@code timeout(...)}. Cancelling ends it at once.
     *
     * @return completes when it was approved; {@link run.caracal.error.ApprovalNotGrantedException} when it was rejected, has
     *     expired or was used already; {@link run.caracal.error.StsException.ResourceNotFound} when the STS knows no such
     *     approval; what the last poll met when the STS cannot be reached at the end of the hold
     * @throws IllegalArgumentException if the id is none
     */
    public Mono<Void> waitForApproval(String approvalId) {
        return Calls.sealed(parts.approvals().await(Arguments.id(approvalId, "approvalId")));
    }

    /**
     * Runs an operation that may need a person's approval: when it ends with an {@link
     * run.caracal.error.ApprovalRequiredException}, waits as {@link #waitForApproval(String)} does, and runs it once more.
     * Nothing else is repeated, and what is held a second time is the caller's error.
     *
     * <pre>{@code
     * caracal.withApproval(id -> caracal.mintMandate(resource, scopes,
     *         id.map(MandateOptions.defaults()::withApprovalId).orElse(MandateOptions.defaults())));
     * }</pre>
     *
     * <p>A call of a decorated client is held before it is sent. Repeated in the same session it finds its approval by itself,
     * so it can leave the id alone.
     *
     * @param operation makes the operation, given the id of the approval, which is empty at first
     * @return the result of the operation; its error, or that of the wait
     */
    public <T> Mono<T> withApproval(Function<? super Optional<String>, ? extends Mono<T>> operation) {
        Objects.requireNonNull(operation, "operation");
        return Calls.sealed(parts.approvals()
                .around(id -> Supplied.given(operation.apply(id), "The operation of withApproval(...)")));
    }

    /**
     * Makes a user of another identity provider known to the platform, with the platform's own time to live; see {@link
     * #federateSubject(String, Duration)}.
     *
     * @throws IllegalArgumentException if it is no identity token, or has expired
     */
    public Mono<FederatedSubject> federateSubject(String idToken) {
        return parts.mandates().federate(Arguments.idToken(idToken), null).map(FederatedSubject::new);
    }

    /**
     * Makes a user of another identity provider known to the platform: exchanges the user's identity token, whose issuer the
     * zone trusts, for the user's authority record, to which sessions are anchored then:
     *
     * <pre>{@code
     * caracal.federateSubject(idToken).flatMap(user -> caracal.spawn(
     *         SpawnOptions.builder().subjectAuthorityRecordId(user.authorityRecordId()).build(),
     *         session -> charge(order)));
     * }</pre>
     *
     * <p>Each subscription is exactly one request, and nothing is kept: each exchange is an event of its own in the audit log.
     * A token that is plainly of no use is refused before any call, and never shown.
     *
     * @param idToken the user's identity token
     * @param ttl how long the user's mandate lives: whole seconds, from 1 to 3600
     * @return the user's authority record, and the user's own mandate; {@link ConfigurationException} without a client
     *     secret, {@link run.caracal.error.StsException} when the token is refused, {@link
     *     run.caracal.error.ProtocolException} when the answer names no authority record, or {@code
     *     IllegalArgumentException} when the token has expired since
     * @throws IllegalArgumentException if it is no identity token, has expired, or the time is outside
     */
    public Mono<FederatedSubject> federateSubject(String idToken, Duration ttl) {
        Duration checked = Arguments.subjectTtl(ttl);
        return parts.mandates().federate(Arguments.idToken(idToken), checked).map(FederatedSubject::new);
    }

    /**
     * Builds a request for a protected resource at the Gateway: its address and the header that selects the resource.
     *
     * @param resource the resource identifier, for instance {@code resource://billing-api}
     * @param path the path at the resource, with a leading slash, and a query if wanted
     * @return the address and the headers, to be used with a decorated client
     * @throws IllegalArgumentException if the resource or the path cannot be used
     * @throws run.caracal.error.RoutingException for too many different resources that are not configured
     */
    public GatewayRequest gatewayRequest(String resource, String path) {
        String id = Arguments.resource(resource, "resource");
        return new GatewayRequest(id, parts.outbound().gatewayUrl(id, path));
    }

    /**
     * Calls a protected resource through the Gateway, for those without a decorated client:
     *
     * <pre>{@code
     * Mono<HttpResponse> receipt = caracal.spawn(session -> caracal.fetch(
     *         FetchRequest.builder("resource://billing-api", "/charge").json("{\"amount\": 1200}").build()));
     * }</pre>
     *
     * <p>Who calls and with what is decided as for a decorated client. Each subscription is one call: nothing is repeated, no
     * redirect is followed, and with scopes each has a mandate of its own. The answer is collected in memory. Calls share
     * connections of their own, apart from those to the STS and the Coordinator, made at the first call and released with
     * this client; a transport that the configuration was given carries them too. A cancellation aborts the call; the
     * upstream may have acted on it.
     *
     * @param request what to call
     * @return the answer, when its status is below 400, a redirect of the upstream too; {@link
     *     run.caracal.error.GatewayException} for any other, which tells what the Gateway said from what the upstream said;
     *     {@link run.caracal.error.AuthorityRevokedException} when the Gateway cut the answer off because the authority of the call
     *     was revoked meanwhile; {@link run.caracal.error.NoContextException} outside a session, unless the request allows
     *     the application itself; {@link run.caracal.error.TransportException} when no answer came in time or it is too
     *     large; or what the mandate met, as for {@link #mintMandate(String, List, MandateOptions)}
     * @throws IllegalArgumentException if the path cannot be used
     * @throws run.caracal.error.RoutingException for too many different resources that are not configured; signalled, for one
     *     that is not configured and has no scopes in the request or in the session's grant
     */
    public Mono<HttpResponse> fetch(FetchRequest request) {
        return parts.fetches().fetch(request.spec());
    }

    /**
     * {@return how a decorated client decides about outgoing requests, with every default; the policy, good for as long
     * as this client}
     */
    public OutboundPolicy outbound() {
        return outbound(TransportOptions.defaults());
    }

    /**
     * How a decorated client decides about outgoing requests. Applications decorate a client instead of calling this; it is
     * public for those who adapt another HTTP client.
     *
     * @param options how requests get their identity
     * @return the policy, good for as long as this client
     * @throws ConfigurationException in production, when the options send identity over plain http to another machine
     */
    public OutboundPolicy outbound(TransportOptions options) {
        return parts.outbound().policy(Objects.requireNonNull(options, "options"), null);
    }

    /**
     * Starts a verifier of inbound mandates for this client's zone: its issuer and its keys are those of the configured STS,
     * and the keys are fetched over this client's transport, which ends with the client. What remains to be said is the
     * audience and the revocations; and the issuer, where the STS calls itself otherwise than this client does.
     */
    public JwksMandateVerifier.Builder mandateVerifier() {
        return parts.mandateVerifier();
    }

    /**
     * How a client calls one resource as the application itself, with every default; see {@link
     * #applicationTransport(String, List, ApplicationOptions)}.
     *
     * @param resource the resource identifier, for instance {@code resource://billing-api}
     */
    public OutboundPolicy applicationTransport(String resource, String... scopes) {
        return applicationTransport(resource, Arrays.asList(scopes), ApplicationOptions.defaults());
    }

    /**
     * How a client calls one resource as the application itself: for work that no session of yours makes, such as a health
     * check or a scheduled import, whatever session is bound or none. Decorate a client of its own with it:
     *
     * <pre>{@code
     * HttpClient ledger = CaracalHttp.decorate(
     *         HttpClient.create(), caracal.applicationTransport("resource://ledger", "ledger:read"));
     * }</pre>
     *
     * <p>A request under a bound prefix of the resource, or at the Gateway, carries a one-shot mandate of its own; of a bound
     * context it keeps the trace id only. Any other request fails with {@link run.caracal.error.RoutingException} before
     * anything is opened or minted, so that no credential goes elsewhere.
     *
     * <p>The platform mints for delegated sessions only, so the first call opens two sessions, each for the life of a mandate
     * and two minutes more, and a delegation between them of exactly this resource and these scopes. All calls with the same
     * resource, scopes, labels, time to live and user share them, also those of other clients made by this method; they are
     * replaced before they end, or when the platform says that they have, and ended with this client. At most 16 such pairs
     * are kept; the least recently used one goes first.
     *
     * @param scopes what the calls need; none for those of the configuration
     * @param options labels, time to live of the mandates, and the user for whom the calls are made
     * @return the policy, good for as long as this client
     * @throws IllegalArgumentException if the resource or a scope is none
     * @throws ConfigurationException without a client secret, or when no scopes are known
     */
    public OutboundPolicy applicationTransport(String resource, List<String> scopes, ApplicationOptions options) {
        String id = Arguments.resource(resource, "resource");
        return parts.outbound().application(id, Arguments.callScopes(scopes), options.spec());
    }

    /**
     * Adds a hook that runs in every session after it was opened and before its work; hooks run in the order in which they
     * were added, with the session bound. One that fails, or does not end within 30 seconds, ends the session and fails the
     * spawn, with what it signals or a {@link run.caracal.error.CallbackException}.
     *
     * @return removes the hook
     */
    public Disposable onSessionStart(Function<CaracalContext, Mono<Void>> hook) {
        return parts.sessions().onStart(viewing("A session start hook", hook));
    }

    /**
     * Adds a hook that runs for every session before it is terminated, however its work ended; hooks run in the order in
     * which they were added, with the session bound. All together they have the close timeout. One that fails, or is too
     * late, is reported like a failing termination, which takes place all the same.
     *
     * @return removes the hook
     */
    public Disposable onSessionEnd(Function<CaracalContext, Mono<Void>> hook) {
        return parts.sessions().onEnd(viewing("A session end hook", hook));
    }

    /**
     * Emits the operations of this client at the services, from the subscription on.
     *
     * @return a hot Flux, on a thread of the SDK; a subscriber that is too slow loses events; completes when the
     *     client is closed
     */
    public Flux<CaracalEvent> events() {
        return parts.events().events();
    }

    /**
     * Adds a listener for {@link #events()}. What it throws is logged, and how long it takes disturbs no operation; all
     * listeners share one thread, so a slow one delays the others.
     *
     * @param listener the listener, called on a thread of the SDK
     * @return removes the listener
     */
    public Disposable onEvent(Consumer<? super CaracalEvent> listener) {
        return parts.events().listen(Objects.requireNonNull(listener, "listener"));
    }

    /**
     * Adds a listener that is called by the operations themselves, at their start and at their end: for meters and traces,
     * see {@link OperationListener}. {@code run.caracal.micrometer} has both for Micrometer.
     *
     * @param listener the listener; it must not block
     * @return removes the listener
     */
    public Disposable onOperation(OperationListener listener) {
        return parts.events().listen(Objects.requireNonNull(listener, "listener"));
    }

    /**
     * Closes the client: refuses new sessions at once, waits for those opening, at work and terminating for the
     * configured time (10 s by default), terminates the rest (work that still runs is not signalled), and then releases the
     * transport if it is the SDK's own: its requests that are still under way fail.
     * Afterwards every operation fails with {@link ClosedException} and nothing is sent. Lazy and idempotent: the first
     * subscription closes, all share one end, and cancelling does not stop it.
     *
     * @return completes when everything is released; never an error
     */
    public Mono<Void> disposeLater() {
        return parts.end();
    }

    /**
     * How many sessions the client is ending in the background: those whose termination failed for a reason that passes, such
     * as a rate limit or an outage of the Coordinator, and those whose opening was never answered. They are tried again until
     * the platform answers, until their time to live is over, or until the client is closed; see {@link
     * CaracalEvent.TerminationPending} and {@link CaracalEvent.TerminationSettled}.
     *
     * @return the number at this moment
     */
    public int pendingTerminations() {
        return parts.pendingTerminations();
    }

    /** Closes the client as {@link #disposeLater()} does, without waiting. */
    @Override
    public void dispose() {
        // The end is shared and cannot be cancelled: nobody has to hold this subscription.
        var unused = parts.end().subscribe(null, e -> log.error("The Caracal client did not close in good order", e));
    }

    @Override
    public boolean isDisposed() {
        return parts.state().isClosed();
    }

    /** Names the zone and the application; no secret. */
    @Override
    public String toString() {
        return "Caracal[zoneId=" + config.zoneId() + ", applicationId=" + config.applicationId() + "]";
    }

    /** Functions of the application see the public view of a context. */
    private static <R> Function<BoundContext, R> viewing(
            String name, Function<? super CaracalContext, ? extends R> work) {
        Objects.requireNonNull(work, "work");
        return bound -> Supplied.given(work.apply(new CaracalContext(bound)), name);
    }
}
