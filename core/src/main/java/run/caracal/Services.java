package run.caracal;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.reactivestreams.Publisher;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.Disposable;
import reactor.core.Disposables;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Scheduler;
import run.caracal.Grants.Plan;
import run.caracal.config.CaracalConfig;
import run.caracal.error.CoordinatorException;
import run.caracal.error.LeaseLostException;
import run.caracal.error.LeaseLostException.Reason;
import run.caracal.event.CaracalEvent;
import run.caracal.event.Completion;
import run.caracal.internal.control.Coordinator;
import run.caracal.internal.control.Coordinator.Opening;
import run.caracal.internal.event.EventBus;
import run.caracal.internal.lease.LeaseKeeper;
import run.caracal.internal.lease.LeaseKeeper.Granted;
import run.caracal.internal.lifecycle.Scope.Lifecycle;
import run.caracal.internal.propagation.Envelope;
import run.caracal.internal.propagation.TraceParent;

/** Opens service agents and keeps their leases (DESIGN L0 to L6). */
final class Services {
    private static final Logger log = LoggerFactory.getLogger(ServiceAgent.class);

    private final Caracal caracal;
    private final CaracalConfig config;
    private final Coordinator coordinator;
    private final Sessions sessions;
    private final EventBus events;
    private final Scheduler timer;

    /**
     * Creates the services of a client.
     *
     * @param timer where renewals and deadlines are timed: one daemon thread of the SDK's own, so that no blocked worker
     *     starves it
     */
    Services(
            Caracal caracal,
            CaracalConfig config,
            Coordinator coordinator,
            Sessions sessions,
            EventBus events,
            Scheduler timer) {
        this.caracal = caracal;
        this.config = config;
        this.coordinator = coordinator;
        this.sessions = sessions;
        this.events = events;
        this.timer = timer;
    }

    /** How long the delegation of a narrowed service lives until it is renewed, unless its grant says otherwise. */
    private static final Duration EDGE_TTL = CaracalConfig.MAX_TTL;

    /** A delegation is renewed when half of its time is over, but not in a hurry. */
    private static final Duration MIN_EDGE_WAIT = Duration.ofSeconds(1);

    /**
     * An opened service, before it is anybody's.
     *
     * @param session its session
     * @param lease its lease
     * @param holder the service whose authority it narrows, when the SDK opened that for it
     * @param upkeep what is done behind it: renewing its delegation, and watching its holder
     */
    private record Opened(
            Session session,
            LeaseKeeper<Lease> lease,
            @Nullable Opened holder,
            Disposable.Composite upkeep) {}

    Mono<ServiceAgent> spawn(ServiceOptions options) {
        return Mono.deferContextual(view -> {
                    CaracalContext bound = CaracalContext.find(view);
                    return sessions.scope(parent(options, bound))
                            .handOver(lifecycle(open(options, bound)), (opened, end) -> agent(opened, end, options));
                })
                .onErrorStop();
    }

    Mono<ServiceAgent> attach(String agentSessionId, ServiceOptions options) {
        return sessions.scope()
                .handOver(lifecycle(take(agentSessionId, options)), (opened, end) -> agent(opened, end, options))
                .onErrorStop();
    }

    <T> Flux<T> run(ServiceOptions options, Function<? super ServiceAgent, ? extends Publisher<T>> work) {
        return Flux.deferContextual(view -> {
                    CaracalContext bound = CaracalContext.find(view);
                    return sessions.scope(parent(options, bound))
                            .<Opened, T>many(lifecycle(open(options, bound)), opened -> {
                                ServiceAgent agent = new ServiceAgent(
                                        caracal, opened.session(), opened.lease(), Mono.defer(() -> end(opened)));
                                // takeUntilOther goes on with the work when the other side fails, so the loss ends it
                                // as a
                                // completion, and is signalled behind it.
                                Mono<Void> stop = opened.lease()
                                        .renewals(options.heartbeatInterval().orElse(null))
                                        .then()
                                        .onErrorComplete();
                                return agent.bind(Flux.<T>defer(() -> work.apply(agent)))
                                        .takeUntilOther(stop)
                                        .concatWith(Mono.defer(() -> {
                                            LeaseLostException loss =
                                                    opened.lease().loss();
                                            return loss == null ? Mono.empty() : Mono.error(loss);
                                        }));
                            });
                })
                .onErrorStop();
    }

    private ServiceAgent agent(Opened opened, Mono<Void> end, ServiceOptions options) {
        options.heartbeatInterval().ifPresent(opened.lease()::renewInBackground);
        return new ServiceAgent(caracal, opened.session(), opened.lease(), end);
    }

    /** A task is never the parent of a service: the platform refuses that. Its trace goes on all the same. */
    private @Nullable CaracalContext parent(ServiceOptions options, @Nullable CaracalContext bound) {
        if (options.parent().isPresent()) {
            return Sessions.own(options.parent().get(), sessions.scope());
        }
        Session session = bound == null ? null : bound.session();
        return session != null && session.isService() ? Sessions.own(bound, sessions.scope()) : null;
    }

