package run.caracal.internal.session;

import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.BiFunction;
import java.util.function.BooleanSupplier;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.reactivestreams.Publisher;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Scheduler;
import reactor.core.scheduler.Schedulers;
import reactor.util.context.ContextView;
import run.caracal.config.CaracalConfig;
import run.caracal.error.CoordinatorException;
import run.caracal.error.LeaseLostException;
import run.caracal.error.LeaseLostException.Reason;
import run.caracal.error.Refusal;
import run.caracal.error.SessionCloseException;
import run.caracal.event.CaracalEvent;
import run.caracal.event.Completion;
import run.caracal.internal.LogNames;
import run.caracal.internal.Supplied;
import run.caracal.internal.capacity.Place;
import run.caracal.internal.capacity.SessionGate;
import run.caracal.internal.capacity.SessionGate.Kind;
import run.caracal.internal.context.BoundContext;
import run.caracal.internal.context.Provenance;
import run.caracal.internal.context.Session;
import run.caracal.internal.control.Coordinator;
import run.caracal.internal.delegation.GrantIssuer;
import run.caracal.internal.delegation.GrantIssuer.Plan;
import run.caracal.internal.event.EventBus;
import run.caracal.internal.lease.LeaseKeeper;
import run.caracal.internal.lease.SleepWatch;
import run.caracal.internal.lifecycle.Scope;
import run.caracal.internal.lifecycle.Scope.Lifecycle;
import run.caracal.internal.options.Arguments;
import run.caracal.internal.options.GrantSpec;
import run.caracal.internal.propagation.Envelope;
import run.caracal.internal.wire.LeaseTerms;
import run.caracal.internal.wire.OpenSession;
import run.caracal.internal.wire.SessionAnswer;

/** Opens service agents and keeps their leases. */
public final class ServiceRunner {
    private static final Logger log = LoggerFactory.getLogger(LogNames.SERVICE_AGENT);

    /** Reasons after which this client must not terminate the session. */
    private static final Set<Reason> LEFT_ALONE = EnumSet.of(Reason.FENCED, Reason.GONE, Reason.SUSPENDED);

    /** The session that holds the authority of a narrowed service without a parent. */
    private static final SessionSpec HOLDER = SessionSpec.holdingAuthority("service", List.of(), null, null);

    /** The default status of a renewal. */
    private static final String HEALTHY = "healthy";

    private static final Duration MIN_TIMER = Duration.ofMillis(50);

    /** The TTL of a narrowed service's delegation until its renewal, unless its grant sets one. */
    private static final Duration EDGE_TTL = CaracalConfig.MAX_TTL;

    /**
     * The remaining life at which a delegation is renewed at the latest: the Gateway's reserve, and time for the
     * renewal.
     */
    private static final Duration EDGE_RESERVE = Arguments.GATEWAY_RESERVE.plusSeconds(3);

    /** A delegation is renewed at half of its life, but not more often than this. */
    private static final Duration MIN_EDGE_WAIT = Duration.ofSeconds(1);

    private final CaracalConfig config;
    private final Coordinator coordinator;
    private final SessionRunner sessions;
    private final GrantIssuer grants;
    private final SessionGate gate;
    private final Scope client;
    private final EventBus events;
    private final Scheduler timer;
    private final Supplier<Scheduler> callers;
    private final SleepWatch sleeps;

    /**
     * Creates the services of a client.
     *
     * @param timer where renewals and deadlines are timed: one daemon thread of the SDK's own, so that no blocked worker
     *     starves it
     * @param callers where the code of a caller goes on after the end of a service
     */
    public ServiceRunner(
            CaracalConfig config,
            Coordinator coordinator,
            SessionRunner sessions,
            GrantIssuer grants,
            SessionGate gate,
            Scope client,
            EventBus events,
            Scheduler timer,
            Supplier<Scheduler> callers) {
        this.config = config;
        this.coordinator = coordinator;
        this.sessions = sessions;
        this.grants = grants;
        this.gate = gate;
        this.client = client;
        this.events = events;
        this.timer = timer;
        this.callers = callers;
        this.sleeps = new SleepWatch(timer);
    }

