package run.caracal.internal.session;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.BiFunction;
import java.util.function.BooleanSupplier;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.reactivestreams.Publisher;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.Disposable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Scheduler;
import reactor.util.context.ContextView;
import run.caracal.config.CaracalConfig;
import run.caracal.error.ClosedException;
import run.caracal.error.SessionCloseException;
import run.caracal.event.CaracalEvent;
import run.caracal.internal.LogGate;
import run.caracal.internal.LogNames;
import run.caracal.internal.Supplied;
import run.caracal.internal.capacity.Place;
import run.caracal.internal.capacity.SessionGate;
import run.caracal.internal.capacity.SessionGate.Kind;
import run.caracal.internal.context.BoundContext;
import run.caracal.internal.context.Session;
import run.caracal.internal.control.Coordinator;
import run.caracal.internal.delegation.GrantIssuer;
import run.caracal.internal.delegation.GrantIssuer.Plan;
import run.caracal.internal.event.EventBus;
import run.caracal.internal.lifecycle.Scope;
import run.caracal.internal.lifecycle.Scope.Lifecycle;
import run.caracal.internal.propagation.Envelope;
import run.caracal.internal.propagation.Traces;
import run.caracal.internal.wire.OpenSession;
import run.caracal.internal.wire.SessionAnswer;

/** Opens agent sessions around work, and ends them. */
public final class SessionRunner {
    private static final Logger log = LoggerFactory.getLogger(LogNames.CLIENT);

    /** The platform's default TTL of a task; sent explicitly, because it is the last resort against leaked sessions. */
    private static final Duration DEFAULT_TTL = Duration.ofSeconds(3600);

    private final CaracalConfig config;
    private final Coordinator coordinator;
    private final EventBus events;
    private final LogGate failures = new LogGate();
    private final Scheduler timer;
    private final Supplier<Scheduler> callers;
    private final GrantIssuer grants;
    private final SessionGate gate;
    private final Scope client;
    private final Traces traces;
    private final List<Function<BoundContext, Mono<Void>>> startHooks = new CopyOnWriteArrayList<>();
    private final List<Function<BoundContext, Mono<Void>>> endHooks = new CopyOnWriteArrayList<>();

    /**
     * Creates the sessions of a client.
     *
     * @param callers where hooks run that end a session
     */
    public SessionRunner(
            CaracalConfig config,
            Coordinator coordinator,
            EventBus events,
            GrantIssuer grants,
            SessionGate gate,
            Scope client,
            Scheduler timer,
            Supplier<Scheduler> callers) {
        this.config = config;
        this.coordinator = coordinator;
        this.events = events;
        this.grants = grants;
        this.gate = gate;
        this.client = client;
        this.timer = timer;
        this.callers = callers;
        this.traces = new Traces(config.traceSource().orElse(null));
    }

    /** Adds a hook that runs when a session starts; disposing removes it. */
    public Disposable onStart(Function<BoundContext, Mono<Void>> hook) {
        return add(
                startHooks,
                context -> Supplied.ask("A session start hook", () -> hook.apply(context), Supplied.LIMIT, timer));
    }

    /** Adds a hook that is run before a session ends; disposing removes it. */
    public Disposable onEnd(Function<BoundContext, Mono<Void>> hook) {
        return add(endHooks, context -> Supplied.ask("A session end hook", () -> hook.apply(context)));
    }

    /** Each registration is its own wrapper, so that disposing one of a hook that was added twice removes only one. */
    private static Disposable add(
            List<Function<BoundContext, Mono<Void>>> hooks, Function<BoundContext, Mono<Void>> hook) {
        hooks.add(hook);
        return () -> hooks.remove(hook);
    }

    /** Runs work inside its own session. */
    public <T> Mono<T> one(SessionSpec spec, Function<BoundContext, ? extends Mono<T>> work) {
        return Mono.deferContextual(view -> {
                    Task task = task(spec, view);
                    return gate.one(
                            Kind.TASK,
                            task.within(),
                            place -> task.scope()
                                    .one(
                                            task.lifecycle().apply(place),
                                            session -> settled(session, spec, task.plan())
                                                    .then(Mono.defer(() -> started(session)
                                                            .then(Mono.<T>defer(() -> work.apply(session.context())))
                                                            .contextWrite(session::bind)))));
                })
                // A caller's onErrorContinue must not reach into these operators.
                .onErrorStop();
    }

