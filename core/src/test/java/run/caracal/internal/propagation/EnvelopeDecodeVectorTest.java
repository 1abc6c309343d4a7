package run.caracal.internal.propagation;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import run.caracal.vectors.VectorCase;
import run.caracal.vectors.VectorObject;
import run.caracal.vectors.VectorTests;

class EnvelopeDecodeVectorTest {

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
        assertThat(envelope.bearer()).isEqualTo(bearer(expected.stringOrNull("subject_token")));
        assertThat(envelope.agentSessionId()).isEqualTo(expected.stringOrNull("agent_session_id"));
        assertThat(envelope.delegationEdgeId()).isEqualTo(expected.stringOrNull("delegation_edge_id"));
        assertThat(envelope.parentEdgeId()).isEqualTo(expected.stringOrNull("parent_edge_id"));
        assertThat(envelope.authorityRecordId()).isEqualTo(expected.stringOrNull("session_id"));
        assertThat(envelope.traceId()).isEqualTo(expected.stringOrNull("trace_id"));
        assertThat(envelope.traceFlags()).isEqualTo(expected.stringOrNull("trace_flags"));
        assertThat(envelope.extraBaggage())
                .isEqualTo(expected.object("extra_baggage").map());
        assertThat(envelope.hop()).isEqualTo(expected.intOr("hop", 0));
        List<String> traceState = lines(headers, "tracestate");
        if (traceState.size() > 1) {
            // The peer loses the later lines; W3C joins them.
            assertThat(envelope.traceState()).isEqualTo(String.join(",", traceState));
        } else {
            assertThat(envelope.traceState()).isEqualTo(expected.stringOrNull("trace_state"));
        }
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
