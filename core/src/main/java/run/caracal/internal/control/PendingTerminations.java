package run.caracal.internal.control;

import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.Disposable;
import reactor.core.Disposables;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Scheduler;
import reactor.util.context.Context;
import run.caracal.error.CaracalException;
import run.caracal.error.ServiceException;
import run.caracal.error.TransportException;
import run.caracal.event.CaracalEvent;
import run.caracal.event.Completion;
import run.caracal.event.Completion.Outcome;
import run.caracal.internal.capacity.Place;
import run.caracal.internal.event.EventBus;

/**
 * Ends the sessions that a failed call may have left open: a termination that failed for a reason that passes, and an
 * opening whose answer was lost. Sweeps work through them in their order, one request a session; the pause between two
 * sweeps grows while the Coordinator does not answer. Bounded: beyond the capacity the oldest entry is reported and given up.
 */
final class PendingTerminations {
    private static final Logger log = LoggerFactory.getLogger(PendingTerminations.class);

    static final int CAPACITY = 10_000;
    static final Duration MIN_PAUSE = Duration.ofSeconds(1);
    static final Duration MAX_PAUSE = Duration.ofSeconds(60);

    /** The longest life of a session on the platform; it bounds an entry whose end is not known. */
    private static final Duration MAX_LIFE = Duration.ofDays(1);

    /** Few enough to leave the Coordinator's limit of the minute to the application. */
    private static final int CONCURRENCY = 4;

    private static final int CLOSING_CONCURRENCY = 16;

    /** The maximum number of ids in a warning. */
    private static final int NAMED = 20;

    private final EventBus events;
    private final Scheduler timer;
    private final Disposable.Swap loop = Disposables.swap();
    // Under the lock of this.
    private final Set<Entry> entries = new LinkedHashSet<>();
    private boolean sweeping;
    private boolean closed;
    private int failedSweeps; // one after another
    private @Nullable Duration retryAfter; // of the last refusal

    PendingTerminations(EventBus events, Scheduler timer) {
        this.events = events;
        this.timer = timer;
    }

    /** How to end a session of which at least the opening is known. */
    final class Entry {
        private final Function<Entry, Mono<Void>> attempt;
        private final long endsAtNanos;
        private final Place place;
        private final EventBus.Running running;
        private volatile @Nullable String agentSessionId;

        private Entry(
                @Nullable String agentSessionId, long endsAtNanos, Place place, Function<Entry, Mono<Void>> attempt) {
            this.agentSessionId = agentSessionId;
            this.attempt = attempt;
            this.place = place;
            this.endsAtNanos = endsAtNanos;
            this.running = events.start(CaracalEvent.TerminationSettled.class, Context.empty());
        }

        /** The replay of an opening has told which session it made. */
        void learned(String id) {
            agentSessionId = id;
        }

        @Nullable
        String agentSessionId() {
            return agentSessionId;
        }

        private String named() {
            String id = agentSessionId;
            return id == null ? "(an opening without an answer)" : id;
        }
    }

    int count() {
        synchronized (this) {
            return entries.size();
        }
    }

    /**
     * Takes over a session.
     *
     * @param agentSessionId the session; {@code null} while only its opening is known
     * @param endsAtNanos when the session ends by itself, on the monotonic clock; {@code null} when unknown
     * @param place its permit, which is held until this is settled
     */
    void takeOver(
            @Nullable String agentSessionId,
            @Nullable Long endsAtNanos,
            Throwable failure,
            Place place,
            Function<Entry, Mono<Void>> attempt) {
        place.pend();
        long ends = endsAtNanos == null ? timer.now(TimeUnit.NANOSECONDS) + MAX_LIFE.toNanos() : endsAtNanos;
        Entry entry = new Entry(agentSessionId, ends, place, attempt);
        Entry dropped = null;
        boolean refused;
        boolean starts = false;
        int waiting;
        synchronized (this) {
            refused = closed;
            if (!refused) {
                if (entries.size() >= CAPACITY) {
                    dropped = entries.iterator().next();
                    entries.remove(dropped);
                }
                entries.add(entry);
                noteRetryAfter(failure);
                starts = !sweeping;
                sweeping = true;
            }
            waiting = entries.size();
        }
        if (dropped != null) {
            gaveUp(List.of(dropped), "more than " + CAPACITY + " terminations are pending", failure);
        }
        if (refused) {
            gaveUp(List.of(entry), "the client is closed", failure);
            return;
        }
        events.emit(() -> new CaracalEvent.TerminationPending(agentSessionId, waiting, completion(failure)));
        if (starts) {
            // Ends with the last entry, or is disposed by close().
            loop.update(sweeps().subscribe(
                            null, e -> log.error("Pending terminations are not tried again until the next one", e)));
        }
    }

    private Mono<Void> sweeps() {
        return Mono.defer(() -> Mono.delay(pause(), timer).then(sweep(CONCURRENCY, true)))
                .repeat(this::goesOn)
                .then();
    }

    private synchronized boolean goesOn() {
        sweeping = !closed && !entries.isEmpty();
        return sweeping;
    }

