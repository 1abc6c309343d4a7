package run.caracal;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.function.BiFunction;
import java.util.function.BooleanSupplier;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.reactivestreams.Publisher;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.Disposable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Scheduler;
import run.caracal.Grants.Plan;
import run.caracal.config.CaracalConfig;
import run.caracal.error.ClosedException;
import run.caracal.error.ForeignContextException;
import run.caracal.error.SessionCloseException;
import run.caracal.event.CaracalEvent;
import run.caracal.internal.LogGate;
import run.caracal.internal.control.Coordinator;
import run.caracal.internal.control.Coordinator.Opening;
import run.caracal.internal.event.EventBus;
import run.caracal.internal.lifecycle.Scope;
import run.caracal.internal.lifecycle.Scope.Lifecycle;
import run.caracal.internal.propagation.Envelope;
import run.caracal.internal.propagation.TraceParent;
import run.caracal.internal.wire.SessionAnswer;

/** Opens agent sessions around work, and ends them. */
final class Sessions {
    private static final Logger log = LoggerFactory.getLogger(Caracal.class);

    /** What the platform gives a task without a TTL; sent explicitly, because it is the last defence. */
    private static final Duration DEFAULT_TTL = Duration.ofSeconds(3600);

    private final CaracalConfig config;
    private final Coordinator coordinator;
    private final EventBus events;
    private final LogGate failures = new LogGate();
    private final Scheduler timer;
    private final Grants grants;
    private final Scope scope = new Scope(null, "The Caracal client is closed; create a new one");
    private final List<Function<CaracalContext, Mono<Void>>> startHooks = new CopyOnWriteArrayList<>();
    private final List<Function<CaracalContext, Mono<Void>>> endHooks = new CopyOnWriteArrayList<>();

    Sessions(CaracalConfig config, Coordinator coordinator, EventBus events, Scheduler timer) {
        this.config = config;
        this.coordinator = coordinator;
        this.events = events;
        this.timer = timer;
        this.grants = new Grants(config, coordinator, events, timer);
    }

    Scope scope() {
        return scope;
    }

    Grants grants() {
        return grants;
    }

    Disposable onStart(Function<CaracalContext, Mono<Void>> hook) {
        return add(startHooks, hook);
    }

    Disposable onEnd(Function<CaracalContext, Mono<Void>> hook) {
        return add(endHooks, hook);
    }

    private static Disposable add(
            List<Function<CaracalContext, Mono<Void>>> hooks, Function<CaracalContext, Mono<Void>> hook) {
        // A wrapper of its own, so that a hook registered twice is removed once.
        Function<CaracalContext, Mono<Void>> entry = context -> hook.apply(context);
        hooks.add(entry);
        return () -> hooks.remove(entry);
    }

    <T> Mono<T> one(SpawnOptions options, Function<? super CaracalContext, ? extends Mono<T>> work) {
        return Mono.deferContextual(view -> {
                    CaracalContext bound = bound(options, CaracalContext.find(view));
                    CaracalContext parent = parent(bound);
                    Plan plan = grants.plan(options.grant(), options.labels(), parent);
                    return scope(parent)
                            .one(
                                    lifecycle(options, plan, bound, true),
                                    session -> settled(session, options, plan)
                                            .then(Mono.defer(() -> started(session)
                                                    .then(Mono.<T>defer(() -> work.apply(session.context())))
                                                    .contextWrite(bound(session)))));
                })
                // A caller's onErrorContinue must not reach into these operators.
                .onErrorStop();
    }

    <T> Flux<T> many(SpawnOptions options, Function<? super CaracalContext, ? extends Publisher<T>> work) {
        return Flux.deferContextual(view -> {
                    CaracalContext bound = bound(options, CaracalContext.find(view));
                    CaracalContext parent = parent(bound);
                    Plan plan = grants.plan(options.grant(), options.labels(), parent);
                    return scope(parent)
                            .<Session, T>many(
                                    lifecycle(options, plan, bound, true),
                                    session -> settled(session, options, plan)
                                            .thenMany(Flux.defer(() -> started(session)
                                                    .thenMany(Flux.<T>defer(() -> work.apply(session.context())))
                                                    .contextWrite(bound(session)))));
                })
                .onErrorStop();
    }

