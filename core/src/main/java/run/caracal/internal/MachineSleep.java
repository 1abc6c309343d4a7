package run.caracal.internal;

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import reactor.core.scheduler.Scheduler;

/**
 * Tells how long the machine has slept. Meanwhile the monotonic clock of a timer may stand still, and the wall clock does
 * not: they are further apart afterwards.
 */
public final class MachineSleep {
    /** Less is a correction of the wall clock. */
    private static final long TOLERANCE = Duration.ofSeconds(5).toNanos();

    private MachineSleep() {}

    /** Notes how far the clocks are apart. */
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