    private synchronized Duration pause() {
        Duration wanted = retryAfter;
        retryAfter = null;
        long grown = MIN_PAUSE.toMillis() << Math.min(failedSweeps, 6);
        Duration base = wanted != null && !wanted.isNegative() ? wanted : Duration.ofMillis(grown);
        Duration bounded = base.compareTo(MAX_PAUSE) > 0 ? MAX_PAUSE : base.compareTo(MIN_PAUSE) < 0 ? MIN_PAUSE : base;
        // Many clients may have lost the same Coordinator.
        return bounded.plusMillis(
                (long) (bounded.toMillis() * 0.2 * ThreadLocalRandom.current().nextDouble()));
    }

    /**
     * Tries the entries once each.
     *
     * @param stopsEarly whether a failure that concerns the service ends the sweep
     */
    private Mono<Void> sweep(int concurrency, boolean stopsEarly) {
        return Mono.defer(() -> {
            List<Entry> due;
            synchronized (this) {
                due = new ArrayList<>(entries);
            }
            AtomicBoolean failed = new AtomicBoolean();
            return Flux.fromIterable(due)
                    .filter(entry -> !(stopsEarly && failed.get()))
                    .flatMap(entry -> attempt(entry).doOnNext(passing -> failed.set(true)), concurrency, 1)
                    .then(Mono.fromRunnable(() -> swept(failed.get())));
        });
    }

    private synchronized void swept(boolean failed) {
        failedSweeps = failed ? failedSweeps + 1 : 0;
    }

    /** One attempt; emits the failure if it is to be retried. */
    private Mono<Throwable> attempt(Entry entry) {
        return Mono.defer(() -> {
            if (timer.now(TimeUnit.NANOSECONDS) - entry.endsAtNanos >= 0) {
                settled(entry);
                return Mono.empty();
            }
            return entry.attempt
                    .apply(entry)
                    .then(Mono.<Throwable>fromRunnable(() -> settled(entry)))
                    .onErrorResume(e -> {
                        if (passes(e)) {
                            postpone(entry, e);
                            return Mono.just(e);
                        }
                        if (remove(entry)) {
                            gaveUp(List.of(entry), "the Coordinator refuses the termination", e);
                        }
                        return Mono.empty();
                    });
        });
    }

    private synchronized void postpone(Entry entry, Throwable error) {
        // Continues after a failing entry.
        if (entries.remove(entry)) {
            entries.add(entry);
        }
        noteRetryAfter(error);
    }

    private void noteRetryAfter(Throwable error) {
        if (error instanceof ServiceException answer) {
            retryAfter = answer.retryAfter().orElse(retryAfter);
        }
    }

    private synchronized boolean remove(Entry entry) {
        return entries.remove(entry);
    }

    private void settled(Entry entry) {
        if (remove(entry)) {
            int left = count();
            log.debug("The agent session {}, which was left open, is gone; {} are pending", entry.named(), left);
            entry.place.settled();
            entry.running.end(
                    Outcome.SUCCESS,
                    null,
                    completion -> new CaracalEvent.TerminationSettled(entry.agentSessionId, left, completion));
        }
    }

    private void gaveUp(List<Entry> given, String reason, @Nullable Throwable cause) {
        String ids = given.stream().limit(NAMED).map(Entry::named).collect(Collectors.joining(", "));
        log.warn(
                "{} agent session(s) may still be open until their TTL or lease is over, and are given up because {}{}: {}{}",
                given.size(),
                reason,
                cause == null ? "" : " (" + cause.getMessage() + ")",
                ids,
                given.size() > NAMED ? ", ..." : "");
        int left = count();
        given.forEach(entry -> entry.place.settled());
        given.forEach(entry -> entry.running.end(
                Outcome.FAILURE,
                cause,
                completion -> new CaracalEvent.TerminationSettled(entry.agentSessionId, left, completion)));
    }

    /** Tries every entry once more, then reports and gives up the rest. */
    Mono<Void> close(Duration bound) {
        return Mono.defer(() -> {
            synchronized (this) {
                closed = true;
            }
            loop.dispose();
            return sweep(CLOSING_CONCURRENCY, false)
                    .timeout(bound, Mono.empty(), timer)
                    .then(Mono.fromRunnable(this::reportRest));
        });
    }

    private void reportRest() {
        List<Entry> rest;
        synchronized (this) {
            rest = List.copyOf(entries);
            entries.clear();
        }
        if (!rest.isEmpty()) {
            gaveUp(rest, "the client closes", null);
        }
    }

    /** Whether a later attempt may end the session that this one could not. */
    static boolean passes(Throwable error) {
        if (error instanceof ServiceException answer) {
            int status = answer.httpStatus();
            return status == 408 || status == 429 || status >= 500;
        }
        return error instanceof TransportException lost && lost.isRetryable();
    }

    private static Completion completion(Throwable failure) {
        if (failure instanceof ServiceException answer) {
            return new Completion(
                    Outcome.FAILURE,
                    Duration.ZERO,
                    answer.httpStatus(),
                    answer.code(),
                    answer.requestId().orElse(null));
        }
        String code = failure instanceof CaracalException typed ? typed.code() : "error";
        return new Completion(Outcome.FAILURE, Duration.ZERO, 0, code, null);
    }
}
