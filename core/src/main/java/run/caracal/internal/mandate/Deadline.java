package run.caracal.internal.mandate;

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import reactor.core.scheduler.Scheduler;

/**
 * A deadline on a monotonic clock.
 *
 * @param nanos the time on that clock
 */
public record Deadline(long nanos, Scheduler clock) {
    /** The remaining time; zero once expired. */
    public Duration remaining() {
        return Duration.ofNanos(Math.max(0, nanos - clock.now(TimeUnit.NANOSECONDS)));
    }
}
