package run.caracal.internal.capacity;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.NavigableSet;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;
import reactor.core.scheduler.Scheduler;
import run.caracal.error.CapacityException;
import run.caracal.internal.lifecycle.ClientState;

/**
 * Those who wait for something that there is not enough of: higher ranks first, and first come, first served among equals.
 * Each is served once or has left; whether there is enough for the next one is up to the subclass, under the lock of the line.
 */
abstract class Line {
    private final Duration patience;
    private final Scheduler timer;
    private final NavigableSet<Waiter> waiting = new TreeSet<>();
    private final AtomicInteger turns = new AtomicInteger();
    private long joined;
    private boolean closed;

    Line(Duration patience, Scheduler timer) {
        this.patience = patience;
        this.timer = timer;
    }

    /** One who may wait; in one line, once. */
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

    /** Takes what a waiter needs when there is enough; the next in line is asked when one before it was served. */
    abstract boolean take(Waiter waiter);

    /** The error of a waiter whose time is over. */
    abstract CapacityException tooLate();

    /** Takes what a waiter needs, or puts it into the line. Who has joined has to {@link #leave} when it is gone. */
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
        return waiter.turn.asMono().timeout(patience, Mono.error(this::tooLate), timer);
    }

    /** Takes a waiter out of the line, if it is in it; one that was served, or never joined, is not. */
    void leave(Waiter waiter) {
        boolean left;
        synchronized (this) {
            // One that never joined has no number, and would be taken for another.
            left = waiter.number != 0 && waiting.remove(waiter);
        }
        if (left) {
            // The next one may need less.
            serve();
        }
    }

    /**
     * Serves as many as there is enough for. One thread at a time does it for all: what a served one does may bring back at
     * once what the next one needs, and that must not deepen the stack.
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

    /** Refuses everybody from now on, and at once those who wait. */
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
