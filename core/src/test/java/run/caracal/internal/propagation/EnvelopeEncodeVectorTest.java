package run.caracal.internal.propagation;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import run.caracal.vectors.VectorCase;
import run.caracal.vectors.VectorObject;
import run.caracal.vectors.VectorTests;

class EnvelopeEncodeVectorTest {

    @VectorTests("envelope-encode")
    void encodes(VectorCase vector) {
        VectorObject input = vector.input().object("envelope");
        VectorObject extra = input.objectOrNull("extra_baggage");
        if (extra != null && !extra.map().values().stream().allMatch(v -> v == null || v instanceof String)) {
            throw vector.leaveOut("a value of the baggage is no text");
        }
        if (!input.map().entrySet().stream().allMatch(EnvelopeEncodeVectorTest::isOfItsType)) {
            throw vector.leaveOut("a field of the envelope is not of its type");
        }
        MapHeaders headers = new MapHeaders();
        VectorObject existing = vector.input().objectOrNull("existing_headers");
        if (existing != null) {
            existing.map().keySet().forEach(name -> headers.put(name, existing.string(name)));
        }

        envelope(input, extra).encode(headers);

        assertThat(headers.written()).doesNotContain("authorization");
        if (vector.error() != null) {
            // The peer fails by accident; encoding never does.
            return;
        }
        VectorObject expected = vector.expected();
        String recorded = expected.stringOrNull("baggage");
        if (recorded != null && Baggage.parse(recorded).isEmpty()) {
            // The peer writes more than any receiver reads; members of others are dropped here.
            String baggage = String.join(",", headers.getAll("baggage"));
            assertThat(baggage.isEmpty() || !Baggage.parse(baggage).isEmpty()).isTrue();
            assertThat(List.of(recorded.split(",")))
                    .containsAll(baggage.isEmpty() ? List.of() : List.of(baggage.split(",")));
            assertThat(ownMembers(baggage)).isEqualTo(ownMembers(recorded));
            return;
        }
        assertThat(headers.written()).isEqualTo(new TreeSet<>(expected.strings("set_headers")));
        if (expected.hasValue("traceparent_pattern")) {
            assertThat(written(headers, "traceparent")).matches(expected.string("traceparent_pattern"));
        }
        if (expected.hasValue("tracestate")) {
            assertThat(written(headers, "tracestate")).isEqualTo(expected.string("tracestate"));
        }
        if (extra != null && !extra.map().keySet().stream().allMatch(Baggage::isToken)) {
            // The peer writes any key, and so lets one write members of its own.
            assertThat(Baggage.parse(String.join(",", headers.getAll("baggage")))
                            .keySet())
                    .allMatch(Baggage::isToken);
            return;
        }
        if (expected.hasValue("baggage")) {
            String baggage = clamped(expected.string("baggage"), input.intOr("hop", 0));
            assertThat(written(headers, "baggage")).isEqualTo(withoutBadKeys(baggage));
        }
    }

    /** The peer passes on a key of the caller that is no token; here it is left out. */
    private static String withoutBadKeys(String baggage) {
        return Stream.of(baggage.split(","))
                .filter(member -> Baggage.isToken(member.substring(0, Math.max(0, member.indexOf('=')))))
                .collect(Collectors.joining(","));
    }

    /** The hop is clamped on writing too, where the peer clamps on reading only. */
    private static String clamped(String baggage, int hop) {
        int clamped = Math.max(0, Math.min(hop, Envelope.MAX_HOP));
        return baggage.replace("caracal.hop=" + hop, "caracal.hop=" + clamped);
    }

    private static List<String> ownMembers(String baggage) {
        return Stream.of(baggage.split(","))
                .filter(member -> Baggage.isOwnKey(member.split("=", 2)[0]))
                .toList();
    }

    private static boolean isOfItsType(Map.Entry<String, @Nullable Object> field) {
        Object value = field.getValue();
        return switch (field.getKey()) {
            case "hop" -> value == null || value instanceof Long;
            case "extra_baggage" -> true;
            default -> value == null || value instanceof String;
        };
    }

    private static String written(MapHeaders headers, String name) {
        assertThat(headers.getAll(name)).hasSize(1);
        return headers.getAll(name).get(0);
    }

    private static Envelope envelope(VectorObject input, @Nullable VectorObject extra) {
        Map<String, String> members = new LinkedHashMap<>();
        if (extra != null) {
            extra.map().forEach((key, value) -> members.put(key, value == null ? "" : (String) value));
        }
        return Envelope.builder()
                .bearer(input.stringOrNull("subject_token"))
                .agentSessionId(input.stringOrNull("agent_session_id"))
                .delegationEdgeId(input.stringOrNull("delegation_edge_id"))
                .parentEdgeId(input.stringOrNull("parent_edge_id"))
                .authorityRecordId(input.stringOrNull("session_id"))
                .traceId(input.stringOrNull("trace_id"))
                .traceFlags(input.stringOrNull("trace_flags"))
                .traceState(input.stringOrNull("trace_state"))
                .extraBaggage(members)
                .hop(input.intOr("hop", 0))
                .build();
    }
}
