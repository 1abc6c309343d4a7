package run.caracal.internal.delegation;

import java.util.function.Function;
import org.reactivestreams.Publisher;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.util.context.ContextView;
import run.caracal.config.CaracalConfig;
import run.caracal.error.ClosedException;
import run.caracal.error.DelegationException;
import run.caracal.error.DelegationException.Reason;
import run.caracal.error.NoContextException;
import run.caracal.event.CaracalEvent;
import run.caracal.internal.Calls;
import run.caracal.internal.LogGate;
import run.caracal.internal.LogNames;
import run.caracal.internal.context.BoundContext;
import run.caracal.internal.context.IssuedDelegation;
import run.caracal.internal.context.Provenance;
import run.caracal.internal.control.Coordinator;
import run.caracal.internal.event.EventBus;
import run.caracal.internal.lifecycle.ClientState;
import run.caracal.internal.lifecycle.Scope;
import run.caracal.internal.lifecycle.Scope.Lifecycle;
import run.caracal.internal.propagation.Envelope;

/** Delegates authority to other sessions, and accepts delegations. */
public final class DelegationRunner {
    private static final Logger log = LoggerFactory.getLogger(LogNames.CLIENT);

    private final CaracalConfig config;
    private final Coordinator coordinator;
    private final EventBus events;
    private final LogGate failures = new LogGate();
    private final GrantIssuer grants;
    private final Scope client;
    private final ClientState state;

    public DelegationRunner(
            CaracalConfig config,
            Coordinator coordinator,
            EventBus events,
            GrantIssuer grants,
            Scope client,
            ClientState state) {
        this.config = config;
        this.coordinator = coordinator;
        this.events = events;
        this.grants = grants;
        this.client = client;
        this.state = state;
    }

    /** Creates a delegation; a cancellation does not abort a request in flight. */
    public Mono<IssuedDelegation> create(DelegationTerms terms) {
        return Mono.deferContextual(view -> {
                    BoundContext issuer = issuer(view, terms);
                    return BoundContext.scope(issuer, client).one(lifecycle(issuer, terms, false), Mono::just);
                })
                .onErrorStop();
    }

    /** Delegates, and runs work in a context that names the delegation. */
    public <T> Mono<T> one(DelegationTerms terms, Function<BoundContext, ? extends Mono<T>> work) {
        return Mono.deferContextual(view -> {
                    BoundContext issuer = issuer(view, terms);
                    return BoundContext.scope(issuer, client)
                            .one(
                                    lifecycle(issuer, terms, terms.revokeOnEnd()),
                                    edge -> within(derived(issuer, edge), work));
                })
                .onErrorStop();
    }

    /** Delegates, and runs work with many results in a context that names the delegation. */
    public <T> Flux<T> many(DelegationTerms terms, Function<BoundContext, ? extends Publisher<T>> work) {
        return Flux.deferContextual(view -> {
                    BoundContext issuer = issuer(view, terms);
                    return BoundContext.scope(issuer, client)
                            .many(
                                    lifecycle(issuer, terms, terms.revokeOnEnd()),
                                    edge -> manyWithin(derived(issuer, edge), work));
                })
                .onErrorStop();
    }

    /** Runs work under a delegation that the bound session received. */
    public <T> Mono<T> accept(
            String delegationEdgeId, boolean validated, Function<BoundContext, ? extends Mono<T>> work) {
        return accepted(delegationEdgeId, validated)
                .<T>flatMap(context -> within(context, work))
                .onErrorStop();
    }

    /** Runs work with many results under a delegation that the bound session received. */
    public <T> Flux<T> acceptMany(
            String delegationEdgeId, boolean validated, Function<BoundContext, ? extends Publisher<T>> work) {
        return accepted(delegationEdgeId, validated)
                .flatMapMany(context -> manyWithin(context, work))
                .onErrorStop();
    }

    private static <T> Mono<T> within(BoundContext context, Function<BoundContext, ? extends Mono<T>> work) {
        return Mono.<T>defer(() -> work.apply(context)).contextWrite(context::bind);
    }

    private static <T> Flux<T> manyWithin(BoundContext context, Function<BoundContext, ? extends Publisher<T>> work) {
        return Flux.<T>defer(() -> work.apply(context)).contextWrite(context::bind);
    }

