package run.caracal.redis;

import java.time.Duration;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/**
 * A consumer's knowledge of its own freshness, for a readiness check and for meters.
 *
 * @param connected whether the streams could be read the last time
 * @param blindFor how long ago everything that the streams held was read and dealt with; since the start, when that never was
 * @param lag how old the last entry was when it was dealt with, by the clock of Redis against that of this machine, and
 *     never negative; zero before the first
 * @param lastEntry when the last entry was added, by the clock of Redis; {@code null} before the first
 * @param handled how many entries had their effect
 * @param dead how many entries could have none: unsigned ones, wrongly signed ones, and those that cannot be read
 * @param pending how many entries the group's consumers were given and did not acknowledge, as of the last look; zero
 *     without a group
 */
public record RevocationStatus(
        boolean connected,
        Duration blindFor,
        Duration lag,
        @Nullable Instant lastEntry,
        long handled,
        long dead,
        long pending) {}
