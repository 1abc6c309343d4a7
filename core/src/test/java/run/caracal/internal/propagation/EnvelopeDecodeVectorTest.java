package run.caracal.internal.propagation;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import run.caracal.internal.text.Chars;
import run.caracal.vectors.VectorCase;
import run.caracal.vectors.VectorObject;
import run.caracal.vectors.VectorTests;

class EnvelopeDecodeVectorTest {
    static final Pattern OWN_AFTER_SEMICOLON = Pattern.compile("(^|,)\\s*caracal\\.[^,]*;\\s*caracal\\.[^,;]*=");

    @VectorTests("envelope-decode")
    void decodes(VectorCase vector) {
        VectorObject headers = vector.input().object("headers");
        if (hasNonText(headers)) {
            throw vector.leaveOut("a header is neither a text nor a list of texts");
        }
        Envelope envelope = Envelope.decode(name -> lines(headers, name));
        if (vector.error() != null) {
            // The peer fails by accident; decoding never does.
            return;
        }

        VectorObject expected = vector.expected();
        List<String> baggage = lines(headers, "baggage");
        if (baggage.stream().anyMatch(line -> OWN_AFTER_SEMICOLON.matcher(line).find())) {
            // The peer takes them for properties; here they count as if a comma had been written.
            List<String> commas =
                    baggage.stream().map(EnvelopeDecodeVectorTest::withCommas).toList();
            assertThat(envelope)
                    .usingRecursiveComparison()
                    .isEqualTo(Envelope.decode(name -> name.equals("baggage") ? commas : lines(headers, name)));
            return;
        }
        assertThat(envelope.bearer()).isEqualTo(bearer(expected.stringOrNull("subject_token")));
        assertThat(envelope.agentSessionId()).isEqualTo(expected.stringOrNull("agent_session_id"));
        assertThat(envelope.delegationEdgeId()).isEqualTo(expected.stringOrNull("delegation_edge_id"));
        assertThat(envelope.parentEdgeId()).isEqualTo(expected.stringOrNull("parent_edge_id"));
        assertThat(envelope.authorityRecordId()).isEqualTo(expected.stringOrNull("session_id"));
        assertThat(envelope.traceId()).isEqualTo(expected.stringOrNull("trace_id"));
        assertThat(envelope.traceFlags()).isEqualTo(expected.stringOrNull("trace_flags"));
        assertThat(envelope.extraBaggage())
                .isEqualTo(expected.object("extra_baggage").map());
        assertThat(envelope.hop()).isEqualTo(hasHopInOtherDigits(baggage) ? 0 : expected.intOr("hop", 0));
        List<String> traceState = lines(headers, "tracestate");
        if (traceState.size() > 1) {
            // The peer loses the later lines; W3C joins them.
            String joined = traceState.stream()
                    .map(String::strip)
                    .filter(line -> !line.isEmpty())
                    .collect(Collectors.joining(","));
            assertThat(envelope.traceState()).isEqualTo(joined.isEmpty() ? null : joined);
        } else {
            assertThat(envelope.traceState()).isEqualTo(expected.stringOrNull("trace_state"));
        }
    }

    /** A comma for each semicolon before an own key, in members that begin with {@code caracal.}. */
    static String withCommas(String line) {
        return Stream.of(line.split(",", -1))
                .map(member -> member.strip().startsWith("caracal.")
                        ? member.replaceAll(";\\s*caracal\\.", ",caracal.")
                        : member)
                .collect(Collectors.joining(","));
    }

    /** Python takes the digits of every script for digits. */
    private static boolean hasHopInOtherDigits(List<String> baggage) {
        String hop = Baggage.parse(String.join(",", baggage)).get("caracal.hop");
        return hop != null && !hop.isEmpty() && hop.chars().allMatch(Character::isDigit) && !hop.matches("[0-9]+");
    }

    /** A token with blanks or control characters inside is refused. */
    private static @Nullable String bearer(@Nullable String recorded) {
        return recorded == null || Chars.hasBlankOrControl(recorded) ? null : recorded;
    }

    private static boolean hasNonText(VectorObject headers) {
        return headers.map().values().stream()
                .anyMatch(value -> !(value instanceof String)
                        && !(value instanceof List<?> list && list.stream().allMatch(String.class::isInstance)));
    }

    /** All values of the first header of that name in any case, as a server would give them. */
    private static List<String> lines(VectorObject headers, String name) {
        for (Map.Entry<String, @Nullable Object> header : headers.map().entrySet()) {
            if (header.getKey().equalsIgnoreCase(name)) {
                if (header.getValue() instanceof String line) {
                    return List.of(line);
                }
                return new ArrayList<>(headers.strings(header.getKey()));
            }
        }
        return List.of();
    }
}