    public Mono<Void> revoke(String delegationEdgeId) {
        return Calls.sealed(Mono.deferContextual(view -> {
            state.requireOpen();
            BoundContext bound = BoundContext.find(view);
            return revoke(delegationEdgeId, bound == null ? Envelope.EMPTY : bound.envelope());
        }));
    }

    private Mono<Void> revoke(String delegationEdgeId, Envelope trace) {
        return events.observe(
                CaracalEvent.DelegationRevoked.class,
                coordinator.revoke(delegationEdgeId, trace),
                (none, completion) -> new CaracalEvent.DelegationRevoked(delegationEdgeId, completion));
    }

    private Lifecycle<IssuedDelegation> lifecycle(BoundContext issuer, DelegationTerms terms, boolean revokes) {
        return new Lifecycle<>(
                abandoned -> grants.issue(issuer, terms, abandoned),
                edge -> revokes ? revoke(edge.id(), issuer.envelope()) : Mono.empty(),
                error -> config.closeTimeout(),
                failure -> config.failOnCloseError() && failure instanceof RuntimeException typed ? typed : null,
                this::report);
    }

    private BoundContext issuer(ContextView view, DelegationTerms terms) {
        BoundContext issuer = acting(view, "delegates");
        if (terms.targetSessionId().equals(issuer.agentSessionId())) {
            throw new DelegationException(
                    Reason.SELF,
                    "A session cannot delegate to itself, and " + terms.targetSessionId()
                            + " is the bound one, so nothing was sent. Name the session that receives in to(...)");
        }
        return issuer;
    }

    private BoundContext acting(ContextView view, String does) {
        state.requireOpen();
        BoundContext context = BoundContext.requireOwn(BoundContext.find(view), client);
        if (context == null || !context.hasAgentSession()) {
            throw new NoContextException("No agent session is bound in the Reactor Context that " + does
                    + ", so nothing was sent. Do it inside the work of spawn(...), or bind a context with bind(context, "
                    + "publisher)");
        }
        context.requireOurs();
        context.requireNotEnded("delegate inside the work of the session");
        return context;
    }

    /** The issuer's own session, which shows the delegation that it issued. */
    private static BoundContext derived(BoundContext issuer, IssuedDelegation edge) {
        return issuer.presenting(
                edge.id(), issuer.own().envelope().delegationEdgeId(), new Provenance.Issued(issuer, edge));
    }

    private Mono<BoundContext> accepted(String delegationEdgeId, boolean validated) {
        return Calls.sealed(Mono.deferContextual(view -> {
            BoundContext receiver = acting(view, "accepts");
            Mono<BoundContext> taken = (validated ? check(receiver, delegationEdgeId) : Mono.<Void>empty())
                    // The delegation that the issuer derived it from is not known here.
                    .then(Mono.fromSupplier(
                            () -> receiver.presenting(delegationEdgeId, null, new Provenance.Accepted(receiver))));
            return events.observe(
                    CaracalEvent.DelegationAccepted.class,
                    taken,
                    (context, completion) -> new CaracalEvent.DelegationAccepted(
                            delegationEdgeId, receiver.agentSessionId(), completion));
        }));
    }

    private Mono<Void> check(BoundContext receiver, String delegationEdgeId) {
        return coordinator
                .inbound(receiver.agentSessionId(), delegationEdgeId, receiver.envelope())
                .filter(answer ->
                        "active".equals(answer.status()) && delegationEdgeId.equals(answer.delegationEdgeId()))
                .switchIfEmpty(Mono.error(() -> new DelegationException(
                        Reason.NOT_ACTIVE,
                        "The delegation " + delegationEdgeId + " is not active, or not addressed to the session "
                                + receiver.agentSessionId()
                                + ". Check that its issuer names this session, and ask for a new one")))
                .then();
    }

    private void report(Throwable failure) {
        if (failure instanceof ClosedException) {
            log.debug("A delegation was not created: its subscriber had cancelled");
        } else {
            failures.warn(
                    log,
                    "A delegation could not be created or revoked; if it is still active, it ends with its TTL: {}",
                    failure.getMessage());
        }
    }
}
