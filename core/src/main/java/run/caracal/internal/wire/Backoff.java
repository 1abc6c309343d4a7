package run.caracal.internal.wire;

import java.time.Duration;
import org.jspecify.annotations.Nullable;

/** The delay before a retry. */
public final class Backoff {
    /** The maximum {@code Retry-After} that is honoured. */
    public static final Duration MAX_RETRY_AFTER = Duration.ofSeconds(10);

    private static final long STEP_NANOS = Duration.ofMillis(250).toNanos();
    private static final double JITTER_NANOS = Duration.ofMillis(100).toNanos();

    private Backoff() {}

    /**
     * The delay before a retry.
     *
     * @param attempt how many retries there were before, from 0
     * @param retryAfter what the answer asked for, which wins, or {@code null}
     * @param random uniform, at least 0 and less than 1
     */
    public static Duration delay(int attempt, @Nullable Duration retryAfter, double random) {
        Duration base;
        if (retryAfter == null) {
            base = Duration.ofNanos(STEP_NANOS * (attempt + 1L));
        } else if (retryAfter.isNegative()) {
            base = Duration.ZERO;
        } else {
            base = retryAfter.compareTo(MAX_RETRY_AFTER) > 0 ? MAX_RETRY_AFTER : retryAfter;
        }
        return base.plusNanos((long) (random * JITTER_NANOS));
    }
}
