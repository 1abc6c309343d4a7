package run.caracal;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
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
import run.caracal.internal.control.Coordinator;
import run.caracal.internal.control.Coordinator.Opening;
import run.caracal.internal.event.EventBus;
import run.caracal.internal.lifecycle.Scope.Lifecycle;
import run.caracal.internal.propagation.Envelope;

/**
 * Obtains authority for sessions that hold no delegation: the platform mints for a delegated session only. A child of the
 * session, its helper, receives a delegation of exactly what a call needs. There is one helper for each session and set of
 * labels, and one delegation for each resource and set of scopes; who comes while one is being made shares it, and what
 * failed is not kept. Helpers end with their session, before it.
 */
final class AuthorityOnDemand {
    /** What ends sooner than this is replaced: the Gateway wants 35 seconds of a mandate, and calls take their time. */
    private static final Duration MARGIN = Duration.ofSeconds(90);

    /** How long a helper of a service lives before it is replaced. */
    private static final Duration MAX_TTL = CaracalConfig.MAX_TTL;

    /** Calls under way may still use what was replaced. */
    private static final Duration RETIREMENT = Duration.ofSeconds(60);

    /** How the STS says that a session or a delegation is no more. */
    private static final List<String> GONE = List.of(
            "delegation edge inactive",
            "delegation path edge inactive",
            "delegation source inactive",
            "delegation target inactive",
            "session inactive");

    private final CaracalConfig config;
    private final Coordinator coordinator;
    private final Grants grants;
    private final EventBus events;
    private final Scheduler timer;
    private final Consumer<Throwable> report;

    AuthorityOnDemand(
            CaracalConfig config,
            Coordinator coordinator,
            Grants grants,
            EventBus events,
            Scheduler timer,
            Consumer<Throwable> report) {
        this.config = config;
        this.coordinator = coordinator;
        this.grants = grants;
        this.events = events;
        this.timer = timer;
        this.report = report;
    }

    /** What a delegation is for. */
    private record Need(String resource, List<String> scopes) {}

    /** A child session that holds authority for its parent. */
    final class Helper {
        private final Envelope envelope;
        private final long ends;
        private final Duration margin;
        private final Mono<Void> end;
        private final Map<Need, Mono<Held>> held = new ConcurrentHashMap<>();
        private final AtomicBoolean retired = new AtomicBoolean();

        private Helper(Envelope envelope, long ends, Duration margin, Mono<Void> end) {
            this.envelope = envelope;
            this.ends = ends;
            this.margin = margin;
            this.end = end;
        }

        private Helper endedBy(Mono<Void> theEnd) {
            return new Helper(envelope, ends, margin, theEnd);
        }

        private String id() {
            return Objects.requireNonNull(envelope.agentSessionId());
        }

        private boolean isOver() {
            boolean over = retired.get() || isSoon(ends, margin);
            if (over) {
                retire();
            }
            return over;
        }

        private void retire() {
            if (retired.compareAndSet(false, true)) {
                retireLater(end);
            }
        }
    }

    /** Ends what was replaced, when calls under way have had their time. */
    void retireLater(Mono<Void> end) {
        var unused = Mono.delay(RETIREMENT, timer).then(end).subscribe(null, reported -> {});
    }

    /** A delegation to a helper: what a mandate is minted for. */
    final class Held {
        private final Helper helper;
        private final Envelope envelope;
        private final long ends;
        private volatile boolean refused;

        private Held(Helper helper, Grants.Edge edge, int hop) {
            this.helper = helper;
            this.envelope = helper.envelope.toBuilder()
                    .delegationEdgeId(edge.id())
                    .hop(hop)
                    .build();
            this.ends = edge.ends();
        }

        /** Who acts: the helper under its delegation, in the trace of its session. */
        Envelope envelope() {
            return envelope;
        }

        boolean isOver() {
            return refused || isSoon(ends, helper.margin);
        }

        /** The platform knows the delegation or the helper no more: the next call obtains both anew. */
        void refused() {
            refused = true;
            helper.retire();
        }
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
        List<String> named = named(labels);
        Need need = new Need(resource, List.copyOf(new TreeSet<>(scopes)));
        return Mono.defer(() -> session.obtained()
                .computeIfAbsent(named, l -> shared(open(session, l, ttl), Helper::isOver))
                .flatMap(helper ->
                        helper.held.computeIfAbsent(need, n -> shared(delegate(session, helper, n), Held::isOver))));
    }

