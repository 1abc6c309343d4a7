package run.caracal.internal;

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import reactor.core.scheduler.Scheduler;

/**
 * Detects how long the machine has slept: meanwhile the monotonic clock may stand still, but the wall clock does not.
 */
public final class MachineSleep {
    /** Smaller differences are corrections of the wall clock. */
    private static final long TOLERANCE = Duration.ofSeconds(5).toNanos();

    private MachineSleep() {}

    /** Marks the current difference of the clocks. */
    public static long mark(Scheduler timer) {
        return TimeUnit.MILLISECONDS.toNanos(timer.now(TimeUnit.MILLISECONDS)) - timer.now(TimeUnit.NANOSECONDS);
    }

    /**
     * {@return the time since a mark that the timer has not counted; nanoseconds; zero when the wall clock was
     * corrected by a few seconds or set back}
     */
    public static long since(long mark, Scheduler timer) {
        long ahead = mark(timer) - mark;
        return ahead > TOLERANCE ? ahead : 0;
    }
}