    /** Runs work with many results inside its own session. */
    public <T> Flux<T> many(SessionSpec spec, Function<BoundContext, ? extends Publisher<T>> work) {
        return Flux.deferContextual(view -> {
                    Task task = task(spec, view);
                    return gate.many(
                            Kind.TASK,
                            task.within(),
                            place -> task.scope()
                                    .<Session, T>many(
                                            task.lifecycle().apply(place),
                                            session -> settled(session, spec, task.plan())
                                                    .thenMany(Flux.defer(() -> started(session)
                                                            .thenMany(
                                                                    Flux.<T>defer(() -> work.apply(session.context())))
                                                            .contextWrite(session::bind)))));
                })
                .onErrorStop();
    }

    /** A session about to be opened for one subscriber. */
    private record Task(
            Scope scope, Plan plan, @Nullable Place within, Function<Place, Lifecycle<Session>> lifecycle) {}

    private Task task(SessionSpec spec, ContextView view) {
        BoundContext bound = bound(spec, BoundContext.find(view));
        BoundContext parent = parent(bound);
        Plan plan = grants.plan(spec.grant(), spec.labelsOf(config.applicationId()), parent);
        return new Task(
                BoundContext.scope(parent, client),
                plan,
                within(bound, view),
                place -> lifecycle(spec, plan, bound, true, place));
    }

    /** Opens a root session of the SDK for an owner that ends it; runs no hooks. */
    public <A> Mono<A> handOver(SessionSpec spec, BiFunction<Session, Mono<Void>, A> handle) {
        return gate.one(
                Kind.APPLICATION,
                null,
                place -> client.handOver(
                        lifecycle(
                                spec,
                                grants.plan(spec.grant(), spec.labelsOf(config.applicationId()), null),
                                null,
                                false,
                                place),
                        handle));
    }

    private @Nullable BoundContext bound(SessionSpec spec, @Nullable BoundContext bound) {
        if (spec.parent() == null) {
            return BoundContext.requireOwn(bound, client);
        }
        spec.parent().requireOurs();
        return BoundContext.requireOwn(spec.parent(), client);
    }

    /** Foreign and unverified sessions get no children, they only pass on their trace. */
    private static @Nullable BoundContext parent(@Nullable BoundContext bound) {
        return bound == null || bound.isOurs() ? bound : null;
    }

    /** The permit of the parent session. */
    private static @Nullable Place within(@Nullable BoundContext bound, ContextView view) {
        return SessionGate.deeper(BoundContext.place(bound), BoundContext.place(BoundContext.find(view)));
    }

    private Lifecycle<Session> lifecycle(
            SessionSpec spec, Plan plan, @Nullable BoundContext bound, boolean hooked, Place place) {
        Duration budget = spec.closeTimeout() == null ? config.closeTimeout() : spec.closeTimeout();
        return new Lifecycle<>(
                abandoned -> open(spec, plan, bound, abandoned, place),
                session -> end(session, budget, hooked, terminate(session, null)),
                error -> budget,
                failure -> config.failOnCloseError() ? new SessionCloseException(failure) : null,
                this::report);
    }

    private Duration ttl(SessionSpec spec) {
        return spec.ttl() == null ? config.defaultTtl().orElse(DEFAULT_TTL) : spec.ttl();
    }

    private Mono<Void> settled(Session session, SessionSpec spec, Plan plan) {
        return Mono.defer(() -> grants.settle(session, plan, ttl(spec)));
    }

    private Mono<Session> open(
            SessionSpec spec, Plan plan, @Nullable BoundContext bound, BooleanSupplier abandoned, Place place) {
        return Mono.deferContextual(view -> {
            BoundContext parent = plan.parent();
            Envelope above = parent == null ? Envelope.EMPTY : parent.envelope();
            Envelope around =
                    parent != null || bound == null ? above : bound.envelope().traceOnly();
            Envelope inherited = joined(spec, around, view);
            OpenSession request = request(spec, plan).task(ttl(spec)).build();
            place.take();
            Mono<Session> opened = coordinator
                    .open(request, spec.adopt(), inherited, abandoned, place)
                    .map(timed -> {
                        SessionAnswer answer = timed.answer();
                        Session session = new Session(
                                client,
                                config.zoneId(),
                                config.applicationId(),
                                envelope(inherited, above, spec, plan, answer),
                                BoundContext.scope(parent, client),
                                plan.provenance(plan.inherits() ? answer.delegationEdgeId() : null),
                                false,
                                place);
                        session.endsAt(timed.askedAt(timer) + ttl(spec).toNanos());
                        return session;
                    });
            return observeOpening(opened, Session::context);
        });
    }

    /** The bound context, in the trace of a new session. */
    Envelope joined(SessionSpec spec, Envelope around, ContextView view) {
        return traces.join(spec.traceId(), around, view);
    }

