package run.caracal.internal.lease;

import java.time.Duration;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.Disposable;
import reactor.core.Disposables;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Signal;
import reactor.core.publisher.Sinks;
import reactor.core.scheduler.Scheduler;
import reactor.core.scheduler.Schedulers;
import run.caracal.error.ClosedException;
import run.caracal.error.LeaseLostException;
import run.caracal.error.LeaseLostException.Reason;
import run.caracal.error.TransportException;
import run.caracal.internal.wire.LeaseTerms;

/**
 * Renews one lease, on demand or in a loop that all subscribers share, and detects its loss, offline too. Time is
 * measured on the timer's monotonic clock, from when a renewal was sent.
 */
public final class LeaseKeeper {
    private static final Logger log = LoggerFactory.getLogger(LeaseKeeper.class);

    /** The interval of renewals if the deadline is unknown. */
    private static final long UNKNOWN_CADENCE = Duration.ofSeconds(30).toNanos();

    private static final long MIN_CADENCE = Duration.ofSeconds(1).toNanos();
    private static final long MAX_CADENCE = Duration.ofMinutes(5).toNanos();

    /** How often the last moments of a lease are used. */
    private static final long LAST_CADENCE = Duration.ofMillis(250).toNanos();

    /** The timeout of a renewal, unless a third of the remaining time is less. */
    private static final long MAX_RENEWAL = Duration.ofSeconds(10).toNanos();

    /** The longest timer; no lease of the platform comes near it. */
    private static final Duration MAX_LENGTH = Duration.ofDays(7);

    /** Of consecutive failed renewals, the first and every tenth are logged. */
    private static final int LOG_EVERY = 10;

    private static final long UNKNOWN = Long.MAX_VALUE;

    /** Sends a renewal. */
    @FunctionalInterface
    public interface Renewal {
        /**
         * Renews the lease.
         *
         * @param lag how late it begins, against the instant at which it was due; zero unless the loop asks for it
         * @return the renewed lease; {@link LeaseLostException} when it is lost; anything else is transient
         */
        Mono<LeaseTerms> renew(@Nullable Long generation, Duration lag);
    }

    private final String agentSessionId;
    private final Renewal renewal;
    private final Consumer<LeaseLostException> onLost;
    private final Scheduler timer;
    private final SleepWatch sleeps;
    private final Mono<Signal<LeaseTerms>> flight;
    private final Sinks.Empty<Void> end = Sinks.unsafe().empty(); // emitted to once
    private final Sinks.Many<LeaseTerms> renewals = Sinks.many().multicast().directBestEffort(); // never ends itself
    private final Disposable.Swap deadline = Disposables.swap();
    private final Disposable.Swap running = Disposables.swap();
    private @Nullable Flux<Signal<LeaseTerms>> loop; // of the listeners there are
    private int listeners;
    private int failures;
    private volatile boolean kept = true;
    private volatile @Nullable LeaseLostException loss; // before it is not kept any more
    private volatile @Nullable Long generation;
    private volatile long lengthNanos = UNKNOWN;
    private volatile long expiresAtNanos = UNKNOWN;
    private volatile long dueNanos = UNKNOWN; // of the renewal that the loop begins
    private volatile long settledNanos; // when the loop's last renewal ended

    /**
     * Starts keeping a lease.
     *
     * @param sentNanos when its request was sent, on the timer's clock
     * @param timer where renewals and the deadline are timed; not blocked by anybody's work
     * @param sleeps detects sleeps of the machine, while the lease is held
     */
    public LeaseKeeper(
            String agentSessionId,
            LeaseTerms first,
            long sentNanos,
            Renewal renewal,
            Consumer<LeaseLostException> onLost,
            Scheduler timer,
            SleepWatch sleeps) {
        this.agentSessionId = agentSessionId;
        this.renewal = renewal;
        this.onLost = onLost;
        this.timer = timer;
        this.sleeps = sleeps;
        // Concurrent callers share a renewal, which is cancelled with the last of them; results are not cached. A
        // failure is materialized, because a loss ends the loop whose renewal finds it, and the error of a cancelled
        // one would be dropped.
        this.flight = Mono.defer(this::renew).materialize().cacheInvalidateIf(signal -> true);
        accept(first, sentNanos);
        sleeps.add(this);
    }

