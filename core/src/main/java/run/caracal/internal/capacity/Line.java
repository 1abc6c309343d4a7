package run.caracal.internal.capacity;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.NavigableSet;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;
import reactor.core.scheduler.Scheduler;
import run.caracal.error.CapacityException;
import run.caracal.internal.lifecycle.ClientState;

/**
 * A queue of waiters for a limited capacity: higher ranks first, FIFO among equals. Each waiter is served once, or has
 * left; the subclass decides, under the lock of the queue, whether the next one can be served.
 */
abstract class Line {
    private final Duration patience;
    private final Scheduler timer;
    private final Supplier<Scheduler> callers;
    private final NavigableSet<Waiter> waiting = new TreeSet<>();
    private final AtomicInteger turns = new AtomicInteger();
    private long joined;
    private boolean closed;

    /**
     * Creates an empty queue.
     *
     * @param callers where a caller that had to wait goes on
     */
    Line(Duration patience, Scheduler timer, Supplier<Scheduler> callers) {
        this.patience = patience;
        this.timer = timer;
        this.callers = callers;
    }

    /** A waiter; used once, in one queue. */
    static class Waiter implements Comparable<Waiter> {
        final int rank;
        private final Sinks.Empty<Void> turn = Sinks.empty();
        private long number;

        Waiter(int rank) {
            this.rank = rank;
        }

        @Override
        public int compareTo(Waiter other) {
            int byRank = Integer.compare(other.rank, rank);
            return byRank != 0 ? byRank : Long.compare(number, other.number);
        }
    }

    /** Takes a waiter's capacity if available; the next in the queue is tried after one was served. */
    abstract boolean take(Waiter waiter);

    /** The error of a waiter that timed out. */
    abstract CapacityException tooLate();

    /** Takes a waiter's capacity, or enqueues the waiter, which then has to {@link #leave} when it is cancelled. */
    @Nullable
    Mono<Void> join(Waiter waiter) {
        synchronized (this) {
            if (closed) {
                return Mono.error(ClientState.closedError());
            }
            boolean isNext = waiting.isEmpty() || waiter.rank > waiting.first().rank;
            if (isNext && take(waiter)) {
                return null;
            }
            waiter.number = ++joined;
            waiting.add(waiter);
        }
        // Whoever gives capacity back is not to run what its next owner does.
        return waiter.turn
                .asMono()
                .timeout(patience, Mono.error(this::tooLate), timer)
                .publishOn(callers.get());
    }

    /** Removes a waiter from the queue, unless it was served or never joined. */
    void leave(Waiter waiter) {
        boolean left;
        synchronized (this) {
            // A waiter that never joined has no number, and would be taken for another.
            left = waiter.number != 0 && waiting.remove(waiter);
        }
        if (left) {
            // The next one may need less.
            serve();
        }
    }

    /**
     * Serves all that can be served. One thread at a time does it, because a served waiter may release capacity
     * immediately, which would deepen the stack.
     */
    void serve() {
        if (turns.getAndIncrement() != 0) {
            return;
        }
        int seen = 1;
        do {
            for (Waiter served = next(); served != null; served = next()) {
                var unused = served.turn.tryEmitEmpty();
            }
            seen = turns.addAndGet(-seen);
        } while (seen != 0);
    }

    private synchronized @Nullable Waiter next() {
        return !waiting.isEmpty() && take(waiting.first()) ? waiting.pollFirst() : null;
    }

    synchronized int waiting() {
        return waiting.size();
    }

    /** Rejects all current and future waiters. */
    public void close() {
        List<Waiter> refused;
        synchronized (this) {
            closed = true;
            refused = new ArrayList<>(waiting);
            waiting.clear();
        }
        for (Waiter waiter : refused) {
            var unused = waiter.turn.tryEmitError(ClientState.closedError());
        }
    }
}