    /**
     * Opens a service for an owner, which has to end it.
     *
     * @param handle makes what the owner gets of the service and its end
     */
    public <A> Mono<A> open(ServiceSpec spec, BiFunction<Service, Mono<Void>, A> handle) {
        return Mono.deferContextual(view -> {
                    BoundContext bound = BoundContext.find(view);
                    Scope scope = BoundContext.scope(parent(spec, bound), client);
                    return gate.one(
                            Kind.SERVICE,
                            BoundContext.place(bound),
                            place -> scope.handOver(
                                    lifecycle(abandoned -> open(spec, bound, abandoned, place)),
                                    renewing(spec, handle)));
                })
                .onErrorStop();
    }

    /** Takes over a service for an owner, which has to end it. */
    public <A> Mono<A> attach(String agentSessionId, ServiceSpec spec, BiFunction<Service, Mono<Void>, A> handle) {
        return Mono.deferContextual(view -> client.handOver(
                        lifecycle(abandoned -> take(agentSessionId, spec, BoundContext.find(view), abandoned)),
                        renewing(spec, handle)))
                .onErrorStop();
    }

    private static <A> BiFunction<Service, Mono<Void>, A> renewing(
            ServiceSpec spec, BiFunction<Service, Mono<Void>, A> handle) {
        return (service, end) -> {
            if (spec.heartbeatInterval() != null) {
                service.lease().renewInBackground(spec.heartbeatInterval());
            }
            return handle.apply(service, end);
        };
    }

    /** Runs work as its own service. */
    public <A, T> Flux<T> run(
            ServiceSpec spec,
            BiFunction<Service, Mono<Void>, A> handle,
            Function<? super A, ? extends Publisher<T>> work) {
        Flux<T> service = Flux.deferContextual(view -> {
            BoundContext bound = BoundContext.find(view);
            Scope scope = BoundContext.scope(parent(spec, bound), client);
            return gate.many(
                    Kind.SERVICE,
                    BoundContext.place(bound),
                    place -> scope.<Service, T>many(
                            lifecycle(abandoned -> open(spec, bound, abandoned, place)),
                            opened -> atWork(opened, spec, handle, work)));
        });
        Duration reopen = spec.reopen();
        return (reopen == null ? service : service.retryWhen(Restarts.ofServices(reopen))).onErrorStop();
    }

    private <A, T> Flux<T> atWork(
            Service service,
            ServiceSpec spec,
            BiFunction<Service, Mono<Void>, A> handle,
            Function<? super A, ? extends Publisher<T>> work) {
        A agent = handle.apply(service, Mono.defer(() -> service.end().publishOn(callers.get())));
        return Flux.defer(() -> {
            service.lease().renewInBackground(spec.heartbeatInterval());
            // takeUntilOther ignores an error of the other side, so the loss completes it and is signalled afterwards.
            Flux<T> results = Flux.<T>defer(
                            () -> Supplied.<Publisher<T>>given(work.apply(agent), "The work of runService(...)"))
                    .contextWrite(service.session()::bind);
            Duration reopen = spec.reopen();
            return (reopen == null
                            ? results
                            : results.retryWhen(Restarts.ofWork(
                                    reopen, service.session().context().agentSessionId())))
                    // The work may fail without a lease before the loss is signalled.
                    .onErrorMap(failure -> lossBehind(service, failure))
                    .takeUntilOther(service.lease().end().onErrorComplete())
                    .concatWith(Mono.defer(() -> {
                        LeaseLostException loss = service.lease().loss();
                        return loss == null ? Mono.empty() : Mono.error(loss);
                    }));
        });
    }

    private static Throwable lossBehind(Service service, Throwable failure) {
        LeaseLostException loss = service.lease().loss();
        if (loss == null || loss == failure) {
            return failure;
        }
        loss.addSuppressed(failure);
        return loss;
    }

    /** A task is never the parent of a service, which the platform rejects; the service only joins its trace. */
    private @Nullable BoundContext parent(ServiceSpec spec, @Nullable BoundContext bound) {
        BoundContext given = spec.session().parent();
        if (given != null) {
            given.requireOurs();
            return BoundContext.requireOwn(given, client);
        }
        Session session = bound == null ? null : bound.session();
        return session != null && session.isService() ? BoundContext.requireOwn(bound, client) : null;
    }

