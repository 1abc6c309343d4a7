package run.caracal.redis;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.InputStream;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import run.caracal.vectors.VectorJson;

class StreamSignatureTest {
    private static final String KEY = "00112233";
    private static final Map<String, String> FIELDS = Map.of("zone_id", "z", "session_id", "s");

    @TestFactory
    List<DynamicTest> signsAsThePlatformDoes() throws IOException {
        List<DynamicTest> tests = vectors().stream()
                .map(vector -> DynamicTest.dynamicTest(text(vector, "description"), () -> {
                    String stream = text(vector, "stream");
                    Map<String, String> fields = new HashMap<>();
                    ((Map<?, ?>) Objects.requireNonNull(vector.get("values"))).forEach((name, value) -> {
                        if (value != null) { // not a field of a Redis entry
                            fields.put((String) name, (String) value);
                        }
                    });
                    StreamSignature signature = StreamSignature.of(text(vector, "hmac_key_hex"));
                    String expected = text(vector, "expected_sig_hex");

                    assertThat(StreamSignature.canonical(stream, fields)).isEqualTo(text(vector, "expected_canonical"));
                    assertThat(signature.sign(stream, fields)).isEqualTo(expected);
                    fields.put(StreamSignature.FIELD, expected);
                    assertThat(signature.isOf(stream, fields)).isTrue();
                }))
                .toList();
        assertThat(tests).hasSize(4);
        return tests;
    }

    private static String text(Map<String, Object> vector, String field) {
        return (String) Objects.requireNonNull(vector.get(field), field);
    }

    @SuppressWarnings("unchecked") // the file is a list of objects
    private static List<Map<String, Object>> vectors() throws IOException {
        try (InputStream file = Objects.requireNonNull(
                StreamSignatureTest.class.getResourceAsStream("stream-sig-canonicalize.vectors.json"))) {
            return (List<Map<String, Object>>) Objects.requireNonNull(VectorJson.parse(file.readAllBytes()));
        }
    }

    @Test
    void anyChangeBreaksTheSignature() {
        StreamSignature signature = StreamSignature.of(KEY);
        Map<String, String> signed = new HashMap<>(FIELDS);
        String good = signature.sign("stream", FIELDS);
        signed.put(StreamSignature.FIELD, good);
        assertThat(signature.isOf("stream", signed)).isTrue();
        assertThat(signature.isOf("another", signed)).isFalse();
        assertThat(StreamSignature.of("00112234").isOf("stream", signed)).isFalse();
        for (String bad : List.of("", good.substring(1), good + "0", good.toUpperCase(java.util.Locale.ROOT), "ü")) {
            signed.put(StreamSignature.FIELD, bad);
            assertThat(signature.isOf("stream", signed)).as(bad).isFalse();
        }
        signed.put(StreamSignature.FIELD, good);
        signed.put("reason", "");
        assertThat(signature.isOf("stream", signed)).isFalse();
        assertThat(signature.isOf("stream", FIELDS)).isFalse();
    }

    @Test
    void aKeyThatIsNoneIsNotShown() {
        for (String key : List.of("", "  ", "abc", "supersecretkey", "0x00")) {
            assertThatThrownBy(() -> StreamSignature.of(key))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("STREAMS_HMAC_KEY")
                    .hasMessageNotContaining("secretkey")
                    .hasNoCause();
        }
    }
}
