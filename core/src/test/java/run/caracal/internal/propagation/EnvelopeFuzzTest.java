package run.caracal.internal.propagation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

/**
 * Decoding random headers neither fails nor exceeds the limits. A failure names its seed; {@code -Dfuzz.seed} repeats it.
 */
class EnvelopeFuzzTest {
    private static final int MAX_BAGGAGE = 8192;
    private static final int MAX_MEMBERS = 64;
    private static final String[] NAMES = {"authorization", "traceparent", "tracestate", "baggage"};
    private static final String[] PIECES = {
        "Bearer ", "bearer\t", "00-", "4bf92f3577b34da6a3ce929d0e0e4736", "-00f067aa0ba902b7", "-01", ",", ";", "=",
                "%",
        "%2", "%zz", "%00", "%F0%9F", "\u0000", "\r\n", " ", "caracal.hop=", "caracal.agent_session=",
                "caracal.session=s",
        "caracal.delegation_edge=", "99999999999999999999", "-1", "..", "a", "\uD83D", "\u00e9", "tenant=x", "[", "\""
    };

    private final long seed = Long.getLong("fuzz.seed", System.nanoTime());
    private final Random random = new Random(seed);

    private String line() {
        if (random.nextInt(4) == 0) {
            byte[] bytes = new byte[random.nextInt(400)];
            random.nextBytes(bytes);
            return new String(bytes, StandardCharsets.ISO_8859_1);
        }
        StringBuilder text = new StringBuilder();
        for (int i = random.nextInt(random.nextInt(20) == 0 ? 3000 : 30); i > 0; i--) {
            text.append(PIECES[random.nextInt(PIECES.length)]);
        }
        return text.toString();
    }

    @Test
    void randomHeadersNeitherFailNorExceedTheLimits() {
        for (int i = 0; i < 5000; i++) {
            Map<String, List<String>> headers = new HashMap<>();
            for (String name : NAMES) {
                List<String> lines = new ArrayList<>();
                for (int n = random.nextInt(4); n > 0; n--) {
                    lines.add(line());
                }
                headers.put(name, lines);
            }
            assertThatCode(() -> check(headers))
                    .as("seed %d, headers %s", seed, headers)
                    .doesNotThrowAnyException();
        }
    }

    private static void check(Map<String, List<String>> headers) {
        Envelope envelope = Envelope.decode(name -> headers.getOrDefault(name, List.of()));
        assertThat(envelope.hop()).isBetween(0, Envelope.MAX_HOP);
        assertThat(envelope.extraBaggage().size()).isLessThanOrEqualTo(MAX_MEMBERS);
        int size = envelope.extraBaggage().entrySet().stream()
                .mapToInt(e -> e.getKey().length() + e.getValue().length())
                .sum();
        assertThat(size).isLessThanOrEqualTo(MAX_BAGGAGE);
        String bearer = envelope.bearer();
        if (bearer != null) {
            assertThat(bearer).isNotBlank().doesNotContain("\r", "\n", " ");
        }
        String traceId = envelope.traceId();
        if (traceId != null) {
            assertThat(traceId).matches("[0-9a-f]{32}");
        }
        // The decoded envelope can be sent on.
        MapHeaders out = new MapHeaders();
        envelope.encode(out);
        for (String line : out.getAll("baggage")) {
            assertThat(line).matches("[\\x21-\\x7e]*").hasSizeLessThanOrEqualTo(MAX_BAGGAGE);
        }
    }

    @Test
    void hugeHeadersCostNoMoreThanTheirLimit() {
        for (String name : NAMES) {
            for (String piece : new String[] {"a", ",", "a=b,", "%41", "Bearer x", "\u0000"}) {
                String huge = piece.repeat(1_000_000);
                assertThatCode(() -> check(Map.of(name, List.of(huge))))
                        .as("%s of %s", name, piece)
                        .doesNotThrowAnyException();
            }
        }
    }
}
