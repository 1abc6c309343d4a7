package run.caracal.internal.context;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Function;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Scheduler;
import run.caracal.internal.capacity.Place;
import run.caracal.internal.propagation.Envelope;

/** A child session that holds authority for its parent: one delegation for each resource and set of scopes. */
public final class HelperSession {
    /** Grace period for in-flight calls. */
    private static final Duration RETIREMENT = Duration.ofSeconds(60);

    private final Envelope envelope;
    private final long ends;
    private final Duration margin;
    private final boolean late;
    private final Mono<Void> end;
    private final Place place;
    private final Scheduler timer;
    private final Map<Need, Mono<Held>> held = new ConcurrentHashMap<>();
    private final AtomicBoolean retired = new AtomicBoolean();

    /**
     * Creates a helper.
     *
     * @param envelope its identity, in the trace of its parent
     * @param ends when the platform ends it, on the timer's clock
     * @param margin how long before that it is replaced
     * @param late whether its parent was being ended when it was opened, which may then have missed it
     * @param place its permit
     */
    public HelperSession(
            Envelope envelope, long ends, Duration margin, boolean late, Mono<Void> end, Place place, Scheduler timer) {
        this.envelope = envelope;
        this.ends = ends;
        this.margin = margin;
        this.late = late;
        this.end = end;
        this.place = place;
        this.timer = timer;
    }

    /** The purpose of a delegation. */
    public record Need(String resource, List<String> scopes) {
        /** Sorts the scopes. */
        public Need {
            scopes = List.copyOf(new TreeSet<>(scopes));
        }
    }

    /** The same helper with the end that its owner was given. */
    public HelperSession endedBy(Mono<Void> theEnd) {
        return new HelperSession(envelope, ends, margin, late, theEnd, place, timer);
    }

    public Place place() {
        return place;
    }

    public String id() {
        return Objects.requireNonNull(envelope.agentSessionId());
    }

    public Envelope envelope() {
        return envelope;
    }

    /** Whether the end of its parent may have missed it. */
    public boolean isLate() {
        return late;
    }

    /** When the platform ends it, on the timer's clock. */
    public long ends() {
        return ends;
    }

    /** The rest of its lifetime. */
    public Duration left() {
        return Duration.ofNanos(ends - timer.now(TimeUnit.NANOSECONDS));
    }

    /** The delegation for a need, cached as long as it is valid. */
    public Mono<Held> held(Need need, Function<Need, Mono<Held>> obtain) {
        return held.computeIfAbsent(need, obtain);
    }

    /** Whether it has to be replaced; if so, retires it. */
    public boolean isOver() {
        boolean over = retired.get() || isSoon(ends);
        if (over) {
            retire();
        }
        return over;
    }

    /** Takes no new calls, and ends after the grace period for in-flight calls. */
    public void retire() {
        if (retired.compareAndSet(false, true)) {
            retireLater(end, timer);
        }
    }

    /** Ends a replaced session after the grace period for in-flight calls. */
    public static void retireLater(Mono<Void> end, Scheduler timer) {
        var unused = Mono.delay(RETIREMENT, timer).then(end).subscribe(null, reported -> {});
    }

    private boolean isSoon(long nanos) {
        return nanos - timer.now(TimeUnit.NANOSECONDS) < margin.toNanos();
    }

    /** A delegation to a helper, for which mandates are minted. */
    public static final class Held {
        private final HelperSession helper;
        private final Envelope envelope;
        private final long ends;
        private volatile boolean refused;

        /**
         * Creates it.
         *
         * @param hop how many delegations lie between the helper and the root of its authority
         */
        public Held(HelperSession helper, IssuedDelegation edge, int hop) {
            this.helper = helper;
            this.envelope = helper.envelope.toBuilder()
                    .delegationEdgeId(edge.id())
                    .hop(hop)
                    .build();
            this.ends = edge.ends();
        }

        /** The acting identity: the helper under its delegation, in the trace of its session. */
        public Envelope envelope() {
            return envelope;
        }

        /** Whether it has to be replaced. */
        public boolean isOver() {
            return refused || helper.isSoon(ends);
        }

        /** Discards a delegation or helper that the platform has ended; the next call obtains both again. */
        public void refused() {
            refused = true;
            helper.retire();
        }
    }
}
