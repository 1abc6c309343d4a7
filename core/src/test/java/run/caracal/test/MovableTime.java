package run.caracal.test;

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import reactor.core.Disposable;
import reactor.core.scheduler.Scheduler;
import reactor.test.scheduler.VirtualTimeScheduler;

/** Virtual time whose wall clock can drift from its monotonic one, and whose timer can be delayed. */
public final class MovableTime implements Scheduler {
    private final VirtualTimeScheduler actual;
    private long aheadMillis;
    private @Nullable Long heldUntilNanos;

    public MovableTime(VirtualTimeScheduler actual) {
        this.actual = actual;
    }

    /** Moves the wall clock alone, as a sleeping machine or a clock correction does. */
    public void moveWallClock(Duration by) {
        aheadMillis += by.toMillis();
    }

    /** Lets time pass without running tasks; then runs all due tasks at once. */
    public void holdUp(Duration time) {
        heldUntilNanos = actual.now(TimeUnit.NANOSECONDS) + time.toNanos();
        actual.advanceTimeBy(time);
        heldUntilNanos = null;
    }

    @Override
    public long now(TimeUnit unit) {
        Long held = heldUntilNanos;
        long nanos = held == null ? actual.now(TimeUnit.NANOSECONDS) : held;
        boolean wall = unit.compareTo(TimeUnit.MILLISECONDS) >= 0;
        return unit.convert(nanos, TimeUnit.NANOSECONDS)
                + (wall ? unit.convert(aheadMillis, TimeUnit.MILLISECONDS) : 0);
    }

    @Override
    public Disposable schedule(Runnable task) {
        return actual.schedule(task);
    }

    @Override
    public Disposable schedule(Runnable task, long delay, TimeUnit unit) {
        return actual.schedule(task, delay, unit);
    }

    @Override
    public Disposable schedulePeriodically(Runnable task, long initialDelay, long period, TimeUnit unit) {
        return actual.schedulePeriodically(task, initialDelay, period, unit);
    }

    @Override
    public Worker createWorker() {
        return actual.createWorker();
    }
}