    private Lifecycle<Opened> lifecycle(Mono<Opened> open) {
        return new Lifecycle<>(abandoned -> open, this::end, config.closeTimeout(), failure -> null, Sessions::report);
    }

    private Mono<Opened> open(ServiceOptions options, @Nullable CaracalContext bound) {
        return Mono.defer(() -> {
            CaracalContext parent = parent(options, bound);
            String traceId = bound == null ? TraceParent.newTraceId() : bound.traceId();
            if (parent != null || !(options.grant() instanceof Grant.Narrow narrow)) {
                return open(options, parent, traceId, null);
            }
            // A delegation needs a session that issues it. Its resource is checked before that is opened.
            String resource = sessions.grants().resource(narrow);
            ServiceOptions own = resource == null
                    ? options
                    : options.mutate().grant(narrow.resource(resource)).build();
            return open(
                            ServiceOptions.builder()
                                    .metadata(Map.of("holds_authority_for", "service"))
                                    .build(),
                            null,
                            traceId,
                            null)
                    .flatMap(holder -> {
                        holder.lease().renewInBackground(null);
                        return open(own, holder.session().context(), traceId, holder)
                                .onErrorResume(
                                        e -> end(holder).onErrorComplete().then(Mono.error(e)));
                    });
        });
    }

    private Mono<Opened> open(
            ServiceOptions options, @Nullable CaracalContext under, String traceId, @Nullable Opened holder) {
        Plan plan = sessions.grants().plan(options.grant(), options.labels(), under);
        CaracalContext parent = plan.parent();
        Envelope above = parent == null ? Envelope.EMPTY : parent.envelope();
        Envelope inherited = above.toBuilder().traceId(traceId).build();
        Opening opening = new Opening(
                parent == null ? null : parent.agentSessionId(),
                plan.inherits(),
                plan.inheritedEdge(),
                null,
                plan.labels(),
                options.metadata(),
                options.kind().or(config::defaultKind).orElse(null),
                null,
                options.idempotencyKey().orElse(null),
                false,
                inherited);
        long sent = nanos();
        Mono<Opened> opened = coordinator
                .open(opening, () -> false)
                .map(answer -> {
                    Envelope envelope = sessions.envelope(inherited, above, plan, answer, null);
                    Authority authority = plan.authority(plan.inherits() ? answer.delegationEdgeId() : null);
                    return keep(envelope, authority, answer.lease(), sent, options, holder);
                })
                .flatMap(service -> sessions.grants()
                        .settle(service.session(), plan, EDGE_TTL)
                        .onErrorResume(e -> endAlone(service).onErrorComplete().then(Mono.error(e)))
                        .then(Mono.fromSupplier(() -> {
                            maintain(service, plan);
                            return service;
                        })));
        return sessions.observeOpening(opened, o -> o.session().context());
    }

    /** Renews the delegation of a narrowed service before it expires, and shares the fate of the service that holds its
     * authority (DESIGN L7). */
    private void maintain(Opened service, Plan plan) {
        Opened holder = service.holder();
        if (holder != null) {
            service.upkeep()
                    .add(holder.lease()
                            .end()
                            .subscribe(
                                    null,
                                    e -> service.lease()
                                            .declareLost(
                                                    e instanceof LeaseLostException lost ? lost.reason() : Reason.GONE,
                                                    e)));
        }
        if (plan.grant() instanceof Grant.Narrow) {
            Mono<Void> step = Mono.defer(() -> renewDelegation(service, plan));
            service.upkeep().add(step.repeat(service.lease()::isKept).subscribe());
        }
    }

    private Mono<Void> renewDelegation(Opened service, Plan plan) {
        Long ends = service.session().context().edgeEnds();
        long left = ends == null ? 0 : ends - nanos();
        if (left <= 0) {
            service.lease().declareLost(Reason.EXPIRED, null);
            return Mono.empty();
        }
        Duration wait = Duration.ofNanos(Math.min(left, Math.max(left / 2, MIN_EDGE_WAIT.toNanos())));
        return Mono.delay(wait, timer)
                .then(Mono.defer(() -> sessions.grants().settle(service.session(), plan, EDGE_TTL)))
                .onErrorResume(e -> {
                    if (e instanceof CoordinatorException refused
                            && !refused.isRetryable()
                            && !refused.isOutcomeUnknown()) {
                        service.lease().declareLost(Reason.UNAUTHORIZED, e);
                    } else {
                        log.warn(
                                "The delegation of the service {} was not renewed, and that is tried again: {}",
                                service.session().context().agentSessionId(),
                                e.toString());
                    }
                    return Mono.empty();
                });
    }

