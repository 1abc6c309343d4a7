package run.caracal.internal.propagation;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import run.caracal.vectors.VectorCase;
import run.caracal.vectors.VectorObject;
import run.caracal.vectors.VectorTests;

class BaggageCodecVectorTest {

    @VectorTests("baggage-codec")
    void codes(VectorCase vector) {
        VectorObject input = vector.input();
        VectorObject expected = vector.expected();
        String op = input.string("op");
        if (op.equals("parse")) {
            if (input.hasValue("value") && !(input.value("value") instanceof String)) {
                throw vector.leaveOut("the header is no text");
            }
            String value = input.stringOrNull("value");
            Map<String, String> parsed = Baggage.parse(value);
            if (value != null
                    && EnvelopeDecodeVectorTest.OWN_AFTER_SEMICOLON
                            .matcher(value)
                            .find()) {
                // The peer takes them for properties; here they count as if a comma had been written.
                assertThat(parsed).isEqualTo(Baggage.parse(EnvelopeDecodeVectorTest.withCommas(value)));
            } else if (vector.error() == null) {
                assertThat(parsed).isEqualTo(expected.object("entries").map());
            }
            return;
        }
        Map<String, @Nullable String> entries = new LinkedHashMap<>();
        for (Map.Entry<String, @Nullable Object> entry :
                input.object("entries").map().entrySet()) {
            if (entry.getValue() != null && !(entry.getValue() instanceof String)) {
                throw vector.leaveOut("the value of " + entry.getKey() + " is no text");
            }
            entries.put(entry.getKey(), (String) entry.getValue());
        }
        String encoded = Baggage.encode(entries);
        if (vector.error() != null) {
            return;
        }
        if (!entries.keySet().stream().allMatch(Baggage::isToken)) {
            // The peer writes any key, and so lets one write members of its own; such keys are left out.
            entries.keySet().removeIf(key -> !Baggage.isToken(key));
            assertThat(Baggage.parse(encoded).keySet()).isSubsetOf(entries.keySet());
            return;
        }
        assertThat(encoded).isEqualTo(expected.string("value"));
        if (op.equals("roundtrip")) {
            assertThat(Baggage.parse(encoded))
                    .isEqualTo(expected.object("entries").map());
        }
    }
}