    /** Opens a root session of the SDK's own for an owner who ends it; no hooks are run. */
    <A> Mono<A> handOver(SpawnOptions options, BiFunction<Session, Mono<Void>, A> handle) {
        return Mono.defer(() -> scope.handOver(
                lifecycle(options, grants.plan(options.grant(), options.labels(), null), null, false), handle));
    }

    private @Nullable CaracalContext bound(SpawnOptions options, @Nullable CaracalContext bound) {
        options.parent().ifPresent(Sessions::requireOurs);
        return own(options.parent().orElse(bound), scope);
    }

    /** A session of others, or one that nobody has proven, has no children of ours: only its trace goes on. */
    private static @Nullable CaracalContext parent(@Nullable CaracalContext bound) {
        return bound == null || bound.isOurs() ? bound : null;
    }

    /** Refuses a context that came with a request, unless its session is proven to be our application's. */
    static void requireOurs(CaracalContext context) {
        if (!context.isOurs()) {
            throw new ForeignContextException(
                    "The context came with a request, and its session is not proven to be one of this application, so it "
                            + "cannot delegate, accept or be a parent; nothing was sent. Spawn a session with this client: it "
                            + "keeps the trace of the request");
        }
    }

    /** A context that this client may act under; one of another client is refused. */
    static @Nullable CaracalContext own(@Nullable CaracalContext context, Scope client) {
        if (context == null) {
            return null;
        }
        Authority.Received received = context.received();
        if (received != null && received.owner() != client) {
            throw new ForeignContextException(
                    "The context came with a request that another Caracal client judged, which "
                            + "alone can act under it; nothing was sent. Bind it with this client");
        }
        Session session = context.session();
        if (session != null && !session.isOwnedBy(client)) {
            throw new ForeignContextException("The agent session " + context.agentSessionId()
                    + " was opened by another Caracal client, which alone can act under it; nothing was sent. Spawn a session "
                    + "with this client, outside of that one");
        }
        return context;
    }

    Scope scope(@Nullable CaracalContext parent) {
        Session session = parent == null ? null : parent.session();
        return session == null ? scope : session.children();
    }

    private Lifecycle<Session> lifecycle(
            SpawnOptions options, Plan plan, @Nullable CaracalContext bound, boolean hooked) {
        Duration budget = options.closeTimeout().orElse(config.closeTimeout());
        return new Lifecycle<>(
                abandoned -> open(options, plan, bound, abandoned),
                session -> end(session, budget, hooked, terminate(session, null)),
                error -> budget,
                failure -> config.failOnCloseError() ? new SessionCloseException(failure) : null,
                this::report);
    }

    private Duration ttl(SpawnOptions options) {
        return options.ttl().or(config::defaultTtl).orElse(DEFAULT_TTL);
    }

    private Mono<Void> settled(Session session, SpawnOptions options, Plan plan) {
        return Mono.defer(() -> grants.settle(session, plan, ttl(options)));
    }

    private Mono<Session> open(
            SpawnOptions options, Plan plan, @Nullable CaracalContext bound, BooleanSupplier abandoned) {
        return Mono.defer(() -> {
            CaracalContext parent = plan.parent();
            Envelope above = parent == null ? Envelope.EMPTY : parent.envelope();
            Envelope around =
                    parent != null || bound == null ? above : bound.envelope().traceOnly();
            // A trace of the caller's own goes without the state of the parent's.
            Envelope inherited = options.traceId()
                    .map(own -> around.toBuilder().traceId(own).traceFlags(null).traceState(null))
                    .orElseGet(() -> around.traceId() == null
                            ? around.toBuilder().traceId(TraceParent.newTraceId())
                            : around.toBuilder())
                    .build();
            String subject = options.subjectAuthorityRecordId().orElse(null);
            Opening opening = new Opening(
                    parent == null ? null : parent.agentSessionId(),
                    plan.inherits(),
                    plan.inheritedEdge(),
                    ttl(options),
                    plan.labels(),
                    options.metadata(),
                    options.kind().or(config::defaultKind).orElse(null),
                    subject,
                    options.idempotencyKey().orElse(null),
                    options.adopt(),
                    inherited);
            long ends = timer.now(TimeUnit.NANOSECONDS) + ttl(options).toNanos();
            Mono<Session> opened = coordinator.open(opening, abandoned).map(answer -> {
                Envelope envelope = envelope(inherited, above, plan, answer, subject);
                String edge = plan.inherits() ? answer.delegationEdgeId() : null;
                Session session = Session.task(
                        scope, config.zoneId(), config.applicationId(), envelope, scope(parent), plan.authority(edge));
                session.endsAt(ends);
                return session;
            });
            return observeOpening(opened, Session::context);
        });
    }

