package run.caracal.redis;

import java.time.Duration;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/**
 * The freshness of a consumer, for a readiness check and for meters.
 *
 * @param connected whether the last read of the streams succeeded
 * @param blindFor how long ago both streams were last read to their ends, or the consumer was started
 * @param lag the age of the last entry when it was processed, by the clock of Redis against that of this machine; not
 *     negative; zero before the first
 * @param lastEntry when the last entry was added, by the clock of Redis; {@code null} before the first
 * @param handled the number of processed entries
 * @param dead the number of entries that were unsigned, wrongly signed or malformed
 * @param pending the last known number of unacknowledged entries of the group; zero without a group
 */
public record RevocationStatus(
        boolean connected,
        Duration blindFor,
        Duration lag,
        @Nullable Instant lastEntry,
        long handled,
        long dead,
        long pending) {}
