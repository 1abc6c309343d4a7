package run.caracal.internal.wire;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.time.Duration;
import org.jspecify.annotations.Nullable;
import run.caracal.vectors.VectorCase;
import run.caracal.vectors.VectorObject;
import run.caracal.vectors.VectorTests;

/** The header {@code Retry-After} and the delay before a retry. */
class RetryAfterVectorTest {
    private static final double TOLERANCE = 1e-6;
    private static final double MAX_SECONDS = RetryAfter.MAX.toSeconds();

    @VectorTests("retry-after")
    void waitsAsLongAsAsked(VectorCase vector) {
        switch (vector.input().string("op")) {
            case "parse" -> parse(vector);
            case "retry_delay" -> delay(vector);
            default -> throw new AssertionError("unknown op in " + vector);
        }
    }

    private static void parse(VectorCase vector) {
        String header = vector.input().stringOrNull("header");
        Duration wait = RetryAfter.parse(header, WireCases.clock(vector.input()));
        if (vector.isAccident() || (header != null && WireCases.isPythonNumber(header))) {
            // Right is: usable or nothing, but never negative and never more than a sum of times can hold.
            if (wait != null) {
                assertThat(wait).isBetween(Duration.ZERO, RetryAfter.MAX);
            }
            return;
        }
        if (!vector.expected().hasValue("seconds")) {
            assertThat(wait).isNull();
        } else {
            assertThat(wait).isNotNull();
            double seconds = Math.min(seconds(vector.expected(), "seconds"), MAX_SECONDS);
            assertThat(toSeconds(wait)).isCloseTo(seconds, within(TOLERANCE));
        }
    }

    private static void delay(VectorCase vector) {
        VectorObject input = vector.input();
        int attempt = input.intOr("attempt", 0);
        Duration hint = hint(input);
        if (vector.isAccident()) {
            assertThat(Backoff.delay(attempt, hint, 0.5)).isBetween(Duration.ZERO, Duration.ofMinutes(1));
            return;
        }
        double min = vector.expected().number("min");
        double max = vector.expected().number("max");
        assertThat(toSeconds(Backoff.delay(attempt, hint, 0.0))).isCloseTo(min, within(TOLERANCE));
        assertThat(toSeconds(Backoff.delay(attempt, hint, Math.nextDown(1.0))))
                .isCloseTo(max, within(TOLERANCE))
                .isLessThanOrEqualTo(max);
        assertThat(toSeconds(Backoff.delay(attempt, hint, 0.5))).isBetween(min, max);
    }

    private static @Nullable Duration hint(VectorObject input) {
        if (!input.hasValue("retry_after_seconds")) {
            return null;
        }
        double seconds = Math.min(seconds(input, "retry_after_seconds"), MAX_SECONDS);
        return Duration.ofNanos(Math.round(seconds * 1e9));
    }

    private static double seconds(VectorObject fields, String name) {
        return fields.value(name) instanceof String text ? Double.parseDouble(text) : fields.number(name);
    }

    private static double toSeconds(@Nullable Duration duration) {
        return duration == null ? Double.NaN : duration.toNanos() / 1e9;
    }
}