    /** What a new session shows. A narrowed one gets an edge of its own later, one that is given nothing presents none. */
    Envelope envelope(Envelope inherited, Envelope above, Plan plan, SessionAnswer answer, @Nullable String subject) {
        String edge = plan.inherits() ? answer.delegationEdgeId() : null;
        boolean delegated = edge != null && plan.parent() != null;
        return inherited.toBuilder()
                .agentSessionId(answer.agentSessionId())
                .delegationEdgeId(edge)
                .parentEdgeId(plan.inherits() ? above.delegationEdgeId() : null)
                .authorityRecordId(subject == null ? above.authorityRecordId() : subject)
                .hop(!plan.inherits() ? 0 : delegated ? above.hop() + 1 : above.hop())
                .build();
    }

    <S> Mono<S> observeOpening(Mono<S> opened, Function<S, CaracalContext> context) {
        return events.observe(
                CaracalEvent.SessionOpened.class,
                opened,
                (session, completion) -> new CaracalEvent.SessionOpened(
                        session == null ? null : context.apply(session).agentSessionId(), completion));
    }

    Mono<Void> started(Session session) {
        return Flux.fromIterable(startHooks)
                .concatMap(hook -> hook.apply(session.context()))
                .then()
                .contextWrite(bound(session));
    }

    /**
     * Ends a session: its children first, then its end hooks, then what holds authority for it, then itself. One
     * that fails does not keep the others.
     *
     * @param hooked whether the end hooks are run
     * @param terminate ends the session at the platform; empty for one that is not ours any more
     */
    Mono<Void> end(Session session, Duration budget, boolean hooked, Mono<Void> terminate) {
        CaracalContext context = session.context();
        Mono<Void> hooks = Flux.fromIterable(hooked ? endHooks : List.<Function<CaracalContext, Mono<Void>>>of())
                .concatMapDelayError(hook -> Mono.defer(() -> hook.apply(context)))
                .then()
                .timeout(budget, timer);
        // After the hooks, which may still make calls.
        Mono<Void> helpers = session.helpers().endAll(budget, timer);
        Mono<Void> end = session.children()
                .close(budget, timer)
                .then(Flux.concatDelayError(
                                hooks,
                                helpers,
                                Mono.<Void>fromRunnable(session::markEnded).then(terminate))
                        .then())
                .contextWrite(bound(session));
        return events.observe(
                CaracalEvent.SessionClosed.class,
                end,
                (none, completion) -> new CaracalEvent.SessionClosed(context.agentSessionId(), completion));
    }

    Mono<Void> terminate(Session session, @Nullable Long generation) {
        return Mono.defer(() -> {
            CaracalContext context = session.context();
            return coordinator.terminate(context.agentSessionId(), generation, context.envelope());
        });
    }

    private static Function<reactor.util.context.Context, reactor.util.context.Context> bound(Session session) {
        return context -> context.put(CaracalContext.class, session.context());
    }

    void report(Throwable failure) {
        String message =
                "An agent session could not be opened or closed in good order; if it is still open, the platform "
                        + "ends it when its TTL or its lease is over: {}";
        if (failure instanceof ClosedException) {
            log.debug("An agent session was not opened: its caller had gone");
        } else if (failures.passes()) {
            log.warn(message, failure.getMessage());
        } else {
            log.debug(message, failure.getMessage());
        }
    }
}
