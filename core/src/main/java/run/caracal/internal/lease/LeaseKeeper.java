package run.caracal.internal.lease;

import java.time.Duration;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.Disposable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;
import reactor.core.scheduler.Scheduler;
import reactor.core.scheduler.Schedulers;
import run.caracal.error.ClosedException;
import run.caracal.error.LeaseLostException;
import run.caracal.error.LeaseLostException.Reason;

/**
 * Keeps one lease: renews it on demand or in a loop that all listeners share, and knows when it is lost, also without the
 * Coordinator. Time is counted on the timer's monotonic clock from the instant a renewal was sent.
 *
 * @param <L> what a renewal brings to listeners
 */
public final class LeaseKeeper<L> {
    private static final Logger log = LoggerFactory.getLogger(LeaseKeeper.class);

    /** The renewals of an unknown deadline. */
    static final Duration UNKNOWN_CADENCE = Duration.ofSeconds(30);

    static final Duration MIN_CADENCE = Duration.ofSeconds(1);
    static final Duration MAX_CADENCE = Duration.ofMinutes(5);

    /** Nothing is timed beyond this; no lease of the platform is near it. */
    private static final Duration MAX_LENGTH = Duration.ofDays(7);

    /** How often the last moments of a lease are used. */
    private static final Duration LAST_CADENCE = Duration.ofMillis(250);

    /** The most that one renewal may take; it also may take no more than a third of what remains. */
    private static final Duration MAX_BEAT = Duration.ofSeconds(10);

    /** Of failed renewals, the first is logged, and then each one whose number is a multiple of this. */
    private static final int LOG_EVERY = 10;

    private static final long UNKNOWN = Long.MAX_VALUE;

    /**
     * A lease that was granted or renewed.
     *
     * @param value what listeners get
     * @param generation its generation, carried on the next renewal; {@code null} keeps the present one
     * @param length how long it lasts from the instant its request was sent; {@code null} when unknown
     * @param <L> what listeners get
     */
    public record Granted<L>(
            L value, @Nullable Long generation, @Nullable Duration length) {}

    /** Whose lease it is, and how it is renewed. */
    public interface Holder<L> {
        /**
         * The service session.
         *
         * @return its id
         */
        String agentSessionId();

        /**
         * Renews the lease.
         *
         * @param generation the generation, or {@code null} when none was given
         * @param lag how late it begins, against the instant at which it was due; zero unless the loop asks for it
         * @return the renewed lease; {@link LeaseLostException} when it is lost; anything else is transient
         */
        Mono<Granted<L>> renew(@Nullable Long generation, Duration lag);

        /**
         * The lease is lost; called once.
         *
         * @param loss why
         */
        void lost(LeaseLostException loss);
    }

    /**
     * How a renewal ended. A value in either case: a loss ends the loop in whose call it is found, and the error of a
     * cancelled call would be dropped.
     */
    private record Outcome<L>(@Nullable L value, @Nullable Throwable error) {}

    private enum State {
        KEPT,
        LOST,
        CLOSED
    }

    private final Holder<L> holder;
    private final Scheduler timer;
    private final Mono<Outcome<L>> flight;
    // Both are emitted to in turn without a guard of their own: the one once, the other under the lock.
    private final Sinks.Empty<Void> end = Sinks.unsafe().empty();
    private final Sinks.Many<L> renewals = Sinks.unsafe().many().multicast().directBestEffort();
    private volatile State state = State.KEPT; // changed under the lock
    private volatile @Nullable LeaseLostException loss;
    private volatile @Nullable Long generation;
    private volatile long expiresAtNanos = UNKNOWN;
    private volatile long lengthNanos = UNKNOWN;
    private volatile long dueNanos = UNKNOWN; // of the renewal that the loop begins
    private int failures;
    // Under the lock from here on.
    private int listeners;
    private boolean running; // the loop
    private long periodNanos; // of its fixed interval, zero when it follows the deadline
    private boolean beating;
    private @Nullable Disposable renewing; // what the loop has begun
    private long beatAtNanos;
    private @Nullable Disposable slot;
    private long slotAtNanos;