    /** The labels of a session that holds authority: without any, the application id. */
    List<String> named(List<String> labels) {
        return labels.isEmpty() && config.applicationId().length() <= SpawnOptions.MAX_LABEL_LENGTH
                ? List.of(config.applicationId())
                : labels;
    }

    /** One flight at a time, whose result is kept until it is over; it is nobody's own, so no caller's Context reaches it. */
    private static <T> Mono<T> shared(Mono<T> source, Predicate<T> over) {
        // An error is a value here: one that comes when its last waiter has just gone would be dropped, and logged as
        // such.
        return source.materialize()
                .contextWrite(anyCaller -> Context.empty())
                .cacheInvalidateIf(signal -> {
                    T value = signal.get();
                    return value == null || over.test(value);
                })
                .<T>dematerialize();
    }

    private Mono<Helper> open(Session session, List<String> labels, @Nullable Duration ttl) {
        Lifecycle<Helper> lifecycle = new Lifecycle<>(
                abandoned -> start(session, labels, ttl == null ? ttl(session) : ttl, abandoned),
                this::terminate,
                error -> config.closeTimeout(),
                failure -> null,
                report);
        return session.helpers().handOver(lifecycle, Helper::endedBy);
    }

    private Mono<Helper> start(Session session, List<String> labels, Duration ttl, BooleanSupplier abandoned) {
        return Mono.defer(() -> {
            CaracalContext parent = session.context();
            Envelope above = parent.envelope();
            long ends = now() + ttl.toNanos();
            Opening opening = new Opening(
                    parent.agentSessionId(),
                    false,
                    null,
                    ttl,
                    labels,
                    Map.of("holds_authority_for", "session"),
                    config.defaultKind().orElse(null),
                    above.authorityRecordId(),
                    null,
                    false,
                    above);
            Mono<Helper> opened = coordinator
                    .open(opening, abandoned)
                    .map(answer -> new Helper(
                            above.toBuilder()
                                    .agentSessionId(answer.agentSessionId())
                                    .delegationEdgeId(null)
                                    .parentEdgeId(null)
                                    .build(),
                            ends,
                            margin(ttl),
                            Mono.empty()));
            return events.observe(
                    CaracalEvent.SessionOpened.class,
                    opened,
                    (helper, completion) ->
                            new CaracalEvent.SessionOpened(helper == null ? null : helper.id(), completion));
        });
    }

    private Mono<Void> terminate(Helper helper) {
        return events.observe(
                CaracalEvent.SessionClosed.class,
                coordinator.terminate(helper.id(), null, helper.envelope),
                (none, completion) -> new CaracalEvent.SessionClosed(helper.id(), completion));
    }

    private Mono<Held> delegate(Session session, Helper helper, Need need) {
        return Mono.defer(() -> {
            CaracalContext issuer = session.context();
            Duration ttl = Duration.ofSeconds(
                    Math.max(1, Duration.ofNanos(helper.ends - now()).toSeconds()));
            return grants.issue(
                            issuer,
                            new Grants.Slice(
                                    helper.id(),
                                    config.applicationId(),
                                    need.scopes(),
                                    need.resource(),
                                    DelegationConstraints.none(),
                                    ttl,
                                    null),
                            () -> false)
                    .map(edge -> new Held(helper, edge, issuer.hop() + 1))
                    // The helper was ended by somebody else: the next call opens another.
                    .doOnError(AuthorityOnDemand::isNotFound, gone -> helper.retire());
        });
    }

    /** A little longer than the session, so that nothing has to be replaced while it lives. */
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

    private boolean isSoon(long ends, Duration margin) {
        return ends - now() < margin.toNanos();
    }

    private long now() {
        return timer.now(TimeUnit.NANOSECONDS);
    }

    private static boolean isNotFound(Throwable error) {
        return error instanceof CoordinatorException refused && refused.httpStatus() == 404;
    }

    /** Whether a refusal says that the session or the delegation of a mandate is no more. */
    static boolean isGone(Throwable error) {
        return error instanceof StsException refused && GONE.stream().anyMatch(refused.description()::startsWith);
    }
}
