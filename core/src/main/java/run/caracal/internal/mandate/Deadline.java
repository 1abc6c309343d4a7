package run.caracal.internal.mandate;

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import reactor.core.scheduler.Scheduler;

/**
 * The end of a life, on a monotonic clock.
 *
 * @param nanos when it is over, on the clock
 */
public record Deadline(long nanos, Scheduler clock) {
    /** The time left, zero when it is over. */
    public Duration remaining() {
        return Duration.ofNanos(Math.max(0, nanos - clock.now(TimeUnit.NANOSECONDS)));
    }
}