    private Mono<Opened> take(String agentSessionId, ServiceOptions options) {
        return Mono.defer(() -> {
            Envelope envelope = Envelope.builder()
                    .agentSessionId(agentSessionId)
                    .traceId(TraceParent.newTraceId())
                    .build();
            long sent = nanos();
            Mono<Opened> opened = coordinator
                    .attach(agentSessionId, envelope)
                    .onErrorMap(CoordinatorException.class, refused -> {
                        Reason reason = reason(refused);
                        return reason == Reason.EXPIRED || reason == Reason.SUSPENDED
                                ? new LeaseLostException(reason, agentSessionId, refused)
                                : refused;
                    })
                    .map(answer -> keep(
                            envelope,
                            new Authority.Spawned(null, List.of(), Grant.inherit(), null, null),
                            answer.lease(),
                            sent,
                            options,
                            null));
            return sessions.observeOpening(opened, o -> o.session().context());
        });
    }

    private Opened keep(
            Envelope envelope,
            Authority authority,
            run.caracal.internal.wire.Lease granted,
            long sent,
            ServiceOptions options,
            @Nullable Opened holder) {
        Session session = Session.service(
                sessions.scope(), config.zoneId(), config.applicationId(), envelope, sessions.scope(), authority);
        String id = session.context().agentSessionId();
        Supplier<Mono<Health>> health = options.health().orElse(null);
        LeaseKeeper.Holder<Lease> keeper = new LeaseKeeper.Holder<>() {
            @Override
            public String agentSessionId() {
                return id;
            }

            @Override
            public Mono<Granted<Lease>> renew(@Nullable Long generation) {
                Mono<Health> status = health == null
                        ? Mono.just(Health.HEALTHY)
                        : Mono.defer(health)
                                .switchIfEmpty(Mono.error(() -> new IllegalStateException(
                                        "the health signal gave nothing, so the renewal was skipped")));
                return status.flatMap(s -> events.observe(
                        renewed(id, s, generation, envelope),
                        200,
                        (lease, completion) -> new CaracalEvent.LeaseRenewed(id, completion)));
            }

            @Override
            public void lost(LeaseLostException loss) {
                events.emit(() -> new CaracalEvent.LeaseLost(
                        id,
                        loss.reason(),
                        new Completion(Completion.Outcome.FAILURE, Duration.ZERO, 0, loss.code(), null)));
            }
        };
        return new Opened(
                session, new LeaseKeeper<>(keeper, granted(id, granted), sent, timer), holder, Disposables.composite());
    }

    private Mono<Granted<Lease>> renewed(String id, Health status, @Nullable Long generation, Envelope envelope) {
        return coordinator
                .renew(id, status.wire(), generation, envelope)
                .map(answer -> {
                    if ("suspended".equals(answer.status())) {
                        throw new LeaseLostException(Reason.SUSPENDED, id, null);
                    }
                    return granted(id, answer.lease());
                })
                .onErrorMap(CoordinatorException.class, refused -> {
                    Reason reason = reason(refused);
                    return reason == null ? refused : new LeaseLostException(reason, id, refused);
                });
    }

    private static Granted<Lease> granted(String id, run.caracal.internal.wire.Lease lease) {
        return new Granted<>(
                new Lease(id, lease.generation(), lease.deadline(), lease.length()),
                lease.generation(),
                lease.length());
    }

    /** Why a refusal means that the lease is lost; {@code null} when it is transient. */
    private static @Nullable Reason reason(CoordinatorException refused) {
        return switch (refused.httpStatus()) {
            case 401, 403 -> Reason.UNAUTHORIZED;
            case 404 -> Reason.GONE;
            case 409 ->
                switch (refused.code()) {
                    case "session_lease_fenced" -> Reason.FENCED;
                    case "session_subject_inactive" -> Reason.SUBJECT_INACTIVE;
                    case "session_lease_expired" -> Reason.EXPIRED;
                    case "session_suspended" -> Reason.SUSPENDED;
                    default -> refused.isSessionGone() ? Reason.GONE : null;
                };
            default -> null;
        };
    }

    /** Ends a service, and then the one that the SDK opened to hold its authority. */
    private Mono<Void> end(Opened opened) {
        Opened holder = opened.holder();
        return holder == null
                ? endAlone(opened)
                : Flux.concatDelayError(endAlone(opened), endAlone(holder)).then();
    }

    /** Stops the renewals, then ends the session; one that somebody else holds now is left to them. */
    private Mono<Void> endAlone(Opened opened) {
        return Mono.defer(() -> {
            opened.upkeep().dispose();
            opened.lease().close();
            LeaseLostException loss = opened.lease().loss();
            if (loss != null && (loss.reason() == Reason.FENCED || loss.reason() == Reason.GONE)) {
                opened.session().markEnded();
                return Mono.empty();
            }
            return sessions.end(
                    opened.session(), config.closeTimeout(), opened.lease().generation());
        });
    }

    private long nanos() {
        return timer.now(TimeUnit.NANOSECONDS);
    }
}
