package run.caracal.internal;

import java.util.concurrent.TimeUnit;
import reactor.core.Disposable;
import reactor.core.scheduler.Scheduler;
import reactor.core.scheduler.Schedulers;

/**
 * The {@link Schedulers#parallel()} that is there whenever it is used. An application that replaces Reactor's shared
 * schedulers disposes those before, and one that was captured earlier would reject everything from then on.
 */
public final class ParallelTimer implements Scheduler {
    /** It has no state. */
    public static final Scheduler INSTANCE = new ParallelTimer();

    private ParallelTimer() {}

    @Override
    public Disposable schedule(Runnable task) {
        return Schedulers.parallel().schedule(task);
    }

    @Override
    public Disposable schedule(Runnable task, long delay, TimeUnit unit) {
        return Schedulers.parallel().schedule(task, delay, unit);
    }

    @Override
    public Disposable schedulePeriodically(Runnable task, long initialDelay, long period, TimeUnit unit) {
        return Schedulers.parallel().schedulePeriodically(task, initialDelay, period, unit);
    }

    @Override
    public Worker createWorker() {
        return Schedulers.parallel().createWorker();
    }

    @Override
    public long now(TimeUnit unit) {
        return Schedulers.parallel().now(unit);
    }

    /** It is the application's, not ours to dispose. */
    @Override
    public void dispose() {}

    @Override
    public boolean isDisposed() {
        return Schedulers.parallel().isDisposed();
    }

    @Override
    public String toString() {
        return "ParallelTimer";
    }
}
