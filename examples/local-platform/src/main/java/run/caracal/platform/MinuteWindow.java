package run.caracal.platform;

import java.time.Instant;
import java.util.HashMap;
import java.util.Map;

/** Counts events per key in fixed windows of a clock minute. */
final class MinuteWindow {

    private final Map<String, Integer> counts = new HashMap<>();
    private long minute = Long.MIN_VALUE;

    /** Counts an event; whether it is within the limit. */
    synchronized boolean admits(String key, int limit, Instant now) {
        long current = Math.floorDiv(now.getEpochSecond(), 60L);
        if (current != minute) {
            minute = current;
            counts.clear();
        }
        return counts.merge(key, 1, Integer::sum) <= limit;
    }
}
