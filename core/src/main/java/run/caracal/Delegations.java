package run.caracal;

import java.util.function.BooleanSupplier;
import java.util.function.Function;
import org.reactivestreams.Publisher;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.util.context.Context;
import reactor.util.context.ContextView;
import run.caracal.config.CaracalConfig;
import run.caracal.error.ClosedException;
import run.caracal.error.DelegationException;
import run.caracal.error.DelegationException.Reason;
import run.caracal.error.NoContextException;
import run.caracal.event.CaracalEvent;
import run.caracal.internal.LogGate;
import run.caracal.internal.control.Coordinator;
import run.caracal.internal.event.EventBus;
import run.caracal.internal.lifecycle.Scope;
import run.caracal.internal.lifecycle.Scope.Lifecycle;
import run.caracal.internal.propagation.Envelope;

/** Passes authority on to sessions of others, and takes on what they pass on. */
final class Delegations {
    private static final Logger log = LoggerFactory.getLogger(Caracal.class);

    private final CaracalConfig config;
    private final Coordinator coordinator;
    private final EventBus events;
    private final LogGate failures = new LogGate();
    private final Grants grants;
    private final Scope clientScope;
    private final BooleanSupplier disposed;

    Delegations(
            CaracalConfig config,
            Coordinator coordinator,
            EventBus events,
            Grants grants,
            Scope clientScope,
            BooleanSupplier disposed) {
        this.config = config;
        this.coordinator = coordinator;
        this.events = events;
        this.grants = grants;
        this.clientScope = clientScope;
        this.disposed = disposed;
    }

    /** Creates a delegation; a cancellation lets a creation that is under way run to its end. */
    Mono<Delegation> create(DelegationSpec spec) {
        return Mono.deferContextual(view -> {
                    CaracalContext issuer = issuer(view, spec);
                    return scope(issuer).one(lifecycle(issuer, spec, false), edge -> Mono.just(edge.delegation()));
                })
                .onErrorStop();
    }

    <T> Mono<T> one(DelegationSpec spec, Function<? super CaracalContext, ? extends Mono<T>> work) {
        return Mono.deferContextual(view -> {
                    CaracalContext issuer = issuer(view, spec);
                    return scope(issuer).one(lifecycle(issuer, spec, spec.revokeOnEnd()), edge -> {
                        CaracalContext derived = derived(issuer, edge);
                        return Mono.<T>defer(() -> work.apply(derived)).contextWrite(bound(derived));
                    });
                })
                .onErrorStop();
    }

    <T> Flux<T> many(DelegationSpec spec, Function<? super CaracalContext, ? extends Publisher<T>> work) {
        return Flux.deferContextual(view -> {
                    CaracalContext issuer = issuer(view, spec);
                    return scope(issuer).<Grants.Edge, T>many(lifecycle(issuer, spec, spec.revokeOnEnd()), edge -> {
                        CaracalContext derived = derived(issuer, edge);
                        return Flux.<T>defer(() -> work.apply(derived)).contextWrite(bound(derived));
                    });
                })
                .onErrorStop();
    }

    <T> Mono<T> accept(
            String delegationEdgeId, Acceptance acceptance, Function<? super CaracalContext, ? extends Mono<T>> work) {
        return accepted(delegationEdgeId, acceptance)
                .<T>flatMap(context -> Mono.<T>defer(() -> work.apply(context)).contextWrite(bound(context)))
                .onErrorStop();
    }

    <T> Flux<T> acceptMany(
            String delegationEdgeId,
            Acceptance acceptance,
            Function<? super CaracalContext, ? extends Publisher<T>> work) {
        return accepted(delegationEdgeId, acceptance)
                .<T>flatMapMany(
                        context -> Flux.<T>defer(() -> work.apply(context)).contextWrite(bound(context)))
                .onErrorStop();
    }

    Mono<Void> revoke(String delegationEdgeId) {
        return Mono.deferContextual(view -> {
                    if (disposed.getAsBoolean()) {
                        return Mono.error(Caracal.closed());
                    }
                    CaracalContext bound = CaracalContext.find(view);
                    return revoke(delegationEdgeId, bound == null ? Envelope.EMPTY : bound.envelope());
                })
                .onErrorStop();
    }

