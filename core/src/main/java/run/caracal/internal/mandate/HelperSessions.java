package run.caracal.internal.mandate;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Scheduler;
import reactor.util.context.Context;
import run.caracal.config.CaracalConfig;
import run.caracal.error.CoordinatorException;
import run.caracal.error.StsException;
import run.caracal.event.CaracalEvent;
import run.caracal.internal.capacity.Place;
import run.caracal.internal.capacity.SessionGate;
import run.caracal.internal.config.Rules;
import run.caracal.internal.context.BoundContext;
import run.caracal.internal.context.HelperSession;
import run.caracal.internal.context.HelperSession.Held;
import run.caracal.internal.context.HelperSession.Need;
import run.caracal.internal.context.Session;
import run.caracal.internal.control.Coordinator;
import run.caracal.internal.delegation.DelegationTerms;
import run.caracal.internal.delegation.GrantIssuer;
import run.caracal.internal.event.EventBus;
import run.caracal.internal.lifecycle.Scope.Lifecycle;
import run.caracal.internal.propagation.Envelope;
import run.caracal.internal.wire.ConstraintFields;
import run.caracal.internal.wire.OpenSession;

/**
 * Obtains authority for sessions without a delegation, because the platform mints for delegated sessions only. A child of the
 * session, its helper, receives a delegation of exactly the call's resource and scopes. There is one helper per session and set of
 * labels, and one delegation per resource and set of scopes. Concurrent callers share the attempt; failures are not cached.
 * Helpers end with their session, by the same termination.
 */
public final class HelperSessions {
    /** The remaining life below which authority is replaced: the Gateway's 35 seconds, and time for the calls. */
    private static final Duration MARGIN = Duration.ofSeconds(90);

    /** The life of a helper of a service, which is then replaced. */
    private static final Duration MAX_TTL = CaracalConfig.MAX_TTL;

    /** The STS's error for a session or delegation that has ended. */
    private static final List<String> GONE = List.of(
            "delegation edge inactive",
            "delegation path edge inactive",
            "delegation source inactive",
            "delegation target inactive",
            "session inactive");

    private final CaracalConfig config;
    private final Coordinator coordinator;
    private final GrantIssuer grants;
    private final SessionGate gate;
    private final EventBus events;
    private final Scheduler timer;
    private final Consumer<Throwable> report;

    /**
     * Creates the helpers of a client.
     *
     * @param gate holds them back until there is a permit
     */
    public HelperSessions(
            CaracalConfig config,
            Coordinator coordinator,
            GrantIssuer grants,
            SessionGate gate,
            EventBus events,
            Scheduler timer,
            Consumer<Throwable> report) {
        this.config = config;
        this.coordinator = coordinator;
        this.grants = grants;
        this.gate = gate;
        this.events = events;
        this.timer = timer;
        this.report = report;
    }

    /**
     * Obtains authority.
     *
     * @param session the session, which holds no delegation
     * @param labels the labels of its helper; none for the application id
     * @param ttl how long its helper lives; {@code null} for a little longer than the session
     */
    Mono<Held> obtain(
            Session session, String resource, List<String> scopes, List<String> labels, @Nullable Duration ttl) {
        Need need = new Need(resource, scopes);
        return Mono.defer(() -> session.obtained()
                .computeIfAbsent(named(labels), l -> shared(open(session, l, ttl), HelperSession::isOver))
                .flatMap(helper -> helper.held(need, n -> shared(delegate(session, helper, n), Held::isOver))));
    }

    /** The labels of a session that holds authority: without any, the application id. */
    List<String> named(List<String> labels) {
        return labels.isEmpty() && config.applicationId().length() <= Rules.MAX_LABEL_LENGTH
                ? List.of(config.applicationId())
                : labels;
    }

    /** One attempt at a time, whose result is cached until it expires. Cleared of Context, because it is shared. */
    private static <T> Mono<T> shared(Mono<T> source, Predicate<T> over) {
        // An error is materialized, because after the last waiter has left it would be dropped and logged.
        return source.materialize()
                .contextWrite(anyCaller -> Context.empty())
                .cacheInvalidateIf(signal -> {
                    T value = signal.get();
                    return value == null || over.test(value);
                })
                .<T>dematerialize();
    }