    private Lifecycle<Service> lifecycle(Function<BooleanSupplier, Mono<Service>> open) {
        return new Lifecycle<>(
                open,
                Service::end,
                // The holder of a lost lease must be told at once; the rest of the cleanup continues in the background.
                error -> error instanceof LeaseLostException ? Duration.ZERO : config.closeTimeout(),
                failure -> config.failOnCloseError() ? new SessionCloseException(failure) : null,
                sessions::report);
    }

    private Mono<Service> open(ServiceSpec spec, @Nullable BoundContext bound, BooleanSupplier abandoned, Place place) {
        return Mono.deferContextual(view -> {
            BoundContext parent = parent(spec, bound);
            Envelope trace = trace(spec, parent, bound, view);
            if (parent != null || !(spec.session().grant() instanceof GrantSpec.Narrow narrow)) {
                return open(spec, parent, trace, null, abandoned, place);
            }
            // Checks the resource before the issuing session is opened.
            GrantSpec resolved =
                    new GrantSpec.Narrow(narrow.scopes(), grants.resource(narrow), narrow.constraints(), narrow.ttl());
            ServiceSpec own = spec.withSession(spec.session().withGrant(resolved));
            return open(new ServiceSpec(HOLDER, null, null, null), null, trace, null, abandoned, place)
                    .flatMap(holder -> {
                        holder.lease().renewInBackground(null);
                        return gate.one(
                                        Kind.HELPER,
                                        place,
                                        inside ->
                                                open(own, holder.session().context(), trace, holder, abandoned, inside))
                                .onErrorResume(
                                        e -> end(holder).onErrorComplete().then(Mono.error(e)));
                    });
        });
    }

