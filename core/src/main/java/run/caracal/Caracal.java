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
 * The client of the Caracal platform: opens agent sessions around reactive work, binds their identity in the Reactor
 * Context, and attaches it to outgoing requests.
 *
 * <pre>{@code
 * Caracal caracal = Caracal.create();
 * Mono<Receipt> receipt = caracal.spawn(context -> charge(order));
 * }</pre>
 *
 * <p>One thread-safe client serves a whole application. Every method that returns a publisher is lazy, and repeats its
 * work for each subscription. Invalid arguments throw immediately; all other errors are signalled. Results arrive on
 * threads of the HTTP transport or of the SDK's timer, which must not be blocked.
 *
 * <p>Close the client with {@link #disposeLater()} when the application stops; this terminates the sessions that it
 * opened.
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
     * Creates a client from the first of: the profile named by {@code CARACAL_CONFIG}, the {@code caracal.toml} of the
     * default directory, the environment variables. Reads files: call it at start-up, or use {@link #load()}.
     *
     * @throws ConfigurationException listing every fault of the configuration
     * @throws IllegalStateException on a non-blocking thread
     */
    public static Caracal create() {
        return create(CaracalConfig.load());
    }

    /**
     * Creates a client. Sends nothing. Unless the configuration has a transport, this looks one up, which may block.
     *
     * @throws ConfigurationException if there is no HTTP transport
     * @throws IllegalStateException on a non-blocking thread, unless the configuration has a transport
     */
    public static Caracal create(CaracalConfig config) {
        return new Caracal(Objects.requireNonNull(config, "config"));
    }

    /**
     * Creates a client as {@link #create()} does, on {@link Schedulers#boundedElastic()}. Each subscriber gets its own
     * client, and has to close it.
     *
     * @return a new client, or a {@link ConfigurationException}
     */
    public static Mono<Caracal> load() {
        return Mono.<Caracal>fromCallable(Caracal::create).subscribeOn(Schedulers.boundedElastic());
    }

    /**
     * Creates a client from the profile named by {@code CARACAL_CONFIG}, else from the environment variables. May read
     * files: call it at start-up.
     *
     * @throws ConfigurationException listing every fault of the configuration
     * @throws IllegalStateException on a non-blocking thread
     */
    public static Caracal fromEnvironment() {
        return create(CaracalConfig.fromEnvironment());
    }

    /**
     * Creates a client from a profile. Reads files: call it at start-up.
     *
     * @param profile the path of a {@code caracal.toml}
     * @throws ConfigurationException listing every fault of the configuration
     * @throws IllegalStateException on a non-blocking thread
     */
    public static Caracal fromProfile(Path profile) {
        return create(CaracalConfig.fromProfile(profile));
    }

    /**
     * Checks that the platform is usable, for instance before the application reports itself ready: the STS issues the
     * application token (unless a valid one is cached), and the Coordinator accepts it. Opens no session; bounded by
     * the timeouts of the two calls.
     *
     * @return completes if both succeed, else the error that opening a session would signal: a
     *     {@link run.caracal.error.StsException}, {@link run.caracal.error.CoordinatorException},
     *     {@link run.caracal.error.TransportException}, {@link ConfigurationException} or {@link ClosedException}
     */
    public Mono<Void> check() {
        return Calls.sealed(parts.check());
    }

    /** {@return the configured zone} */
    public String zoneId() {
        return config.zoneId();
    }

    /** {@return the configured application} */
    public String applicationId() {
        return config.applicationId();
    }

    /** Runs work inside its own agent session, with default options; see {@link #spawn(SpawnOptions, Function)}. */
    public <T> Mono<T> spawn(Function<? super CaracalContext, ? extends Mono<T>> work) {
        return spawn(SpawnOptions.defaults(), work);
    }

    /**
     * Runs work inside its own agent session. The session is opened on subscription, and terminated once when the work
     * completes, fails or is cancelled, even if the cancellation arrives while the session is being opened. Its context
     * is bound in the Reactor Context of the work.
     *
     * <p>The session is a child of the session bound in the subscriber's Reactor Context, if any. The result waits for
     * the termination for at most the close timeout; after that the termination continues in the background. A failed
     * termination never replaces the error of the work, and replaces its result only if the configuration says so.
     *
     * @param work creates the work from the session's context; called and subscribed once per session
     * @return the result of the work, empty if the work is; its error; or the error of opening the session: a
     *     {@link run.caracal.error.CoordinatorException}, {@link run.caracal.error.StsException},
     *     {@link run.caracal.error.TransportException} or {@link ClosedException}
     */
    public <T> Mono<T> spawn(SpawnOptions options, Function<? super CaracalContext, ? extends Mono<T>> work) {
        return parts.sessions().one(options.spec(), viewing("The work of spawn(...)", work));
    }

    /**
     * Runs work with many results inside its own agent session, with default options; see
     * {@link #spawnMany(SpawnOptions, Function)}.
     */
    public <T> Flux<T> spawnMany(Function<? super CaracalContext, ? extends Publisher<T>> work) {
        return spawnMany(SpawnOptions.defaults(), work);
    }

    /**
     * Runs work with many results inside its own agent session. Like {@link #spawn(SpawnOptions, Function)}, but
     * results are emitted as they arrive, on the subscriber's demand; only the completion waits for the termination.
     *
     * @param work creates the work from the session's context; called and subscribed once per session
     * @return the results of the work; its error, or that of opening the session
     */
    public <T> Flux<T> spawnMany(SpawnOptions options, Function<? super CaracalContext, ? extends Publisher<T>> work) {
        return parts.sessions().many(options.spec(), viewing("The work of spawnMany(...)", work));
    }

    /**
     * {@return an operator that runs a pipeline inside its own session, with default options:
     * {@code charge(order).transform(caracal.inSession())}}
     */
    public <T> UnaryOperator<Mono<T>> inSession() {
        return inSession(SpawnOptions.defaults());
    }

    /** {@return an operator that runs a pipeline inside its own session; see {@link #spawn(SpawnOptions, Function)}} */
    public <T> UnaryOperator<Mono<T>> inSession(SpawnOptions options) {
        return work -> spawn(options, context -> work);
    }

    /**
     * Opens a service agent with default options; see {@link #spawnService(ServiceOptions)}.
     *
     * @return the agent, which the subscriber has to close
     */
    public Mono<ServiceAgent> spawnService() {
        return spawnService(ServiceOptions.defaults());
    }

    /**
     * Opens a service agent, for daemons and workers that outlive a request: a session without a TTL that lives as long
     * as its lease is renewed. Renew the lease with {@link ServiceAgent#heartbeat()}, by subscribing to
     * {@link ServiceAgent#heartbeats()}, or in the background with {@link ServiceOptions.Builder#heartbeatInterval}.
     *
     * <p>If the subscriber cancels before the agent is delivered, the session is closed; after that the subscriber has
     * to close it. {@link #runService} closes it by itself. A task bound in the Reactor Context does not become the
     * parent, because the platform does not allow that; the service only joins its trace.
     *
     * @return the agent; or the error of opening it
     */
    public Mono<ServiceAgent> spawnService(ServiceOptions options) {
        return parts.services().open(options.spec(), this::agent);
    }

    /**
     * Runs work as its own service agent: opens the service on subscription, renews its lease while the work runs, and
     * closes it when the work completes, fails or is cancelled. The agent's context is bound in the Reactor Context of
     * the work. When the lease is lost, the work is cancelled and the Flux fails with
     * {@link run.caracal.error.LeaseLostException}.
     *
     * <p>By default the first error ends the service; with {@link ServiceOptions.Builder#reopen} it runs as a daemon
     * that survives transient errors. All threads of Reactor are daemon threads, so {@code main} has to block until the
     * daemon ends.
     *
     * @param options how the service is opened; a heartbeat interval replaces the default, a third of the remaining
     *     lease
     * @param work creates the work from the agent; called once per service, and again after a failure with
     *     {@code reopen}
     */
    public <T> Flux<T> runService(ServiceOptions options, Function<? super ServiceAgent, ? extends Publisher<T>> work) {
        Objects.requireNonNull(work, "work");
        return parts.services().run(options.spec(), this::agent, work);
    }

    /**
     * Runs work with at most one result as its own service agent; see {@link #runService}. The result is emitted after
     * the service was closed.
     *
     * @return the result of the work, empty if the work is
     */
    public <T> Mono<T> runServiceMono(ServiceOptions options, Function<? super ServiceAgent, ? extends Mono<T>> work) {
        return this.<T>runService(options, work).singleOrEmpty();
    }

    private ServiceAgent agent(Service service, Mono<Void> end) {
        return new ServiceAgent(this, service, end);
    }

    /**
     * Takes over a service session with default options; see {@link #attachService(String, ServiceOptions)}.
     *
     * @return the agent, which the subscriber has to close
     */
    public Mono<ServiceAgent> attachService(String agentSessionId) {
        return attachService(agentSessionId, ServiceOptions.defaults());
    }

    /**
     * Takes over a service session, for instance after a restart. Its lease gets a new generation, so an earlier holder
     * loses it with {@link run.caracal.error.LeaseLostException.Reason#FENCED}. The delegation of a narrowed service
     * cannot be taken over, because its first holder renews it: open a new service instead.
     *
     * @param options how the lease is renewed; options of a new session are ignored
     * @return the agent, which the subscriber has to close; {@link run.caracal.error.LeaseLostException} if the session
     *     has expired or is suspended, {@link run.caracal.error.CoordinatorException} if it is not a service of this
     *     application
     */
    public Mono<ServiceAgent> attachService(String agentSessionId, ServiceOptions options) {
        String id = Arguments.id(agentSessionId, "agentSessionId");
        return parts.services().attach(id, options.spec(), this::agent);
    }

    /**
     * Delegates a part of the bound session's authority to another session, and runs work with the delegation bound:
     * {@link #headers()} and calls without scopes name it; calls with scopes still use the session's own authority. The
     * bound context has the session's ids, the new delegation, the session's own delegation as its parent, and one hop
     * more.
     *
     * <p>The delegation lives until its TTL expires, unless {@link DelegationSpec#revokeOnEnd()} is set. Then it is
     * revoked when the work completes, fails or is cancelled, even if the cancellation arrives while the delegation is
     * being created.
     *
     * @param work creates the work from the derived context; called and subscribed once per delegation
     * @return the result of the work; its error; {@link run.caracal.error.NoContextException} outside a session,
     *     {@link run.caracal.error.DelegationException} for a delegation to the session itself, or the error of
     *     creating the delegation, such as a {@link run.caracal.error.CoordinatorException}
     */
    public <T> Mono<T> delegate(DelegationSpec spec, Function<? super CaracalContext, ? extends Mono<T>> work) {
        return parts.delegations().one(spec.terms(), viewing("The work of delegate(...)", work));
    }

    /**
     * Delegates and runs work with many results; see {@link #delegate(DelegationSpec, Function)}.
     *
     * @return the results of the work; its error, or that of creating the delegation
     */
    public <T> Flux<T> delegateMany(
            DelegationSpec spec, Function<? super CaracalContext, ? extends Publisher<T>> work) {
        return parts.delegations().many(spec.terms(), viewing("The work of delegateMany(...)", work));
    }

    /**
     * Delegates a part of the bound session's authority to another session, which accepts it with
     * {@link #acceptDelegation(String, Function)}. Each subscription creates a new delegation, unless the specification
     * has an idempotency key. A cancellation does not abort a request in flight. The delegation is not revoked at any
     * end: {@link DelegationSpec#revokeOnEnd()} is for {@link #delegate(DelegationSpec, Function)} only.
     *
     * @return the delegation; or an error as for {@link #delegate(DelegationSpec, Function)}
     */
    public Mono<Delegation> createDelegation(DelegationSpec spec) {
        return parts.delegations().create(spec.terms()).map(Delegation::of);
    }

    /**
     * Accepts a delegation in the bound session, without asking the Coordinator; see {@link #acceptDelegation(String,
     * Acceptance, Function)}.
     */
    public <T> Mono<T> acceptDelegation(
            String delegationEdgeId, Function<? super CaracalContext, ? extends Mono<T>> work) {
        return acceptDelegation(delegationEdgeId, Acceptance.UNCHECKED, work);
    }

    /**
     * Accepts a delegation that the bound session received, and runs work under it: the work's context has the
     * session's id, the delegation, and one hop more.
     *
     * @param acceptance whether the Coordinator is asked first
     * @param work creates the work from the derived context
     * @return the result of the work; {@link run.caracal.error.NoContextException} outside a session, or
     *     {@link run.caracal.error.DelegationException} if the Coordinator was asked, and the delegation is not active
     *     or not addressed to the session
     * @throws IllegalArgumentException if the id is malformed
     */
    public <T> Mono<T> acceptDelegation(
            String delegationEdgeId, Acceptance acceptance, Function<? super CaracalContext, ? extends Mono<T>> work) {
        String id = Arguments.id(delegationEdgeId, "delegationEdgeId");
        return parts.delegations()
                .accept(id, acceptance.isValidated(), viewing("The work of acceptDelegation(...)", work));
    }

    /**
     * Accepts a delegation for work with many results; see {@link #acceptDelegation(String, Acceptance, Function)}.
     *
     * @throws IllegalArgumentException if the id is malformed
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
     * Revokes a delegation that this application issued, and everything derived from it. The platform then also ends
     * the receiving sessions. A delegation that is no longer active counts as revoked.
     *
     * @return completes when the delegation has ended
     * @throws IllegalArgumentException if the id is malformed
     */
    public Mono<Void> revokeDelegation(String delegationEdgeId) {
        return parts.delegations().revoke(Arguments.id(delegationEdgeId, "delegationEdgeId"));
    }

    /**
     * Describes in words on whose authority the bound session acts: the application, the session and its parents as far
     * as this client opened them, and each grant and delegation between them. For humans; the format may change.
     * Contains ids and names, no secret.
     *
     * @return the chain, starting at the root; empty outside a session
     */
    public Mono<String> describeAuthority() {
        return current().map(context -> Provenance.describe(context.bound()));
    }

    /** {@return the context bound in the subscriber's Reactor Context; empty outside a session} */
    public Mono<CaracalContext> current() {
        return Mono.deferContextual(view -> Mono.justOrEmpty(CaracalContext.from(view)));
    }

    /**
     * Binds a context to work that loses it, for instance background work: capture the context inside the session, and
     * bind it where the work is subscribed. Does not keep the session open.
     */
    public <T> Mono<T> bind(CaracalContext context, Mono<T> work) {
        return work.contextWrite(context.bound()::bind);
    }

    /** Binds a context to work with many results; see {@link #bind(CaracalContext, Mono)}. */
    public <T> Flux<T> bind(CaracalContext context, Flux<T> work) {
        return work.contextWrite(context.bound()::bind);
    }

    /**
     * Binds the unverified caller of a request; see {@link #bindFromHeaders(Function, Boundary, Mono)}. Throws in
     * production, which requires an explicit boundary.
     */
    public <T> Mono<T> bindFromHeaders(Map<String, String> headers, Mono<T> work) {
        return bindFromHeaders(headers, Boundary.propagationOnly(), work);
    }

    /**
     * Binds the caller of a request; see {@link #bindFromHeaders(Function, Boundary, Mono)}.
     *
     * @param headers the headers, or the metadata of another carrier; names match in any case
     */
    public <T> Mono<T> bindFromHeaders(Map<String, String> headers, Boundary boundary, Mono<T> work) {
        return bindFromHeaders(IncomingHeaders.lookup(Objects.requireNonNull(headers, "headers")), boundary, work);
    }

    /**
     * Verifies a request by its headers, and runs work for its caller: the context bound in the Reactor Context of the
     * work has the caller's session, delegation, trace, baggage and bearer. Decorated clients send that bearer to the
     * Gateway, and to other origins only if {@link run.caracal.http.Propagation#origins} names them. For Reactor Netty
     * and Spring WebFlux use the adapters instead.
     *
     * <p>With a verifier the claims of the mandate replace the unsigned baggage completely. Without one the context
     * contains the caller's unverified claims. Malformed and oversized headers other than the bearer are ignored.
     *
     * @param headers returns all values of a header for its lower-case name, in order; called on subscription
     * @param work handles the request; not subscribed if the request is rejected
     * @return the same work, with the caller bound; or {@link run.caracal.error.InboundException} with the HTTP status
     *     of a rejection, for instance 401 {@code missing_token} for a request without a bearer, unless the boundary
     *     allows that
     * @throws ConfigurationException in production, if the boundary is not trusted and has no verifier or runs as the
     *     application
     */
    public <T> Mono<T> bindFromHeaders(Function<String, List<String>> headers, Boundary boundary, Mono<T> work) {
        Objects.requireNonNull(work, "work");
        Mono<InboundDecision> judged = inbound(boundary).judge(headers);
        return judged.flatMap(call -> work.contextWrite(call::bind)).onErrorStop();
    }

    /**
     * Binds the unverified caller of a request for work with many results; see
     * {@link #bindFromHeaders(Function, Boundary, Mono)}. Throws in production, which requires an explicit boundary.
     */
    public <T> Flux<T> bindFromHeaders(Map<String, String> headers, Flux<T> work) {
        return bindFromHeaders(headers, Boundary.propagationOnly(), work);
    }

    /**
     * Binds the caller of a request for work with many results; see {@link #bindFromHeaders(Function, Boundary, Mono)}.
     *
     * @param headers the headers, or the metadata of another carrier; names match in any case
     */
    public <T> Flux<T> bindFromHeaders(Map<String, String> headers, Boundary boundary, Flux<T> work) {
        return bindFromHeaders(IncomingHeaders.lookup(Objects.requireNonNull(headers, "headers")), boundary, work);
    }

    /**
     * Binds the caller of a request for work with many results; see {@link #bindFromHeaders(Function, Boundary, Mono)}.
     *
     * @param headers returns all values of a header for its lower-case name, in order; called on subscription
     */
    public <T> Flux<T> bindFromHeaders(Function<String, List<String>> headers, Boundary boundary, Flux<T> work) {
        Objects.requireNonNull(work, "work");
        Mono<InboundDecision> judged = inbound(boundary).judge(headers);
        return judged.flatMapMany(call -> work.contextWrite(call::bind)).onErrorStop();
    }

    /**
     * {@return the policy that verifies incoming requests, valid as long as this client} For adapters of other servers;
     * applications use the adapter of their server or {@link #bindFromHeaders(Function, Boundary, Mono)}.
     *
     * @throws ConfigurationException in production, if the boundary is not trusted and has no verifier or runs as the
     *     application
     */
    public InboundPolicy inbound(Boundary boundary) {
        return parts.inbound().policy(boundary.spec());
    }

    /**
     * Returns the headers of the bound context: {@code Authorization}, {@code traceparent}, {@code tracestate} and
     * {@code baggage}. Resolves the token for each subscription. The map contains a bearer: never log it, and send it
     * only where the application's identity may go.
     *
     * <p>Fails under the context of an inbound request's caller, because the SDK does not know where the caller's
     * bearer would go; use {@link CaracalContext#toMap()} for the trace without a bearer.
     *
     * @return a new map; {@link run.caracal.error.NoContextException} outside a session;
     *     {@link run.caracal.error.ForeignContextException} under the context of an inbound request's caller
     */
    public Mono<Map<String, String>> headers() {
        return parts.outbound().headers(false);
    }

    /**
     * Returns {@link #headers()} inside a session, and the headers of the application itself outside. For trusted
     * service-root calls only.
     */
    public Mono<Map<String, String>> headersAsApplication() {
        return parts.outbound().headers(true);
    }

    /**
     * Mints a one-shot mandate with default options; see {@link #mintMandate(String, List, MandateOptions)}.
     *
     * @param resource the resource id, for instance {@code resource://billing-api}
     * @throws IllegalArgumentException if the resource or a scope is malformed
     */
    public Mono<Mandate> mintMandate(String resource, String... scopes) {
        return mintMandate(resource, Arrays.asList(scopes), MandateOptions.defaults());
    }

    /**
     * Mints a one-shot mandate for the bound session and its delegation: the bearer of one call through the Gateway.
     * For clients that cannot be decorated; decorated clients mint by themselves. Each subscription sends one request,
     * and mandates are never cached.
     *
     * <p>If the session has no delegation, the SDK opens a child session with the labels of the options, and delegates
     * exactly this resource and these scopes to it. Further mandates reuse both; they end with the session.
     *
     * @param scopes the scopes of the call; if empty, those of the session's grant for the resource, else the
     *     configured ones
     * @return a new mandate; {@link run.caracal.error.NoContextException} outside a session;
     *     {@link ConfigurationException} without a client secret or without known scopes;
     *     {@link run.caracal.error.ApprovalRequiredException} if a person has to approve first; another
     *     {@link run.caracal.error.StsException} if the mint is rejected, or a
     *     {@link run.caracal.error.CoordinatorException} if the delegation is
     * @throws IllegalArgumentException if the resource or a scope is malformed
     */
    public Mono<Mandate> mintMandate(String resource, List<String> scopes, MandateOptions options) {
        String id = Arguments.resource(resource, "resource");
        List<String> given = Arguments.callScopes(scopes);
        return parts.mandates().mintForBound(id, given, options.spec()).map(Mandate::new);
    }

    /**
     * Waits for a person's decision on a call that failed with {@link run.caracal.error.ApprovalRequiredException}.
     * Polls the STS (long polling), through outages too, until the hold expires: limit the wait with
     * {@code timeout(...)}. Stops on cancel.
     *
     * @return completes when the call was approved; {@link run.caracal.error.ApprovalNotGrantedException} if it was
     *     rejected, has expired or was already used; {@link run.caracal.error.StsException.ResourceNotFound} if the STS
     *     does not know the approval; the error of the last poll if the STS is unreachable when the hold expires
     * @throws IllegalArgumentException if the id is malformed
     */
    public Mono<Void> waitForApproval(String approvalId) {
        return Calls.sealed(parts.approvals().await(Arguments.id(approvalId, "approvalId")));
    }

    /**
     * Runs an operation; if it fails with {@link run.caracal.error.ApprovalRequiredException}, waits as
     * {@link #waitForApproval(String)} does, and runs it once more. A second hold, and any other error, is signalled.
     *
     * <pre>{@code
     * caracal.withApproval(id -> caracal.mintMandate(resource, scopes,
     *         id.map(MandateOptions.defaults()::withApprovalId).orElse(MandateOptions.defaults())));
     * }</pre>
     *
     * <p>A call of a decorated client can ignore the id: repeated in the same session, it finds its approval by itself.
     *
     * @param operation creates the operation from the id of the approval, which is empty for the first attempt
     * @return the result of the operation; its error, or that of the wait
     */
    public <T> Mono<T> withApproval(Function<? super Optional<String>, ? extends Mono<T>> operation) {
        Objects.requireNonNull(operation, "operation");
        return Calls.sealed(parts.approvals()
                .around(id -> Supplied.given(operation.apply(id), "The operation of withApproval(...)")));
    }

    /**
     * Federates a user of another identity provider, with the platform's default TTL; see
     * {@link #federateSubject(String, Duration)}.
     *
     * @throws IllegalArgumentException if the token is malformed or has expired
     */
    public Mono<FederatedSubject> federateSubject(String idToken) {
        return parts.mandates().federate(Arguments.idToken(idToken), null).map(FederatedSubject::new);
    }

    /**
     * Federates a user of another identity provider: exchanges the user's identity token, whose issuer the zone must
     * trust, for the user's authority record. Sessions opened with that record act for the user:
     *
     * <pre>{@code
     * caracal.federateSubject(idToken).flatMap(user -> caracal.spawn(
     *         SpawnOptions.builder().subjectAuthorityRecordId(user.authorityRecordId()).build(),
     *         session -> charge(order)));
     * }</pre>
     *
     * <p>Each subscription sends one request, which the audit log shows as its own event; nothing is cached. Messages
     * never contain the token.
     *
     * @param ttl how long the user's mandate lives: whole seconds, from 1 to 3600
     * @return the user's authority record and mandate; {@link ConfigurationException} without a client secret;
     *     {@link run.caracal.error.StsException} if the token is rejected; {@link run.caracal.error.ProtocolException}
     *     if the answer has no authority record; {@code IllegalArgumentException} if the token has expired before the
     *     subscription
     * @throws IllegalArgumentException if the token is malformed or has expired, or the TTL is out of range
     */
    public Mono<FederatedSubject> federateSubject(String idToken, Duration ttl) {
        Duration checked = Arguments.subjectTtl(ttl);
        return parts.mandates().federate(Arguments.idToken(idToken), checked).map(FederatedSubject::new);
    }

    /**
     * Builds the Gateway URL of a protected resource, and the header that selects it, for use with a decorated client.
     *
     * @param resource the resource id, for instance {@code resource://billing-api}
     * @param path the path at the resource, with a leading slash and an optional query
     * @throws IllegalArgumentException if the resource or the path is malformed
     * @throws run.caracal.error.RoutingException after too many different resources that are not configured
     */
    public GatewayRequest gatewayRequest(String resource, String path) {
        String id = Arguments.resource(resource, "resource");
        return new GatewayRequest(id, parts.outbound().gatewayUrl(id, path));
    }

    /**
     * Calls a protected resource through the Gateway, for applications without a decorated client:
     *
     * <pre>{@code
     * Mono<HttpResponse> receipt = caracal.spawn(session -> caracal.fetch(
     *         FetchRequest.builder("resource://billing-api", "/charge").json("{\"amount\": 1200}").build()));
     * }</pre>
     *
     * <p>Identity and scopes are resolved as for a decorated client. Each subscription makes one call, with its own
     * mandate if scopes are known; nothing is retried and no redirect is followed. The answer is collected in memory.
     * The calls have a connection pool of their own, apart from that to the STS and the Coordinator; it is created on
     * first use and released with this client. If the configuration has a transport, the calls use that instead.
     * Cancelling aborts the call; the upstream may have processed it.
     *
     * @return the answer, if its status is below 400 (including redirects of the upstream);
     *     {@link run.caracal.error.GatewayException} for any other status, which says whether the Gateway or the
     *     upstream answered; {@link run.caracal.error.AuthorityRevokedException} if the Gateway truncated the answer
     *     because the authority was revoked; {@link run.caracal.error.NoContextException} outside a session, unless the
     *     request allows the application itself; {@link run.caracal.error.TransportException} if no answer arrived in
     *     time, or it is too large; {@link run.caracal.error.RoutingException} if the resource is not configured, and
     *     neither the request nor the session's grant names scopes; or an error of
     *     {@link #mintMandate(String, List, MandateOptions)}
     * @throws IllegalArgumentException if the path is malformed
     * @throws run.caracal.error.RoutingException after too many different resources that are not configured
     */
    public Mono<HttpResponse> fetch(FetchRequest request) {
        return parts.fetches().fetch(request.spec());
    }

    /** {@return the outbound policy with default options; see {@link #outbound(TransportOptions)}} */
    public OutboundPolicy outbound() {
        return outbound(TransportOptions.defaults());
    }

    /**
     * {@return the policy that attaches identity to outgoing requests, valid as long as this client} For adapters of
     * other HTTP clients; applications decorate a client instead.
     *
     * @throws ConfigurationException in production, if the options send identity over plain http to another machine
     */
    public OutboundPolicy outbound(TransportOptions options) {
        return parts.outbound().policy(Objects.requireNonNull(options, "options"), null);
    }

    /**
     * {@return a builder of a verifier for this client's zone} Issuer and keys are those of the configured STS, and the
     * keys are fetched over this client's transport, which ends with the client. Set the audience and the revocations,
     * and the issuer if the STS uses another name than the configured URL.
     */
    public JwksMandateVerifier.Builder mandateVerifier() {
        return parts.mandateVerifier();
    }

    /**
     * Returns a policy for calls as the application itself, with default options; see
     * {@link #applicationTransport(String, List, ApplicationOptions)}.
     */
    public OutboundPolicy applicationTransport(String resource, String... scopes) {
        return applicationTransport(resource, Arrays.asList(scopes), ApplicationOptions.defaults());
    }

    /**
     * Returns a policy for calls to one resource as the application itself, for work outside of any session, such as a
     * health check or a scheduled import. A bound session plays no part. Decorate a separate client with it:
     *
     * <pre>{@code
     * HttpClient ledger = CaracalHttp.decorate(
     *         HttpClient.create(), caracal.applicationTransport("resource://ledger", "ledger:read"));
     * }</pre>
     *
     * <p>A request to a bound prefix of the resource, or to the Gateway, carries its own one-shot mandate; of a bound
     * context it keeps only the trace id. Any other request fails with {@link run.caracal.error.RoutingException}
     * before anything is opened or minted.
     *
     * <p>The platform mints only for sessions with a delegation, so the first call opens two sessions, each for the
     * life of a mandate plus two minutes, and delegates exactly this resource and these scopes between them. All calls
     * with the same resource, scopes, labels, TTL and user share the two, across all policies of this client. The SDK
     * replaces them before they expire or when the platform reports that they have ended, keeps the 16 most recently
     * used pairs, and closes them with the client.
     *
     * @param resource the resource id, for instance {@code resource://billing-api}
     * @param scopes the scopes of the calls; if empty, the configured ones
     * @return the policy, valid as long as this client
     * @throws IllegalArgumentException if the resource or a scope is malformed
     * @throws ConfigurationException without a client secret or without known scopes
     */
    public OutboundPolicy applicationTransport(String resource, List<String> scopes, ApplicationOptions options) {
        String id = Arguments.resource(resource, "resource");
        return parts.outbound().application(id, Arguments.callScopes(scopes), options.spec());
    }

    /**
     * Adds a hook that runs in every session before its work, with the session bound; hooks run in the order of their
     * registration. A hook that fails, or does not complete within 30 seconds, ends the session and fails the spawn,
     * with its error or a {@link run.caracal.error.CallbackException}.
     *
     * @return removes the hook when disposed
     */
    public Disposable onSessionStart(Function<CaracalContext, Mono<Void>> hook) {
        return parts.sessions().onStart(viewing("A session start hook", hook));
    }

    /**
     * Adds a hook that runs before every session is terminated, however its work ended, with the session bound; hooks
     * run in the order of their registration, and share the close timeout. A failed or late hook is reported like a
     * failed termination; the session is terminated nevertheless.
     *
     * @return removes the hook when disposed
     */
    public Disposable onSessionEnd(Function<CaracalContext, Mono<Void>> hook) {
        return parts.sessions().onEnd(viewing("A session end hook", hook));
    }

    /**
     * {@return the operations of this client from the subscription on} Hot, on a thread of the SDK; slow subscribers
     * lose events. Completes when the client is closed.
     */
    public Flux<CaracalEvent> events() {
        return parts.events().events();
    }

    /**
     * Adds a listener for {@link #events()}, called on a thread of the SDK that all listeners share: a slow one delays
     * the others, but no operation. Exceptions are logged.
     *
     * @return removes the listener when disposed
     */
    public Disposable onEvent(Consumer<? super CaracalEvent> listener) {
        return parts.events().listen(Objects.requireNonNull(listener, "listener"));
    }

    /**
     * Adds a listener that is called on the threads of the operations, at their start and end, for meters and traces;
     * see {@link OperationListener}. {@code run.caracal.micrometer} has implementations for Micrometer.
     *
     * @param listener must not block
     * @return removes the listener when disposed
     */
    public Disposable onOperation(OperationListener listener) {
        return parts.events().listen(Objects.requireNonNull(listener, "listener"));
    }

    /**
     * Closes the client: rejects new sessions immediately, waits for active sessions for the configured time (10 s by
     * default), terminates the rest without signalling their work, and releases the SDK's own transport, which fails
     * its in-flight requests. Every later operation fails with {@link ClosedException}. Lazy and idempotent: the first
     * subscription closes the client, all subscribers share its completion, and cancelling does not stop it.
     *
     * @return completes when everything is released; never fails
     */
    public Mono<Void> disposeLater() {
        return parts.end();
    }

    /**
     * {@return the number of sessions being terminated in the background} These are sessions whose termination failed
     * transiently, or whose opening was never answered. Their termination is retried until the platform answers, their
     * TTL is over, or the client is closed; see {@link CaracalEvent.TerminationPending} and
     * {@link CaracalEvent.TerminationSettled}.
     */
    public int pendingTerminations() {
        return parts.pendingTerminations();
    }

    /** Closes the client like {@link #disposeLater()}, without waiting. */
    @Override
    public void dispose() {
        // The end is shared and cannot be cancelled, so nobody needs this subscription.
        var unused = parts.end().subscribe(null, e -> log.error("Closing the Caracal client failed", e));
    }

    @Override
    public boolean isDisposed() {
        return parts.state().isClosed();
    }

    /** Contains no secret. */
    @Override
    public String toString() {
        return "Caracal[zoneId=" + config.zoneId() + ", applicationId=" + config.applicationId() + "]";
    }

    /** Adapts a function of the application, which sees the public view of a context. */
    private static <R> Function<BoundContext, R> viewing(
            String name, Function<? super CaracalContext, ? extends R> work) {
        Objects.requireNonNull(work, "work");
        return bound -> Supplied.given(work.apply(new CaracalContext(bound)), name);
    }
}