    /**
     * Renews the lease now, or joins the renewal in flight.
     *
     * @return the renewed lease; {@link LeaseLostException} when it is lost, {@link ClosedException} when it was given up,
     *     else what the renewal met, after which the lease still stands until its deadline
     */
    public Mono<LeaseTerms> beat() {
        // Not on the timer, which a slow caller would block for all leases.
        return flight.<LeaseTerms>dematerialize().publishOn(Schedulers.parallel());
    }

    private Mono<LeaseTerms> renew() {
        if (!kept) {
            return Mono.error(ended());
        }
        long sent = nanos();
        long left = left();
        if (left <= 0) {
            return Mono.error(lose(expired()));
        }
        Duration limit = Duration.ofNanos(Math.min(left / 3, MAX_RENEWAL));
        long due = dueNanos;
        Duration lag = due == UNKNOWN ? Duration.ZERO : Duration.ofNanos(Math.max(0, sent - due));
        return renewal.renew(generation, lag)
                // As a value, because an error after the timeout would be dropped and logged.
                .materialize()
                // A lease that was lost or given up meanwhile is not renewed.
                .takeUntilOther(end.asMono().onErrorComplete())
                .timeout(limit, Mono.error(() -> late(limit)), timer)
                .<LeaseTerms>dematerialize()
                .switchIfEmpty(Mono.error(this::ended))
                .doOnNext(renewed -> {
                    accept(renewed, sent);
                    // Subscribers receive it on another thread; after the end there are none.
                    var unused = renewals.tryEmitNext(renewed);
                })
                .onErrorMap(LeaseLostException.class, this::lose);
    }

    private synchronized void accept(LeaseTerms granted, long sentNanos) {
        if (granted.generation() != null) {
            generation = granted.generation();
        }
        Duration length = granted.length();
        // An answer without a deadline leaves the known one.
        if (length != null) {
            lengthNanos = shorter(length, MAX_LENGTH).toNanos();
        }
        if (lengthNanos != UNKNOWN) {
            expireAt(sentNanos + lengthNanos);
        }
    }

    private synchronized void expireAt(long nanos) {
        expiresAtNanos = nanos;
        deadline.update(Mono.delay(Duration.ofNanos(Math.max(0, left())), timer)
                .subscribe(
                        tick -> {
                            // A concurrent renewal may have extended it.
                            if (left() <= 0) {
                                log.debug("{}", lose(expired()).getMessage());
                            }
                        },
                        this::stopped));
    }

    /**
     * The renewals, while there are subscribers: one loop serves all, at the interval of the first.
     *
     * @param interval a fixed interval, or {@code null} to follow the deadline
     * @return hot, never overflowing, heard on another thread than the renewals; ends with {@link LeaseLostException}, or
     *     completes when the lease is given up
     */
    public Flux<LeaseTerms> renewals(@Nullable Duration interval) {
        // The end may be signalled during a renewal's signal, so the operator serialises both.
        return Flux.using(
                        () -> enter(interval),
                        entered -> renewals.asFlux().takeUntilOther(end.asMono()),
                        Disposable::dispose)
                .onBackpressureLatest()
                .publishOn(Schedulers.parallel(), 1);
    }

    /** Renews in the background until the lease is lost or given up. */
    public void renewInBackground(@Nullable Duration interval) {
        var unused = enter(interval);
    }

    private synchronized Disposable enter(@Nullable Duration interval) {
        if (listeners++ == 0 && kept) {
            loop = interval == null ? followingTheDeadline() : every(period(interval));
            restart(loop);
        }
        return this::leave;
    }

    private synchronized void leave() {
        if (--listeners == 0) {
            loop = null;
            running.update(null);
        }
    }

