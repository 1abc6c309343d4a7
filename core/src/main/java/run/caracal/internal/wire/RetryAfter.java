package run.caracal.internal.wire;

import java.time.Duration;
import java.time.Instant;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** The header {@code Retry-After}. */
public final class RetryAfter {
    /** The longest time that is told apart from for ever; it still fits a count of nanoseconds. */
    public static final Duration MAX = Duration.ofDays(100_000);

    private static final int MAX_LENGTH = 64;
    private static final Pattern NUMBER =
            Pattern.compile("[+-]?(?:[0-9]+(?:\\.[0-9]*)?|\\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?");

    private RetryAfter() {}

    /**
     * Reads the header.
     *
     * @param header seconds or a date, or {@code null}
     * @return how long to wait, zero for a date that has passed; {@code null} when the header says nothing usable
     */
    public static @Nullable Duration parse(@Nullable String header, Instant now) {
        if (header == null || header.length() > MAX_LENGTH) {
            return null;
        }
        String text = header.strip();
        if (NUMBER.matcher(text).matches()) {
            double seconds = Double.parseDouble(text);
            if (seconds < 0) {
                return null;
            }
            return seconds >= MAX.toSeconds() ? MAX : Duration.ofNanos(Math.round(seconds * 1e9));
        }
        Instant date = HttpDates.parse(text);
        if (date == null) {
            return null;
        }
        Duration wait = Duration.between(now, date);
        if (wait.isNegative()) {
            return Duration.ZERO;
        }
        return wait.compareTo(MAX) > 0 ? MAX : wait;
    }
}