    /** The fields that the openings of tasks and services share. */
    OpenSession.Builder request(SessionSpec spec, Plan plan) {
        BoundContext parent = plan.parent();
        return OpenSession.builder(config.zoneId(), config.applicationId())
                .childOf(parent == null ? null : parent.agentSessionId(), plan.inherits(), plan.inheritedEdge())
                .subjectAuthorityRecordId(subject(spec, parent == null ? Envelope.EMPTY : parent.envelope()))
                .subjectAuthorityRecordToken(spec.subjectToken())
                .labels(plan.labels())
                .metadata(spec.metadata())
                .kind(spec.kind() == null ? config.defaultKind().orElse(null) : spec.kind())
                .ownOrGeneratedKey(spec.idempotencyKey());
    }

    /**
     * The user for whom a session acts; sent in each opening, because the platform does not pass users on to children.
     */
    private static @Nullable String subject(SessionSpec spec, Envelope above) {
        String own = spec.subjectAuthorityRecordId();
        return own == null ? above.authorityRecordId() : own;
    }

    /** The delegation of a new session. A narrowed session gets its own later, and one without authority names none. */
    Envelope envelope(Envelope inherited, Envelope above, SessionSpec spec, Plan plan, SessionAnswer answer) {
        String edge = plan.inherits() ? answer.delegationEdgeId() : null;
        boolean delegated = edge != null && plan.parent() != null;
        return inherited.toBuilder()
                .agentSessionId(answer.agentSessionId())
                .delegationEdgeId(edge)
                .parentEdgeId(plan.inherits() ? above.delegationEdgeId() : null)
                .authorityRecordId(subject(spec, above))
                .hop(!plan.inherits() ? 0 : delegated ? above.hop() + 1 : above.hop())
                .build();
    }

    <S> Mono<S> observeOpening(Mono<S> opened, Function<S, BoundContext> context) {
        return events.observe(
                CaracalEvent.SessionOpened.class,
                opened,
                (session, completion) -> new CaracalEvent.SessionOpened(
                        session == null ? null : context.apply(session).agentSessionId(), completion));
    }

    Mono<Void> started(Session session) {
        return startHooks.isEmpty()
                ? Mono.empty()
                : Flux.fromIterable(startHooks)
                        .concatMap(hook -> hook.apply(session.context()))
                        .then()
                        .contextWrite(session::bind);
    }

    /**
     * Ends a session: its children, its end hooks, itself, and the sessions that hold authority for it, in this order. A failing
     * step, in its assembly too, does not stop the others.
     *
     * @param terminate ends the session at the platform; empty for one that is not ours any more
     */
    Mono<Void> end(Session session, Duration budget, boolean hooked, Mono<Void> terminate) {
        BoundContext context = session.context();
        Mono<Void> hooks = Mono.defer(() -> hooked && !endHooks.isEmpty() ? endHooks(session, budget) : Mono.empty());
        Mono<Void> end = Flux.concatDelayError(
                        Mono.defer(() -> session.children().close(budget, timer)),
                        hooks,
                        Mono.<Void>fromRunnable(session::markEnded).then(terminate),
                        // After the hooks, which may still make calls, and after the session, with which the platform
                        // ends them.
                        Mono.defer(() -> session.helpers().endAll(budget, timer)))
                .then()
                .contextWrite(session::bind);
        return events.observe(
                CaracalEvent.SessionClosed.class,
                end,
                (none, completion) -> new CaracalEvent.SessionClosed(context.agentSessionId(), completion));
    }

    private Mono<Void> endHooks(Session session, Duration budget) {
        Mono<Void> hooks = Flux.fromIterable(endHooks)
                .concatMapDelayError(hook -> hook.apply(session.context()))
                .then();
        // The end of the last child is signalled where no code of users may run.
        Mono<Void> there = session.children().isUsed() ? hooks.subscribeOn(callers.get()) : hooks;
        return Supplied.ask("The session end hooks", () -> there, budget, timer);
    }

    Mono<Void> terminate(Session session, @Nullable Long generation) {
        return Mono.defer(() -> {
            BoundContext context = session.context();
            return coordinator
                    .terminate(
                            context.agentSessionId(), generation, session.ends(), context.envelope(), session.place())
                    .doOnNext(ended -> {
                        if (ended) {
                            session.markGone();
                        }
                    })
                    .then();
        });
    }

    /** Reports sessions that could not be opened or ended. */
    public void report(Throwable failure) {
        if (failure instanceof ClosedException) {
            log.debug("An agent session was not opened: its subscriber had cancelled");
        } else {
            failures.warn(
                    log,
                    "An agent session could not be opened or closed; if it may still be open, the client retries the "
                            + "termination, and the platform ends it with its TTL or its lease: {}",
                    failure.getMessage());
        }
    }
}