    private void restart(Flux<Signal<LeaseTerms>> loop) {
        running.update(loop.subscribe(this::hear, this::stopped));
    }

    private void stopped(Throwable e) {
        log.error("The renewals of {} stopped", agentSessionId, e);
    }

    /** Each failure leaves less time, so the next renewal is sooner. */
    private Flux<Signal<LeaseTerms>> followingTheDeadline() {
        return Mono.defer(() -> {
                    long wait = nextBeat();
                    long due = nanos() + wait;
                    return Mono.delay(Duration.ofNanos(wait), timer).flatMap(tick -> renewDueAt(due));
                })
                .repeat(this::isKept);
    }

    /** The first tick has a random delay, so that leases do not renew in step. */
    private Flux<Signal<LeaseTerms>> every(long period) {
        return Flux.defer(() -> {
            long within = Math.min(period, left() / 3);
            long first =
                    Math.max(1, (long) (within * ThreadLocalRandom.current().nextDouble()));
            settledNanos = nanos();
            long start = settledNanos + first;
            return Flux.interval(Duration.ofNanos(first), Duration.ofNanos(period), timer)
                    .<Long>handle((tick, sink) -> {
                        long due = start + tick * period;
                        // A delayed timer emits all its missed ticks at once.
                        if (due - settledNanos > 0) {
                            sink.next(due);
                        }
                    })
                    .onBackpressureDrop()
                    .concatMap(this::renewDueAt, 0);
        });
    }

    private Mono<Signal<LeaseTerms>> renewDueAt(long due) {
        return Mono.defer(() -> {
                    dueNanos = due;
                    return flight;
                })
                // Before its completion requests the next tick, which may have been missed meanwhile.
                .doOnNext(outcome -> settledNanos = nanos())
                .doFinally(signal -> dueNanos = UNKNOWN)
                // The interval retains its last inner subscription until the next tick.
                .onTerminateDetach();
    }

    /** Transient failures are retried at the next tick. */
    private synchronized void hear(Signal<LeaseTerms> outcome) {
        if (outcome.isOnNext()) {
            if (failures > 0) {
                log.info("The lease of {} is renewed again, after {} failures in a row", agentSessionId, failures);
                failures = 0;
            }
        } else if (kept && failures++ % LOG_EVERY == 0) {
            // Not the last argument, so that the logger formats it into the message, even if its toString throws.
            log.warn(
                    "The renewal met {}; the next tick tries again (failure {} in a row of the lease of {})",
                    outcome.getThrowable(),
                    failures,
                    agentSessionId);
        }
    }

    /** When the loop that follows the deadline renews next, from now. */
    private long nextBeat() {
        long left = left();
        // Near the deadline the minimum of a second would miss it, so half of the rest is waited.
        return Math.min(cadence(left, ThreadLocalRandom.current().nextDouble()), Math.max(left / 2, LAST_CADENCE));
    }

    /**
     * The cadence of renewals: a third of what remains, clamped, then jittered by a tenth each way.
     *
     * @param leftNanos what remains, {@link Long#MAX_VALUE} when unknown
     */
    static long cadence(long leftNanos, double random) {
        long third =
                leftNanos == UNKNOWN ? UNKNOWN_CADENCE : Math.max(MIN_CADENCE, Math.min(leftNanos / 3, MAX_CADENCE));
        return (long) (third * (0.9 + 0.2 * random));
    }

    /** At least a second, and at most a third of the lease, so that the lease survives one lost renewal. */
    private long period(Duration interval) {
        long asked = shorter(interval, MAX_LENGTH).toNanos();
        long period = Math.max(1, Math.min(Math.max(asked, MIN_CADENCE), lengthNanos / 3));
        if (period != asked) {
            log.warn(
                    "The heartbeat interval {} is less than a second or more than a third of the lease of {}; renewing every"
                            + " {} ms instead",
                    interval,
                    agentSessionId,
                    TimeUnit.NANOSECONDS.toMillis(period));
        }
        return period;
    }