    /**
     * Starts keeping a lease.
     *
     * @param holder whose lease it is
     * @param first the lease as it was granted
     * @param sentNanos when its request was sent, on the timer's clock
     * @param timer where renewals and the deadline are timed; not blocked by anybody's work
     */
    public LeaseKeeper(Holder<L> holder, Granted<L> first, long sentNanos, Scheduler timer) {
        this.holder = holder;
        this.timer = timer;
        // Who comes during a renewal joins it; nothing is kept; the last one that leaves cancels it.
        this.flight = renewal()
                .map(value -> new Outcome<L>(value, null))
                .onErrorResume(e -> Mono.just(new Outcome<>(null, e)))
                .cacheInvalidateIf(outcome -> true);
        accept(first, sentNanos);
    }

    /**
     * The cadence of renewals: a third of what remains, clamped, then jittered by a tenth each way.
     *
     * @param leftNanos what remains, {@link Long#MAX_VALUE} when unknown
     * @param random uniform, at least 0 and less than 1
     * @return the delay of the next renewal, in nanoseconds
     */
    static long cadence(long leftNanos, double random) {
        long third = leftNanos == UNKNOWN
                ? UNKNOWN_CADENCE.toNanos()
                : Math.max(MIN_CADENCE.toNanos(), Math.min(leftNanos / 3, MAX_CADENCE.toNanos()));
        return (long) (third * (0.9 + 0.2 * random));
    }

    /**
     * Renews the lease now, or joins the renewal that is under way.
     *
     * @return the renewed lease; {@link LeaseLostException} when it is lost, {@link ClosedException} when it was given up,
     *     else what the renewal met, after which the lease still stands until its deadline
     */
    public Mono<L> beat() {
        return flight.<L>handle((outcome, sink) -> {
                    if (outcome.error() != null) {
                        sink.error(outcome.error());
                    } else if (outcome.value() != null) {
                        sink.next(outcome.value());
                    }
                })
                // Not on the timer of all leases: what the caller does there would hold them up.
                .publishOn(Schedulers.parallel());
    }

    private Mono<L> renewal() {
        return Mono.defer(() -> {
            if (state == State.CLOSED) {
                return Mono.error(closed());
            }
            LeaseLostException lost = loss;
            if (lost != null) {
                return Mono.error(lost);
            }
            long sent = nanos();
            long left = left(sent);
            if (left <= 0) {
                return Mono.error(lose(Reason.EXPIRED, null));
            }
            long due = dueNanos;
            Duration lag = due == UNKNOWN ? Duration.ZERO : Duration.ofNanos(Math.max(0, sent - due));
            return holder.renew(generation, lag)
                    // What it meets behind its timeout would be dropped, and logged, as an error; a value is not.
                    .materialize()
                    // Nothing is sent any more for a lease that is lost or given up meanwhile.
                    .takeUntilOther(end.asMono().onErrorComplete())
                    .timeout(Duration.ofNanos(Math.min(left / 3, MAX_BEAT.toNanos())), timer)
                    .<Granted<L>>dematerialize()
                    .switchIfEmpty(Mono.error(() -> lossOr(closed())))
                    .map(granted -> {
                        accept(granted, sent);
                        return granted.value();
                    })
                    .onErrorMap(LeaseLostException.class, refused -> lose(refused.reason(), refused))
                    .doOnNext(this::publish);
        });
    }

    /**
     * The renewals, while somebody listens: one loop serves all listeners, at the cadence of the first.
     *
     * @param interval a fixed interval, or {@code null} to follow the deadline
     * @return hot, never overflowing, heard on another thread than the renewals; ends with {@link LeaseLostException}, or
     *     completes when the lease is given up
     */
    public Flux<L> renewals(@Nullable Duration interval) {
        return Flux.defer(() -> renewals.asFlux()
                .doOnSubscribe(s -> enter(interval))
                .doFinally(signal -> leave())
                .onBackpressureLatest()
                .publishOn(Schedulers.parallel(), 1));
    }

    /**
     * Renews in the background until the lease is lost or given up.
     *
     * @param interval a fixed interval, or {@code null} to follow the deadline
     */
    public void renewInBackground(@Nullable Duration interval) {
        enter(interval);
    }

    private synchronized void enter(@Nullable Duration interval) {
        if (listeners++ == 0 && isKept()) {
            running = true;
            periodNanos = interval == null ? 0 : period(interval);
            beatAtNanos = nanos() + (interval == null ? nextBeat() : firstTick());
            arm();
        }
    }

