package run.caracal.internal.propagation;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The table of the specification; nothing throws. */
class TraceParentTest {
    private static final String TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";

    @ParameterizedTest
    @ValueSource(
            strings = {
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                "  00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\t",
                "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                "9a-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-the-future",
                "fe-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000001-01"
            })
    void acceptsValidHeaders(String header) {
        assertThat(TraceParent.parse(header)).isEqualTo(new TraceParent(TRACE, "01"));
        assertThat(TraceParent.isValid(header)).isTrue();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                " ",
                "-",
                "00",
                "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                "0-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                "0g-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                "0A-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
                "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
                "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00F067AA0BA902B7-01",
                "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b-01",
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-",
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0G",
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0A",
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-extra",
                "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.extra",
                "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01",
                "00-4bf92f3577b34da6a3ce929d0e0e47\uff13\uff16-00f067aa0ba902b7-01"
            })
    void refusesInvalidHeadersWithoutThrowing(String header) {
        assertThat(TraceParent.parse(header)).isNull();
        assertThat(TraceParent.isValid(header)).isFalse();
    }

    @Test
    void refusesWhatIsAbsurdlyLong() {
        String future = "cc-" + TRACE + "-00f067aa0ba902b7-01-";

        assertThat(TraceParent.parse(future + "x".repeat(10_000_000))).isNull();
        assertThat(TraceParent.parse(future + "x".repeat(8193 - future.length())))
                .isNull();
        assertThat(TraceParent.parse(future + "x".repeat(8192 - future.length())))
                .isEqualTo(new TraceParent(TRACE, "01"));
    }

    @Test
    void writesTheTraceWithAFreshSpan() {
        String one = TraceParent.write(TRACE, "00");
        String two = TraceParent.write(TRACE, "00");

        assertThat(one).matches("00-" + TRACE + "-[0-9a-f]{16}-00").isNotEqualTo(two);
        assertThat(TraceParent.isValid(one)).isTrue();
    }

    @Test
    void everyDigitOfANewTraceIsRandom() {
        List<String> ids = Stream.generate(TraceParent::newTraceId).limit(200).toList();
        for (int i = 0; i < 32; i++) {
            int digit = i;
            assertThat(ids.stream().map(id -> id.charAt(digit)).distinct().count())
                    .as("digit %d", i)
                    .isGreaterThan(2);
        }
    }

    @Test
    void beginsANewTraceWhereThereIsNoValidOne() {
        assertThat(TraceParent.parse(TraceParent.write(null, null))).isNotNull();
        assertThat(TraceParent.parse(TraceParent.write("nope", "zz")))
                .isNotNull()
                .extracting(TraceParent::flags)
                .isEqualTo("01");
        assertThat(TraceParent.isTraceId(TraceParent.newTraceId())).isTrue();
        assertThat(TraceParent.newTraceId()).isNotEqualTo(TraceParent.newTraceId());
    }
}