    private Mono<Void> revoke(String delegationEdgeId, Envelope trace) {
        return events.observe(
                CaracalEvent.DelegationRevoked.class,
                coordinator.revoke(delegationEdgeId, trace),
                (none, completion) -> new CaracalEvent.DelegationRevoked(delegationEdgeId, completion));
    }

    private Scope scope(CaracalContext context) {
        Session session = context.session();
        return session == null ? clientScope : session.children();
    }

    private Lifecycle<Grants.Edge> lifecycle(CaracalContext issuer, DelegationSpec spec, boolean revokes) {
        return new Lifecycle<>(
                abandoned -> Mono.defer(() -> grants.issue(issuer, slice(issuer, spec), abandoned)),
                edge -> revokes ? revoke(edge.id(), issuer.envelope()) : Mono.empty(),
                error -> config.closeTimeout(),
                failure -> config.failOnCloseError() && failure instanceof RuntimeException typed ? typed : null,
                this::report);
    }

    private Grants.Slice slice(CaracalContext issuer, DelegationSpec spec) {
        return new Grants.Slice(
                spec.agentSessionId(),
                spec.applicationId(),
                spec.scopes(),
                spec.resource().orElse(null),
                spec.constraints(),
                spec.ttl().orElseGet(() -> grants.within(issuer, DelegationSpec.DEFAULT_TTL)),
                spec.idempotencyKey().orElse(null));
    }

    private CaracalContext issuer(ContextView view, DelegationSpec spec) {
        CaracalContext issuer = acting(view, "delegates");
        if (spec.agentSessionId().equals(issuer.agentSessionId())) {
            throw new DelegationException(
                    Reason.SELF,
                    "A session cannot delegate to itself, and " + spec.agentSessionId()
                            + " is the bound one, so nothing was sent. Name the session that receives in to(...)");
        }
        return issuer;
    }

    private CaracalContext acting(ContextView view, String does) {
        if (disposed.getAsBoolean()) {
            throw Caracal.closed();
        }
        CaracalContext context = Sessions.own(CaracalContext.find(view), clientScope);
        if (context == null || !context.hasAgentSession()) {
            throw new NoContextException("No agent session is bound in the Reactor Context that " + does
                    + ", so nothing was sent. Do it inside the work of spawn(...), or bind a context with bind(context, "
                    + "publisher)");
        }
        Sessions.requireOurs(context);
        Session session = context.session();
        if (session != null && session.hasEnded()) {
            throw new ClosedException("The agent session " + context.agentSessionId()
                    + " has ended, so nothing was sent; delegate inside the work of the session");
        }
        return context;
    }

    /** The issuer's own session, which shows the delegation that it issued. */
    private static CaracalContext derived(CaracalContext issuer, Grants.Edge edge) {
        return issuer.presenting(
                edge.id(), issuer.own().envelope().delegationEdgeId(), new Authority.Issued(issuer, edge.delegation()));
    }

    private Mono<CaracalContext> accepted(String delegationEdgeId, Acceptance acceptance) {
        return Mono.deferContextual(view -> {
            CaracalContext receiver = acting(view, "accepts");
            boolean asks = acceptance == Acceptance.VALIDATED;
            Mono<CaracalContext> taken = (asks ? check(receiver, delegationEdgeId) : Mono.<Void>empty())
                    // From whom the issuer derived it is not known here.
                    .then(Mono.fromSupplier(
                            () -> receiver.presenting(delegationEdgeId, null, new Authority.Accepted(receiver))));
            return events.observe(
                    CaracalEvent.DelegationAccepted.class,
                    taken,
                    (context, completion) -> new CaracalEvent.DelegationAccepted(
                            delegationEdgeId, receiver.agentSessionId(), completion));
        });
    }

    private Mono<Void> check(CaracalContext receiver, String delegationEdgeId) {
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

    private static Function<Context, Context> bound(CaracalContext context) {
        return view -> view.put(CaracalContext.class, context);
    }

    private void report(Throwable failure) {
        String message =
                "A delegation could not be created or revoked in good order; if it is still active, it ends when "
                        + "its TTL is over: {}";
        if (failure instanceof ClosedException) {
            log.debug("A delegation was not created: its caller had gone");
        } else if (failures.passes()) {
            log.warn(message, failure.getMessage());
        } else {
            log.debug(message, failure.getMessage());
        }
    }
}