    /**
     * Accounts for time that the timer has missed during a sleep. The lease is renewed before it is declared lost,
     * because the wall clock may have been set.
     *
     * @return renews the lease, and declares it lost if that fails and the deadline has passed; never fails
     */
    Mono<Void> slept(long nanos) {
        boolean passed = shorten(nanos);
        return flight.doOnNext(outcome -> {
                    hear(outcome);
                    if (passed && outcome.isOnError()) {
                        log.debug("{}", lose(expired()).getMessage());
                    }
                })
                .then();
    }

    /** Shortens the deadline, except for the time of a renewal, and restarts the loop. */
    private synchronized boolean shorten(long nanos) {
        long left = left();
        if (left != UNKNOWN) {
            expireAt(nanos() + Math.max(left - nanos, Math.min(left, MAX_RENEWAL)));
        }
        if (loop != null) {
            // Cancels a renewal in flight, whose connection has hardly survived.
            restart(loop);
        }
        return left <= nanos;
    }

    /** Declares the lease lost for a reason other than a renewal. */
    public void declareLost(Reason reason, @Nullable Throwable cause) {
        var unused = lose(new LeaseLostException(reason, agentSessionId, cause));
    }

    /** Declares the lease lost, unless it has ended, and returns the error of its end. */
    private RuntimeException lose(LeaseLostException lost) {
        if (finish(lost)) {
            onLost.accept(lost);
            end.tryEmitError(lost).orThrow();
        }
        return ended();
    }

    /** Gives up the lease: renewals stop, and subscribers complete. */
    public void close() {
        if (finish(null)) {
            end.tryEmitEmpty().orThrow();
        }
    }

    private boolean finish(@Nullable LeaseLostException lost) {
        synchronized (this) {
            if (!kept) {
                return false;
            }
            loss = lost;
            kept = false;
        }
        sleeps.remove(this);
        deadline.dispose();
        running.dispose();
        return true;
    }

    /**
     * {@return the end of the lease; errors with {@link LeaseLostException} when it is lost, completes when it is given
     * up; heard on another thread than the renewals}
     */
    public Mono<Void> end() {
        // On its own scheduler, because every parallel worker may be blocked, and subscribers may block. Chosen at the
        // end, because the subscription may be days older.
        return end.asMono()
                .then(Mono.defer(() -> Mono.<Void>empty().subscribeOn(Schedulers.boundedElastic())))
                .onErrorResume(lost -> Mono.<Void>error(lost).subscribeOn(Schedulers.boundedElastic()));
    }

    /** {@return the present generation, or {@code null} when none was given} */
    public @Nullable Long generation() {
        return generation;
    }

    /** {@return whether the lease is held; {@code false} once it was lost or given up} */
    public boolean isKept() {
        return kept;
    }

    /** {@return the loss, or {@code null}} */
    public @Nullable LeaseLostException loss() {
        return loss;
    }

    private LeaseLostException expired() {
        return new LeaseLostException(Reason.EXPIRED, agentSessionId, null);
    }

    private TransportException late(Duration limit) {
        return new TransportException(
                TransportException.Kind.TIMEOUT,
                "The renewal of the lease of " + agentSessionId + " did not end within " + limit.toMillis()
                        + " ms: its health function or the Coordinator took too long; the lease stands until its deadline",
                null);
    }

    private RuntimeException ended() {
        LeaseLostException lost = loss;
        return lost != null
                ? lost
                : new ClosedException(
                        "The service agent " + agentSessionId + " is closed; nothing was sent. Open a new service");
    }

    private static Duration shorter(Duration one, Duration other) {
        return one.compareTo(other) < 0 ? one : other;
    }

    private long left() {
        long expires = expiresAtNanos;
        return expires == UNKNOWN ? UNKNOWN : expires - nanos();
    }

    private long nanos() {
        return timer.now(TimeUnit.NANOSECONDS);
    }
}