    private synchronized void leave() {
        if (--listeners == 0) {
            stopLoop();
            // A renewal that was under way had no timer beside it, and comes to nothing now.
            arm();
        }
    }

    private void stopLoop() {
        running = false;
        beating = false;
        Disposable beat = renewing;
        renewing = null;
        if (beat != null) {
            beat.dispose();
        }
    }

    private void stopped(Throwable e) {
        log.error("The renewals of {} stopped", holder.agentSessionId(), e);
    }

    /** When the loop that follows the deadline renews next, from now. */
    private long nextBeat() {
        long left = left(nanos());
        // The last second's clamp must not jump over the deadline: with little left, half of it is waited.
        return Math.min(
                cadence(left, ThreadLocalRandom.current().nextDouble()), Math.max(left / 2, LAST_CADENCE.toNanos()));
    }

    /**
     * One timer for whatever comes first, the next renewal or the deadline, at a fixed interval too: a lease costs its place
     * in one queue. While a renewal of the loop is under way none is needed, for it takes no more than a third of what
     * remains; its end, or that of the loop, arms the next.
     */
    private synchronized void arm() {
        if (!isKept() || beating) {
            return;
        }
        long now = nanos();
        long wait = left(now);
        if (running) {
            wait = Math.min(wait, beatAtNanos - now);
        }
        if (wait == UNKNOWN || (slot != null && slotAtNanos - (now + wait) <= 0)) {
            // What comes too early looks again: cheaper than moving the timer with each renewal.
            return;
        }
        disarm();
        slotAtNanos = now + wait;
        try {
            slot = timer.schedule(this::look, Math.max(0, wait), TimeUnit.NANOSECONDS);
        } catch (RejectedExecutionException e) {
            stopped(e);
        }
    }

    private void disarm() {
        Disposable armed = slot;
        slot = null;
        if (armed != null) {
            armed.dispose();
        }
    }

    /** Looks whether the deadline has passed, which a renewal may have moved meanwhile, or a renewal is due. */
    private void look() {
        long now = nanos();
        if (left(now) <= 0) {
            Throwable expired = lose(Reason.EXPIRED, null);
            log.debug("{}", expired.getMessage());
            return;
        }
        long due;
        synchronized (this) {
            slot = null;
            if (!running || beating || beatAtNanos - now > 0) {
                arm();
                return;
            }
            beating = true;
            due = beatAtNanos;
        }
        // No renewal overlaps the next: each is awaited.
        Disposable beat = loopBeat(due)
                .subscribe(
                        outcome -> {},
                        e -> {
                            log.error("A renewal of {} failed; the next tick tries again", holder.agentSessionId(), e);
                            beaten();
                        },
                        this::beaten);
        synchronized (this) {
            if (!running) {
                beat.dispose();
            } else if (beating) {
                renewing = beat;
            }
        }
    }

    private synchronized void beaten() {
        if (running) {
            renewing = null;
            beating = false;
            long now = nanos();
            // The ticks of a fixed interval that have passed meanwhile are skipped.
            beatAtNanos = periodNanos == 0
                    ? now + nextBeat()
                    : beatAtNanos + periodNanos * (1 + Math.max(0, now - beatAtNanos) / periodNanos);
            arm();
        }
    }

    /** A fixed interval, no longer than a third of the lease, so that it survives a renewal that is lost. */
    private long period(Duration interval) {
        long period = (interval.compareTo(MAX_LENGTH) < 0 ? interval : MAX_LENGTH).toNanos();
        long third = lengthNanos / 3;
        if (period > third) {
            period = Math.max(1, third);
            log.warn(
                    "The heartbeat interval {} is more than a third of the lease of {}; renewing every {} ms instead",
                    interval,
                    holder.agentSessionId(),
                    TimeUnit.NANOSECONDS.toMillis(period));
        }
        return period;
    }

    /** When the first tick of a fixed interval is, from now: somewhere within it, so that leases do not beat together. */
    private long firstTick() {
        long soon = Math.min(periodNanos, left(nanos()) / 3);
        return (long) (Math.max(0, soon) * ThreadLocalRandom.current().nextDouble());
    }

