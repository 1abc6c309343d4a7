package run.caracal;

import java.time.Duration;
import java.util.EnumSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
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
import reactor.core.scheduler.Schedulers;
import run.caracal.Grants.Plan;
import run.caracal.config.CaracalConfig;
import run.caracal.error.CoordinatorException;
import run.caracal.error.LeaseLostException;
import run.caracal.error.LeaseLostException.Reason;
import run.caracal.error.Refusal;
import run.caracal.error.SessionCloseException;
import run.caracal.event.CaracalEvent;
import run.caracal.event.Completion;
import run.caracal.internal.control.Coordinator;
import run.caracal.internal.control.Coordinator.Opening;
import run.caracal.internal.event.EventBus;
import run.caracal.internal.lease.LeaseKeeper;
import run.caracal.internal.lease.LeaseKeeper.Granted;
import run.caracal.internal.lifecycle.Scope;
import run.caracal.internal.lifecycle.Scope.Lifecycle;
import run.caracal.internal.propagation.Envelope;
import run.caracal.internal.propagation.TraceParent;

/** Opens service agents and keeps their leases. */
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

    /** The losses after which the session is not this client's to end. */
    private static final Set<Reason> LEFT_ALONE = EnumSet.of(Reason.FENCED, Reason.GONE, Reason.SUSPENDED);

    /** What is opened to hold the authority of a narrowed service without a parent. */
    private static final ServiceOptions HOLDER = ServiceOptions.builder()
            .metadata(Map.of("holds_authority_for", "service"))
            .build();

    private static final Duration MIN_TIMER = Duration.ofMillis(50);

    /** How long the delegation of a narrowed service lives until it is renewed, unless its grant says otherwise. */
    private static final Duration EDGE_TTL = CaracalConfig.MAX_TTL;

    /** A delegation is renewed when half of its time is over, but not in a hurry. */
    private static final Duration MIN_EDGE_WAIT = Duration.ofSeconds(1);

    /** An opened service. */
    private final class Opened {
        private final Session session;
        private final LeaseKeeper<Lease> lease;

        /** The service whose authority it narrows, when the SDK opened that for it. */
        private final @Nullable Opened holder;

        /** Whether it is such a holder itself: no hook hears of it. */
        private final boolean isHolder;

        /** Renews its delegation and watches its holder. */
        private final Disposable.Composite upkeep = Disposables.composite();

        private @Nullable Mono<Void> ending;

        Opened(Session session, LeaseKeeper<Lease> lease, @Nullable Opened holder, boolean isHolder) {
            this.isHolder = isHolder;
            this.session = session;
            this.lease = lease;
            this.holder = holder;
        }

        /** Its one end, whoever asks for it: made by the first who does. */
        private synchronized Mono<Void> end() {
            Mono<Void> known = ending;
            if (known == null) {
                known = Mono.defer(() -> Services.this.end(this)).cache();
                ending = known;
            }
            return known;
        }
    }

    Mono<ServiceAgent> spawn(ServiceOptions options) {
        return Mono.deferContextual(view -> {
                    CaracalContext bound = CaracalContext.find(view);
                    return sessions.scope(parent(options, bound))
                            .handOver(
                                    lifecycle(abandoned -> open(options, bound, abandoned)),
                                    (opened, end) -> agent(opened, end, options));
                })
                .onErrorStop();
    }

    Mono<ServiceAgent> attach(String agentSessionId, ServiceOptions options) {
        return Mono.deferContextual(view -> sessions.scope()
                        .handOver(
                                lifecycle(abandoned ->
                                        take(agentSessionId, options, CaracalContext.find(view), abandoned)),
                                (opened, end) -> agent(opened, end, options)))
                .onErrorStop();
    }

    <T> Flux<T> run(ServiceOptions options, Function<? super ServiceAgent, ? extends Publisher<T>> work) {
        return Flux.deferContextual(view -> {
                    CaracalContext bound = CaracalContext.find(view);
                    return sessions.scope(parent(options, bound))
                            .<Opened, T>many(
                                    lifecycle(abandoned -> open(options, bound, abandoned)),
                                    opened -> atWork(opened, options, work));
                })
                .onErrorStop();
    }

    private <T> Flux<T> atWork(
            Opened opened, ServiceOptions options, Function<? super ServiceAgent, ? extends Publisher<T>> work) {
        ServiceAgent agent = new ServiceAgent(caracal, opened.session, opened.lease, Mono.defer(opened::end));
        return Flux.defer(() -> {
            opened.lease.renewInBackground(options.heartbeatInterval().orElse(null));
            // takeUntilOther goes on with the work when the other side fails, so the loss ends it as a completion,
            // and is signalled behind it.
            return agent.bind(Flux.<T>defer(() -> work.apply(agent)))
                    .takeUntilOther(opened.lease.end().onErrorComplete())
                    .concatWith(Mono.defer(() -> {
                        LeaseLostException loss = opened.lease.loss();
                        return loss == null ? Mono.empty() : Mono.error(loss);
                    }));
        });
    }

    private ServiceAgent agent(Opened opened, Mono<Void> end, ServiceOptions options) {
        options.heartbeatInterval().ifPresent(opened.lease::renewInBackground);
        return new ServiceAgent(caracal, opened.session, opened.lease, end);
    }

    /** A task is never the parent of a service: the platform refuses that. Its trace goes on all the same. */
    private @Nullable CaracalContext parent(ServiceOptions options, @Nullable CaracalContext bound) {
        if (options.parent().isPresent()) {
            Sessions.requireOurs(options.parent().get());
            return Sessions.own(options.parent().get(), sessions.scope());
        }
        Session session = bound == null ? null : bound.session();
        return session != null && session.isService() ? Sessions.own(bound, sessions.scope()) : null;
    }

    private Lifecycle<Opened> lifecycle(Function<BooleanSupplier, Mono<Opened>> open) {
        return new Lifecycle<>(
                open,
                Opened::end,
                // Who lost a lease must hear of it at once; what is left to end goes on by itself.
                error -> error instanceof LeaseLostException ? Duration.ZERO : config.closeTimeout(),
                failure -> config.failOnCloseError() ? new SessionCloseException(failure) : null,
                sessions::report);
    }

    private Mono<Opened> open(ServiceOptions options, @Nullable CaracalContext bound, BooleanSupplier abandoned) {
        return Mono.defer(() -> {
            CaracalContext parent = parent(options, bound);
            String traceId = bound == null ? TraceParent.newTraceId() : bound.traceId();
            if (parent != null || !(options.grant() instanceof Grant.Narrow narrow)) {
                return open(options, parent, traceId, null, abandoned);
            }
            // A delegation needs a session that issues it. Its resource is checked before that is opened.
            String resource = sessions.grants().resource(narrow);
            ServiceOptions own = resource == null
                    ? options
                    : options.mutate().grant(narrow.resource(resource)).build();
            return open(HOLDER, null, traceId, null, abandoned).flatMap(holder -> {
                holder.lease.renewInBackground(null);
                return open(own, holder.session.context(), traceId, holder, abandoned)
                        .onErrorResume(e -> end(holder).onErrorComplete().then(Mono.error(e)));
            });
        });
    }

    private Mono<Opened> open(
            ServiceOptions options,
            @Nullable CaracalContext under,
            String traceId,
            @Nullable Opened holder,
            BooleanSupplier abandoned) {
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
        Mono<Opened> opened = coordinator.open(opening, abandoned).map(answer -> {
            Envelope envelope = sessions.envelope(inherited, above, plan, answer, null);
            Authority authority = plan.authority(plan.inherits() ? answer.delegationEdgeId() : null);
            Scope enclosing = sessions.scope(holder == null ? under : null);
            return keep(envelope, authority, answer.lease(), sent, options, holder, enclosing);
        });
        return sessions.observeOpening(opened, o -> o.session.context()).flatMap(service -> {
            Mono<Void> hooks = options == HOLDER ? Mono.empty() : Mono.defer(() -> sessions.started(service.session));
            return sessions.grants()
                    .settle(service.session, plan, EDGE_TTL)
                    .then(hooks)
                    .onErrorResume(e -> endAlone(service).onErrorComplete().then(Mono.error(e)))
                    .then(Mono.fromSupplier(() -> {
                        maintain(service, plan);
                        return service;
                    }));
        });
    }

    /** Renews the delegation of a narrowed service before it expires, and shares the fate of the service that holds its
     * authority. */
    private void maintain(Opened service, Plan plan) {
        LeaseKeeper<Lease> lease = service.lease;
        Opened holder = service.holder;
        boolean inherited = service.session.context().edgeEnds() != null;
        if (holder == null && !(plan.grant() instanceof Grant.Narrow) && !inherited) {
            return;
        }
        if (holder != null) {
            // Its own lease was not taken by anybody, whatever became of the holder's.
            service.upkeep.add(holder.lease.end().subscribe(null, e -> lease.declareLost(Reason.UNAUTHORIZED, e)));
        }
        if (plan.grant() instanceof Grant.Narrow) {
            service.upkeep.add(Mono.defer(() -> renewDelegation(service, plan))
                    .repeat(lease::isKept)
                    .subscribe(null, e -> lease.declareLost(Reason.EXPIRED, e)));
        } else if (inherited) {
            // What it inherited is not renewed under it.
            service.upkeep.add(Mono.defer(() -> Mono.delay(left(service), timer))
                    .subscribe(
                            due -> lease.declareLost(Reason.EXPIRED, null), e -> lease.declareLost(Reason.EXPIRED, e)));
        }
        // A lost service needs neither, and its owner may never close it.
        service.upkeep.add(lease.end().subscribe(null, lost -> {
            service.upkeep.dispose();
            if (holder != null) {
                var unused = holder.end().subscribe(null, e -> log.debug("A holder did not end in good order", e));
            }
        }));
    }

    private Duration left(Opened service) {
        Long ends = service.session.context().edgeEnds();
        return Duration.ofNanos(ends == null ? 0 : Math.max(0, ends - nanos()));
    }

    private Mono<Void> renewDelegation(Opened service, Plan plan) {
        Duration left = left(service);
        if (left.isZero()) {
            service.lease.declareLost(Reason.EXPIRED, null);
            return Mono.empty();
        }
        Duration half = left.dividedBy(2);
        Duration wait = half.compareTo(MIN_EDGE_WAIT) > 0 || left.compareTo(MIN_EDGE_WAIT) < 0 ? half : MIN_EDGE_WAIT;
        return Mono.delay(wait.compareTo(MIN_TIMER) > 0 ? wait : MIN_TIMER, timer)
                .then(Mono.defer(() -> sessions.grants().settle(service.session, plan, EDGE_TTL))
                        .onErrorResume(e -> {
                            if (e instanceof CoordinatorException refused && endsAuthority(refused)) {
                                service.lease.declareLost(Reason.UNAUTHORIZED, e);
                            } else {
                                log.warn(
                                        "The delegation of the service {} was not renewed, and that is tried again: {}",
                                        service.session.context().agentSessionId(),
                                        e.toString());
                            }
                            return Mono.empty();
                        }));
    }

    /** Whether no later attempt can renew a delegation. */
    private static boolean endsAuthority(CoordinatorException refused) {
        return refused.httpStatus() == 401
                || refused.code().equals("parent_delegation_not_active")
                || refused.code().equals("delegation_endpoint_not_found");
    }

    private Mono<Opened> take(
            String agentSessionId, ServiceOptions options, @Nullable CaracalContext bound, BooleanSupplier abandoned) {
        return Mono.defer(() -> {
            Envelope envelope = Envelope.builder()
                    .agentSessionId(agentSessionId)
                    .traceId(bound == null ? TraceParent.newTraceId() : bound.traceId())
                    .build();
            long sent = nanos();
            Mono<Opened> opened = coordinator
                    .attach(agentSessionId, envelope, abandoned)
                    .onErrorMap(CoordinatorException.class, refused -> {
                        Reason reason = reason(refused);
                        return reason == Reason.EXPIRED || reason == Reason.SUSPENDED
                                ? new LeaseLostException(reason, agentSessionId, refused)
                                : refused;
                    })
                    .map(answer -> keep(envelope, null, answer.lease(), sent, options, null, sessions.scope()));
            return sessions.observeOpening(opened, o -> o.session.context());
        });
    }

    private Opened keep(
            Envelope envelope,
            @Nullable Authority authority,
            run.caracal.internal.wire.Lease granted,
            long sent,
            ServiceOptions options,
            @Nullable Opened holder,
            Scope enclosing) {
        Session session = Session.service(
                sessions.scope(), config.zoneId(), config.applicationId(), envelope, enclosing, authority);
        String id = session.context().agentSessionId();
        Supplier<Mono<Health>> health = options.health().orElse(null);
        LeaseKeeper.Holder<Lease> keeper = new LeaseKeeper.Holder<>() {
            @Override
            public String agentSessionId() {
                return id;
            }

            @Override
            public Mono<Granted<Lease>> renew(@Nullable Long generation, Duration lag) {
                // Away from the one timer of all leases, where a signal that hangs would stop every other lease too.
                Mono<Health> status = health == null
                        ? Mono.just(Health.HEALTHY)
                        : Mono.defer(health)
                                .switchIfEmpty(Mono.error(() -> new IllegalStateException(
                                        "the health signal gave nothing, so the renewal was skipped")))
                                .subscribeOn(Schedulers.boundedElastic())
                                .contextWrite(view -> view.put(CaracalContext.class, session.context()));
                return status.flatMap(s -> events.observe(
                        CaracalEvent.LeaseRenewed.class,
                        renewed(id, s, generation, envelope),
                        (lease, completion) -> new CaracalEvent.LeaseRenewed(id, lag, completion)));
            }

            @Override
            public void lost(LeaseLostException loss) {
                session.markEnded();
                log.warn("{}", loss.getMessage());
                events.emit(() -> new CaracalEvent.LeaseLost(
                        id,
                        loss.reason(),
                        new Completion(Completion.Outcome.FAILURE, Duration.ZERO, 0, loss.code(), null)));
            }
        };
        return new Opened(
                session, new LeaseKeeper<>(keeper, granted(id, granted), sent, timer), holder, options == HOLDER);
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

    /** Why a refusal of the Coordinator means that the lease is lost; {@code null} when it is transient. */
    private static @Nullable Reason reason(CoordinatorException refused) {
        if (refused.code().equals(Refusal.NO_CODE)) {
            // Not the Coordinator's words: something in front of it, which may be gone at the next tick.
            return null;
        }
        return switch (refused.httpStatus()) {
            case 401, 403 -> Reason.UNAUTHORIZED;
            case 404 ->
                refused.code().equals("session_not_found") || refused.code().equals("agent_not_found")
                        ? Reason.GONE
                        : null;
            case 409 ->
                switch (refused.code()) {
                    case "session_lease_fenced" -> Reason.FENCED;
                    case "session_subject_inactive" -> Reason.SUBJECT_INACTIVE;
                    case "session_lease_expired", "agent_lease_expired" -> Reason.EXPIRED;
                    case "session_suspended" -> Reason.SUSPENDED;
                    default -> refused.isSessionGone() ? Reason.GONE : null;
                };
            default -> null;
        };
    }

    /** Ends a service, and then the one that the SDK opened to hold its authority. */
    private Mono<Void> end(Opened opened) {
        Opened holder = opened.holder;
        return holder == null
                ? endAlone(opened)
                : Flux.concatDelayError(endAlone(opened), holder.end()).then();
    }

    /** Stops the renewals, then ends the session; one that is somebody else's now, or to be resumed, is left to them. */
    private Mono<Void> endAlone(Opened opened) {
        return Mono.defer(() -> {
            opened.upkeep.dispose();
            opened.lease.close();
            LeaseLostException loss = opened.lease.loss();
            boolean left = loss != null && LEFT_ALONE.contains(loss.reason());
            return sessions.end(
                    opened.session,
                    config.closeTimeout(),
                    !opened.isHolder,
                    left ? Mono.empty() : sessions.terminate(opened.session, opened.lease.generation()));
        });
    }

    private long nanos() {
        return timer.now(TimeUnit.NANOSECONDS);
    }
}
