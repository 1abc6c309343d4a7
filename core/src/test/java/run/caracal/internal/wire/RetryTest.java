package run.caracal.internal.wire;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.time.Instant;
import java.util.HashSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class RetryTest {
    private static final Instant NOW = Instant.ofEpochSecond(WireCases.CLOCK);

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "Thursday, 01-Jan-26 00:00:30 GMT | 30",
                "Thu Jan  1 00:00:30 2026 | 30",
                "Thu, 1 Jan 2026 00:01 GMT | 60",
                "Thu, 01 Jan 2026 00:00:30 -0000 | 30",
                "Wed, 31 Dec 2025 16:00:05 PST | 5",
                "Thu, 01 Jan 2026 00:00:30 | 30",
                "1e2 | 100",
                "+5 | 5",
                "5. | 5",
            })
    void readsTheFormsThatProxiesSend(String header, long seconds) {
        assertThat(RetryAfter.parse(header, NOW)).isEqualTo(Duration.ofSeconds(seconds));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "inf",
                "nan",
                "1_0",
                "\u0661",
                "-5",
                "1 2",
                ",",
                "Thu, 01 Foo 2026 00:00:00 GMT",
                "Thu, 01 Jan 2026 00:60:00 GMT",
                "Thu, 01 Jan 2026 00:00:00 +9900",
                "Thu, 01 Jan 2026 00:00:00 +0199",
                "e5",
                ".",
                "+"
            })
    void takesNothingFromWhatIsNone(String header) {
        assertThat(RetryAfter.parse(header, NOW)).isNull();
    }

    @Test
    void boundsWhatItReads() {
        assertThat(RetryAfter.parse("9".repeat(60), NOW)).isEqualTo(RetryAfter.MAX);
        assertThat(RetryAfter.parse("1e9999", NOW)).isEqualTo(RetryAfter.MAX);
        assertThat(RetryAfter.parse("Fri, 31 Dec 9999 23:59:59 GMT", NOW)).isEqualTo(RetryAfter.MAX);
        assertThat(RetryAfter.parse(" ".repeat(1_000_000), NOW)).isNull();
        assertThat(RetryAfter.MAX.toNanos()).isPositive();
    }

    @ParameterizedTest
    @CsvSource({"0, , 250, 350", "3, , 1000, 1100", "9, PT1H, 10000, 10100", "0, PT-5S, 0, 100"})
    void backsOff(int attempt, @Nullable Duration hint, long min, long max) {
        assertThat(Backoff.delay(attempt, hint, 0)).isEqualTo(Duration.ofMillis(min));
        assertThat(Backoff.delay(attempt, hint, Math.nextDown(1.0))).isLessThan(Duration.ofMillis(max));
    }

    @Test
    void makesDistinctKeys() {
        Set<String> keys = new HashSet<>();
        for (int i = 0; i < 10_000; i++) {
            String key = IdempotencyKeys.generate();
            assertThat(key).matches("[0-9a-f]{32}");
            assertThat(IdempotencyKeys.require("idempotencyKey", key)).isEqualTo(key);
            assertThat(keys.add(key)).isTrue();
        }
    }
}