    private Mono<Service> open(
            ServiceSpec spec,
            @Nullable BoundContext under,
            Envelope trace,
            @Nullable Service holder,
            BooleanSupplier abandoned,
            Place place) {
        Plan plan = grants.plan(spec.session().grant(), spec.session().labelsOf(config.applicationId()), under);
        BoundContext parent = plan.parent();
        Envelope above = parent == null ? Envelope.EMPTY : parent.envelope();
        Envelope inherited = above.inTraceOf(trace);
        OpenSession request = sessions.request(spec.session(), plan).service().build();
        place.take();
        Mono<Service> opened = coordinator
                .open(request, false, inherited, abandoned, place)
                .map(timed -> {
                    SessionAnswer answer = timed.answer();
                    Envelope envelope = sessions.envelope(inherited, above, spec.session(), plan, answer);
                    Provenance provenance = plan.provenance(plan.inherits() ? answer.delegationEdgeId() : null);
                    Scope enclosing = BoundContext.scope(holder == null ? under : null, client);
                    return keep(
                            envelope, provenance, answer.lease(), timed.askedAt(timer), spec, holder, enclosing, place);
                });
        return sessions.observeOpening(opened, s -> s.session().context()).flatMap(service -> {
            Mono<Void> hooks = service.isHolder ? Mono.empty() : Mono.defer(() -> sessions.started(service.session()));
            return grants.settle(service.session(), plan, EDGE_TTL)
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
    private void maintain(Service service, Plan plan) {
        LeaseKeeper lease = service.lease();
        Service holder = service.holder;
        boolean inherited = service.session().context().edgeEnds() != null;
        if (holder == null && !(plan.grant() instanceof GrantSpec.Narrow) && !inherited) {
            return;
        }
        if (holder != null) {
            // Its own lease is not lost, whatever happened to the holder's.
            service.upkeep.add(holder.lease().end().subscribe(null, e -> lease.declareLost(Reason.UNAUTHORIZED, e)));
        }
        if (plan.grant() instanceof GrantSpec.Narrow) {
            service.upkeep.add(Mono.defer(() -> renewDelegation(service, plan))
                    .repeat(lease::isKept)
                    .subscribe(null, e -> lease.declareLost(Reason.EXPIRED, e)));
        } else if (inherited) {
            // Inherited authority is not renewed under it.
            service.upkeep.add(Mono.defer(() -> Mono.delay(left(service), timer))
                    .subscribe(
                            due -> lease.declareLost(Reason.EXPIRED, null), e -> lease.declareLost(Reason.EXPIRED, e)));
        }
        // Ends both, because the owner of a lost service may never close it.
        service.upkeep.add(lease.end().subscribe(null, lost -> {
            service.upkeep.dispose();
            if (holder != null) {
                var unused = holder.end()
                        .subscribe(null, e -> log.debug("Closing the holder of a service's authority failed", e));
            }
        }));
    }

    private Duration left(Service service) {
        Long ends = service.session().context().edgeEnds();
        return Duration.ofNanos(ends == null ? 0 : Math.max(0, ends - nanos()));
    }

    private Mono<Void> renewDelegation(Service service, Plan plan) {
        Duration left = left(service);
        if (left.isZero()) {
            service.lease().declareLost(Reason.EXPIRED, null);
            return Mono.empty();
        }
        Duration half = left.dividedBy(2);
        Duration unhurried = min(half, MIN_EDGE_WAIT);
        Duration wait = max(min(half, left.minus(EDGE_RESERVE)), unhurried);
        return Mono.delay(max(wait, MIN_TIMER), timer)
                .then(Mono.defer(() -> grants.renew(service.session(), plan, EDGE_TTL))
                        .onErrorResume(e -> {
                            if (e instanceof CoordinatorException refused && endsAuthority(refused)) {
                                service.lease().declareLost(Reason.UNAUTHORIZED, e);
                            } else {
                                log.warn(
                                        "The delegation of the service {} was not renewed, and that is tried again: {}",
                                        service.session().context().agentSessionId(),
                                        e.toString());
                            }
                            return Mono.empty();
                        }));
    }

    private static Duration min(Duration a, Duration b) {
        return a.compareTo(b) < 0 ? a : b;
    }

    private static Duration max(Duration a, Duration b) {
        return a.compareTo(b) < 0 ? b : a;
    }

    /** Whether no later attempt can renew a delegation. */
    private static boolean endsAuthority(CoordinatorException refused) {
        return refused.httpStatus() == 401
                || refused.code().equals("parent_delegation_not_active")
                || refused.code().equals("delegation_endpoint_not_found");
    }

    private Mono<Service> take(
            String agentSessionId, ServiceSpec spec, @Nullable BoundContext bound, BooleanSupplier abandoned) {
        return Mono.deferContextual(view -> {
            Envelope envelope = trace(spec, null, bound, view).toBuilder()
                    .agentSessionId(agentSessionId)
                    .build();
            Place place = gate.adopt();
            Mono<Service> opened = coordinator
                    .attach(agentSessionId, envelope, abandoned)
                    .doOnError(failed -> place.release())
                    .onErrorMap(CoordinatorException.class, refused -> {
                        Reason reason = reason(refused);
                        return reason == Reason.EXPIRED || reason == Reason.SUSPENDED
                                ? new LeaseLostException(reason, agentSessionId, refused)
                                : refused;
                    })
                    .map(timed -> keep(
                            envelope, null, timed.answer().lease(), timed.askedAt(timer), spec, null, client, place));
            return sessions.observeOpening(opened, s -> s.session().context());
        });
    }

    /**
     * The trace of a service: that of its parent, else the one around it, also that of a task, which is never its parent.
     * The baggage of a request does not outlive it, so a service that has no parent carries none.
     */
    private Envelope trace(
            ServiceSpec spec, @Nullable BoundContext parent, @Nullable BoundContext bound, ContextView view) {
        Envelope around = Envelope.EMPTY;
        if (parent != null) {
            around = parent.envelope().traceOnly();
        } else if (bound != null) {
            Envelope request = bound.envelope();
            around = Envelope.builder()
                    .traceId(request.traceId())
                    .traceFlags(request.traceFlags())
                    .traceState(request.traceState())
                    .build();
        }
        return sessions.joined(spec.session(), around, view);
    }

    private Service keep(
            Envelope envelope,
            @Nullable Provenance provenance,
            LeaseTerms granted,
            long sent,
            ServiceSpec spec,
            @Nullable Service holder,
            Scope enclosing,
            Place place) {
        Session session = new Session(
                client, config.zoneId(), config.applicationId(), envelope, enclosing, provenance, true, place);
        String id = session.context().agentSessionId();
        Supplier<Mono<String>> health = spec.status();
        LeaseKeeper.Renewal renewal = (generation, lag) -> {
            // Not on the timer of all leases, which a blocking subscriber would stop.
            Mono<String> status = health == null
                    ? Mono.just(HEALTHY)
                    : Mono.defer(health)
                            .switchIfEmpty(Mono.error(() -> new IllegalStateException(
                                    "the health signal gave nothing, so the renewal was skipped")))
                            .subscribeOn(Schedulers.boundedElastic())
                            .contextWrite(session::bind);
            return status.flatMap(s -> events.observe(
                    CaracalEvent.LeaseRenewed.class,
                    renewed(id, s, generation, envelope),
                    (lease, completion) -> new CaracalEvent.LeaseRenewed(id, lag, completion)));
        };
        LeaseKeeper lease = new LeaseKeeper(id, granted, sent, renewal, loss -> lost(session, id, loss), timer, sleeps);
        // Compared by identity, because an application may use equal options.
        @SuppressWarnings("ReferenceEquality")
        boolean isHolder = spec.session() == HOLDER;
        return new Service(this, session, lease, holder, isHolder);
    }

    private void lost(Session session, String id, LeaseLostException loss) {
        session.markEnded();
        // Its owner may never close it.
        session.place().release();
        log.warn("{}", loss.getMessage());
        events.emit(() -> new CaracalEvent.LeaseLost(
                id, loss.reason(), new Completion(Completion.Outcome.FAILURE, Duration.ZERO, 0, loss.code(), null)));
    }

    private Mono<LeaseTerms> renewed(String id, String status, @Nullable Long generation, Envelope envelope) {
        return coordinator
                .renew(id, status, generation, envelope)
                .map(answer -> {
                    if ("suspended".equals(answer.status())) {
                        throw new LeaseLostException(Reason.SUSPENDED, id, null);
                    }
                    return answer.lease();
                })
                .onErrorMap(CoordinatorException.class, refused -> {
                    Reason reason = reason(refused);
                    return reason == null ? refused : new LeaseLostException(reason, id, refused);
                });
    }

    /** The reason for which an answer of the Coordinator means a lost lease; {@code null} if transient. */
    private static @Nullable Reason reason(CoordinatorException refused) {
        if (refused.code().equals(Refusal.NO_CODE)) {
            // Not an answer of the Coordinator, but of a proxy, which may be gone at the next tick.
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
                    case Coordinator.FENCED -> Reason.FENCED;
                    case "session_subject_inactive" -> Reason.SUBJECT_INACTIVE;
                    case "session_lease_expired", "agent_lease_expired" -> Reason.EXPIRED;
                    case "session_suspended" -> Reason.SUSPENDED;
                    default -> refused.isSessionGone() ? Reason.GONE : null;
                };
            default -> null;
        };
    }

    /** Ends a service, then the one that the SDK opened to hold its authority. */
    Mono<Void> end(Service service) {
        Service holder = service.holder;
        return holder == null
                ? endAlone(service)
                : Flux.concatDelayError(endAlone(service), holder.end()).then();
    }

    /** Stops the renewals, then terminates the session, unless another holder has it or it may be resumed. */
    private Mono<Void> endAlone(Service service) {
        return Mono.defer(() -> {
            service.upkeep.dispose();
            service.lease().close();
            LeaseLostException loss = service.lease().loss();
            boolean left = loss != null && LEFT_ALONE.contains(loss.reason());
            return sessions.end(
                    service.session(),
                    config.closeTimeout(),
                    !service.isHolder,
                    left
                            ? Mono.empty()
                            : sessions.terminate(
                                    service.session(), service.lease().generation()));
        });
    }

    private long nanos() {
        return timer.now(TimeUnit.NANOSECONDS);
    }
}