    /** A renewal of the loop: what is transient is tried again at the next tick, what is lost or given up stops it. */
    private Mono<Outcome<L>> loopBeat(long due) {
        Mono<Outcome<L>> beat = Mono.defer(() -> {
            dueNanos = due;
            return flight.doFinally(signal -> dueNanos = UNKNOWN);
        });
        return beat.doOnNext(outcome -> {
            Throwable error = outcome.error();
            if (error == null) {
                failures = 0;
            } else if (isKept() && failures++ % LOG_EVERY == 0) {
                log.warn(
                        "The lease of {} was not renewed (failure {} in a row); the next tick tries again: {}",
                        holder.agentSessionId(),
                        failures,
                        error.toString());
            }
        });
    }

    private void accept(Granted<L> granted, long sentNanos) {
        if (granted.generation() != null) {
            generation = granted.generation();
        }
        Duration length = granted.length();
        // An answer without a deadline says nothing about the one that was known.
        if (length != null) {
            lengthNanos = Math.min(length.compareTo(MAX_LENGTH) < 0 ? length.toNanos() : UNKNOWN, MAX_LENGTH.toNanos());
        }
        expiresAtNanos = lengthNanos == UNKNOWN ? UNKNOWN : sentNanos + lengthNanos;
        arm();
    }

    private synchronized void publish(L renewed) {
        if (state == State.KEPT) {
            // Heard by those who listen now, and on other threads than this one.
            var unused = renewals.tryEmitNext(renewed);
        }
    }

    private Throwable lose(Reason reason, @Nullable LeaseLostException cause) {
        LeaseLostException lost = cause == null ? new LeaseLostException(reason, holder.agentSessionId(), null) : cause;
        synchronized (this) {
            if (state != State.KEPT) {
                return state == State.CLOSED ? closed() : lossOr(lost);
            }
            loss = lost;
            state = State.LOST;
            stopTimers();
        }
        holder.lost(lost);
        end.tryEmitError(lost).orThrow();
        synchronized (this) {
            renewals.tryEmitError(lost).orThrow();
        }
        return lost;
    }

    /**
     * Declares the lease lost for a reason that is not found by renewing it.
     *
     * @param reason the reason
     * @param cause what shows it, or {@code null}
     */
    public void declareLost(Reason reason, @Nullable Throwable cause) {
        var unused = lose(reason, new LeaseLostException(reason, holder.agentSessionId(), cause));
    }

    private RuntimeException lossOr(RuntimeException other) {
        LeaseLostException known = loss;
        return known == null ? other : known;
    }

    private ClosedException closed() {
        return new ClosedException(
                "The service agent " + holder.agentSessionId() + " is closed; nothing was sent. Open a new service");
    }

    /**
     * Gives the lease up: no renewal is sent any more, listeners complete. Closing is not loss.
     */
    public void close() {
        synchronized (this) {
            if (state != State.KEPT) {
                return;
            }
            state = State.CLOSED;
            stopTimers();
        }
        end.tryEmitEmpty().orThrow();
        synchronized (this) {
            renewals.tryEmitComplete().orThrow();
        }
    }

    private void stopTimers() {
        stopLoop();
        disarm();
    }

    /**
     * The end of the lease.
     *
     * @return errors with {@link LeaseLostException} when it is lost, completes when it is given up; heard on another
     *     thread than the renewals
     */
    public Mono<Void> end() {
        // Also while every parallel worker is blocked, and for those who block themselves when they hear of it.
        return end.asMono().publishOn(Schedulers.boundedElastic());
    }

    /**
     * The present generation.
     *
     * @return the generation, or {@code null} when none was given
     */
    public @Nullable Long generation() {
        return generation;
    }

    /**
     * Whether the lease is kept.
     *
     * @return {@code false} once it was lost or given up
     */
    public boolean isKept() {
        return state == State.KEPT;
    }

    /**
     * Why the lease is lost.
     *
     * @return the loss, or {@code null}
     */
    public @Nullable LeaseLostException loss() {
        return loss;
    }

    private long left(long now) {
        long expires = expiresAtNanos;
        return expires == UNKNOWN ? UNKNOWN : expires - now;
    }

    private long nanos() {
        return timer.now(TimeUnit.NANOSECONDS);
    }
}
