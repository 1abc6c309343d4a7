package run.caracal.internal;

import java.util.concurrent.TimeUnit;
import reactor.core.Disposable;
import reactor.core.scheduler.Scheduler;
import reactor.core.scheduler.Schedulers;

/**
 * The current {@link Schedulers#parallel()} at each use. An application that replaces Reactor's schedulers disposes
 * them, and a captured one would reject all tasks.
 */
public final class ParallelTimer implements Scheduler {
    /** Stateless. */
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

    /** Not disposed, because the application owns it. */
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