    private Mono<HelperSession> open(Session session, List<String> labels, @Nullable Duration ttl) {
        return gate.one(
                SessionGate.Kind.HELPER,
                session.place(),
                place -> session.helpers()
                        .get()
                        .handOver(
                                new Lifecycle<>(
                                        abandoned -> start(
                                                session, labels, ttl == null ? ttl(session) : ttl, abandoned, place),
                                        helper -> terminate(session, helper),
                                        error -> config.closeTimeout(),
                                        failure -> null,
                                        report),
                                HelperSession::endedBy));
    }

    private Mono<HelperSession> start(
            Session session, List<String> labels, Duration ttl, BooleanSupplier abandoned, Place place) {
        return Mono.defer(() -> {
            BoundContext parent = session.context();
            Envelope above = parent.envelope();
            OpenSession request = OpenSession.builder(config.zoneId(), config.applicationId())
                    .childOf(parent.agentSessionId(), false, null)
                    .task(ttl)
                    .labels(labels)
                    .metadata(Map.of("holds_authority_for", "session"))
                    .kind(config.defaultKind().orElse(null))
                    .subjectAuthorityRecordId(above.authorityRecordId())
                    .ownOrGeneratedKey(null)
                    .build();
            place.take();
            Mono<HelperSession> opened = coordinator
                    .open(request, false, above, abandoned, place)
                    .map(timed -> new HelperSession(
                            above.toBuilder()
                                    .agentSessionId(timed.answer().agentSessionId())
                                    .delegationEdgeId(null)
                                    .parentEdgeId(null)
                                    .build(),
                            timed.askedAt(timer) + ttl.toNanos(),
                            margin(ttl),
                            session.hasEnded(),
                            Mono.empty(),
                            place,
                            timer));
            return events.observe(
                    CaracalEvent.SessionOpened.class,
                    opened,
                    (helper, completion) ->
                            new CaracalEvent.SessionOpened(helper == null ? null : helper.id(), completion));
        });
    }

    /** Terminates a helper before or without its session; otherwise the platform ends both together. */
    private Mono<Void> terminate(Session session, HelperSession helper) {
        return events.observe(
                CaracalEvent.SessionClosed.class,
                Mono.defer(() -> session.isGone() && !helper.isLate()
                        ? Mono.fromRunnable(helper.place()::release)
                        : coordinator
                                .terminate(helper.id(), null, helper.ends(), helper.envelope(), helper.place())
                                .then()),
                (none, completion) -> new CaracalEvent.SessionClosed(helper.id(), completion));
    }

    private Mono<Held> delegate(Session session, HelperSession helper, Need need) {
        return Mono.defer(() -> {
            BoundContext issuer = session.context();
            DelegationTerms terms = new DelegationTerms(
                    helper.id(),
                    config.applicationId(),
                    need.scopes(),
                    need.resource(),
                    ConstraintFields.NONE,
                    Duration.ofSeconds(Math.max(1, helper.left().toSeconds())),
                    false,
                    null);
            return grants.issue(issuer, terms, () -> false)
                    .map(edge -> new Held(helper, edge, issuer.envelope().hop() + 1))
                    // The platform has ended the helper, so the next call opens another.
                    .doOnError(HelperSessions::isNotFound, gone -> helper.retire());
        });
    }

    /** A little longer than the session, so that it need not be replaced during it. */
    private Duration ttl(Session session) {
        Long ends = session.ends();
        Duration left = ends == null ? MAX_TTL : Duration.ofNanos(ends - now()).plus(MARGIN);
        Duration ttl = Duration.ofSeconds(Math.max(1, left.toSeconds() + 1));
        return ttl.compareTo(MAX_TTL) < 0 ? ttl : MAX_TTL;
    }

    private static Duration margin(Duration ttl) {
        Duration half = ttl.dividedBy(2);
        return half.compareTo(MARGIN) < 0 ? half : MARGIN;
    }

    private long now() {
        return timer.now(TimeUnit.NANOSECONDS);
    }

    private static boolean isNotFound(Throwable error) {
        return error instanceof CoordinatorException refused && refused.httpStatus() == 404;
    }

    /** Whether an error means that the session or the delegation of a mandate has ended. */
    static boolean isGone(Throwable error) {
        return error instanceof StsException refused
                ? GONE.stream().anyMatch(refused.description()::startsWith)
                : error instanceof CoordinatorException unknown
                        && unknown.code().equals("delegation_endpoint_not_found");
    }
}
