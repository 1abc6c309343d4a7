package run.caracal.internal.lease;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.OptionalDouble;
import run.caracal.vectors.VectorCase;
import run.caracal.vectors.VectorTests;

class HeartbeatDelayVectorTest {
    private static final double TOLERANCE = 1e-6;

    @VectorTests("heartbeat-delay")
    void delay(VectorCase vector) {
        if (vector.input().hasValue("heartbeat_interval")) {
            // A fixed interval is the interval itself; the builder refuses one that is not positive.
            double interval = vector.input().number("heartbeat_interval");
            assertThat(vector.expected().bool("auto_heartbeat")).isEqualTo(interval > 0);
            assertThat(vector.expected().number("min")).isEqualTo(interval);
            assertThat(vector.expected().number("max")).isEqualTo(interval);
            return;
        }
        String text = vector.input().stringOrNull("heartbeat_deadline_at");
        double now = vector.input().number("now_epoch_seconds");
        OptionalDouble deadline = deadline(text);
        // The wire promises instants that end in Z; other spellings of ISO 8601 that the peer's library reads are
        // unknown
        // deadlines here, and the lease is renewed every 30 s.
        boolean peerReadsMore = deadline.isEmpty() && Math.abs(vector.expected().number("min") - 27) > 1e-9;
        long left = deadline.isEmpty() ? Long.MAX_VALUE : (long) ((deadline.getAsDouble() - now) * 1e9);
        double least = LeaseKeeper.cadence(left, 0) / 1e9;
        double most = LeaseKeeper.cadence(left, Math.nextDown(1.0)) / 1e9;
        if (peerReadsMore) {
            assertThat(least).isBetween(27 - TOLERANCE, 27 + TOLERANCE);
        } else {
            assertThat(least)
                    .isBetween(
                            vector.expected().number("min") - TOLERANCE,
                            vector.expected().number("min") + TOLERANCE);
            assertThat(most)
                    .isBetween(
                            vector.expected().number("max") - 1e-3,
                            vector.expected().number("max") + TOLERANCE);
        }
        assertThat(vector.expected().bool("auto_heartbeat")).isTrue();
    }

    private static OptionalDouble deadline(@org.jspecify.annotations.Nullable String text) {
        try {
            if (text == null) {
                return OptionalDouble.empty();
            }
            Instant instant = java.time.OffsetDateTime.parse(text).toInstant();
            return OptionalDouble.of((double) instant.getEpochSecond() + instant.getNano() / 1e9);
        } catch (DateTimeParseException e) {
            return OptionalDouble.empty();
        }
    }
}
