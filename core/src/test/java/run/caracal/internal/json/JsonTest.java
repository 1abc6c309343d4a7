package run.caracal.internal.json;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class JsonTest {

    @Test
    void readsPlainValues() throws JsonException {
        Map<String, @Nullable Object> expected = new LinkedHashMap<>();
        expected.put("s", "é\"\n");
        expected.put("i", 7L);
        expected.put("big", new BigInteger("99999999999999999999"));
        expected.put("d", 1.5);
        expected.put("b", true);
        expected.put("n", null);
        expected.put("l", Arrays.asList(1L, null, List.of()));

        assertThat(
                        Json.read(
                                " {\"s\":\"\\u00e9\\\"\\n\",\"i\":7,\"big\":99999999999999999999,\"d\":1.5,\"b\":true,\"n\":null,\"l\":[1,null,[]]} "))
                .isEqualTo(expected);
        assertThat(Json.read("{\"a\":1,\"a\":2}")).isEqualTo(Map.of("a", 2L));
        assertThat(Json.read("null")).isNull();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                " ",
                "{",
                "[1",
                "{\"a\"}",
                "{\"a\":}",
                "{\"a\":1,}",
                "[1]]",
                "{} x",
                "nul",
                "NaN",
                "'a'",
                "01",
                "1e",
                "+1",
                "\"\u0001\"",
                "<html>",
                "{\"secret-123\"",
                "// c\n{}"
            })
    void failsInOneWayAndQuotesNothing(String text) {
        assertThatThrownBy(() -> Json.read(text))
                .isInstanceOf(JsonException.class)
                .hasNoCause()
                .message()
                .doesNotContain("secret-123", "html");
    }

    @Test
    void boundsSizeAndDepth() throws JsonException {
        assertThat(Json.read("[".repeat(200) + "]".repeat(200))).isNotNull();
        assertThatThrownBy(() -> Json.read("[".repeat(201) + "]".repeat(201))).isInstanceOf(JsonException.class);
        assertThatThrownBy(() -> Json.read("{\"a\":".repeat(100_000))).isInstanceOf(JsonException.class);
        assertThatThrownBy(() -> Json.read(" ".repeat(Json.MAX_BYTES) + "1"))
                .isInstanceOf(JsonException.class)
                .hasMessageContaining("larger");
        assertThatThrownBy(() -> Json.read("1".repeat(5000))).isInstanceOf(JsonException.class);
    }

    @Test
    void throwsNothingElseWhateverTheBytes() {
        Random random = new Random(42);
        byte[] alphabet = "{}[]\",:\\u0e-+.123truefalsn \n\u00e9".getBytes(StandardCharsets.UTF_8);
        for (int round = 0; round < 20_000; round++) {
            byte[] bytes = new byte[random.nextInt(24)];
            random.nextBytes(bytes);
            if (round % 2 == 0) {
                for (int i = 0; i < bytes.length; i++) {
                    bytes[i] = alphabet[random.nextInt(alphabet.length)];
                }
            }
            Throwable error = catchThrowable(() -> Json.read(bytes));
            if (error != null) {
                assertThat(error).as(Arrays.toString(bytes)).isInstanceOf(JsonException.class);
            }
        }
    }

    @Test
    void writesWhatItReads() throws JsonException {
        Map<String, @Nullable Object> value = new LinkedHashMap<>();
        value.put("text", "é \u0000 \" \\ \ud83d\ude00 \u2028");
        value.put("int", 1);
        value.put("double", 2.5);
        value.put("float", 0.1f);
        value.put("none", null);
        value.put("set", List.of("a", Map.of("k", false)));

        String json = new String(Json.write("body", value), StandardCharsets.UTF_8);

        assertThat(json).contains("\"float\":0.1,").contains("\"int\":1,");
        Map<String, @Nullable Object> expected = new LinkedHashMap<>(value);
        expected.put("int", 1L);
        expected.put("float", 0.1);
        assertThat(Json.read(json)).isEqualTo(expected);
    }

    @Test
    void refusesToWriteWhatIsNoJsonAndNamesThePlace() {
        assertRefused(Map.of("a", List.of(1, Instant.EPOCH)), "metadata.a[1]");
        assertRefused(Map.of("a", Double.NaN), "metadata.a");
        assertRefused(Map.of(1, "b"), "metadata");
        assertRefused(Map.of("a", "x\ud83dy"), "metadata.a");
        List<Object> cycle = new ArrayList<>();
        cycle.add(cycle);
        assertRefused(cycle, "contains itself");
    }

    private static void assertRefused(Object value, String place) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Json.write("metadata", value))
                .withMessageContaining(place);
    }

    /** A service may add fields, or change the types of those that decide nothing. */
    @Test
    void readsObjectsLeniently() throws JsonException {
        JsonObject object = JsonObject.parse(
                "{\"new\":{\"deep\":[1]},\"text\":5,\"empty\":\"\",\"list\":[\"a\",1,null,\"b\"],\"when\":\"soon\",\"items\":[{\"id\":\"x\"},7]}"
                        .getBytes(StandardCharsets.UTF_8));

        assertThat(object.string("text")).isNull();
        assertThat(object.string("empty")).isNull();
        assertThat(object.string("absent")).isNull();
        assertThat(object.strings("list")).containsExactly("a", "b");
        assertThat(object.strings("text")).isNull();
        assertThat(object.instant("when")).isNull();
        assertThat(object.object("text").has("x")).isFalse();
        assertThat(object.objects("items")).hasSize(1);
        assertThat(JsonObject.parseLeniently(new byte[] {'['}).has("a")).isFalse();
        assertThatThrownBy(() -> JsonObject.parse("[]".getBytes(StandardCharsets.UTF_8)))
                .isInstanceOf(JsonException.class);
    }

    /** Numbers come as numbers and as strings. */
    @Test
    void readsWholeNumbersInBothForms() throws JsonException {
        assertThat(integer("7")).isEqualTo(7);
        assertThat(integer("\"7\"")).isEqualTo(7);
        assertThat(integer("null")).isNull();
        for (String bad :
                List.of("1.0", "1e2", "true", "\"x\"", "\"1_0\"", "\"\u0661\"", "\" 1\"", "\"\"", "[]", "{}")) {
            assertThatThrownBy(() -> integer(bad))
                    .as(bad)
                    .isInstanceOf(JsonException.class)
                    .hasMessageContaining("n is");
        }
        assertThat(JsonObject.parse("{\"n\":12.9}".getBytes(StandardCharsets.UTF_8))
                        .seconds("n"))
                .isEqualTo(12);
    }

    private static @Nullable Long integer(String json) throws JsonException {
        return JsonObject.parse(("{\"n\":" + json + "}").getBytes(StandardCharsets.UTF_8))
                .integer("n");
    }

    @Test
    void showsNoValues() throws JsonException {
        assertThat(JsonObject.parse("{\"access_token\":\"s3cret\"}".getBytes(StandardCharsets.UTF_8)))
                .hasToString("JsonObject[access_token]");
    }

    /** Of a member that is there twice others may take the other one. */
    @Test
    void readsStrictlyWhereSecurityRestsOnIt() throws JsonException {
        assertThat(Json.readStrictly(bytes("{\"a\":[{\"b\":1},{\"b\":2}]}"))).isNotNull();
        assertThat(Json.readStrictly(bytes("[".repeat(16) + "]".repeat(16)))).isNotNull();
        for (String bad : List.of(
                "{\"a\":1,\"a\":1}",
                "{\"a\":1,\"\\u0061\":2}",
                "[{\"x\":{\"a\":1,\"a\":2}}]",
                "[".repeat(17) + "]".repeat(17),
                "{} {}",
                "")) {
            assertThatThrownBy(() -> Json.readStrictly(bytes(bad))).as(bad).isInstanceOf(JsonException.class);
        }
    }

    private static byte[] bytes(String json) {
        return json.getBytes(StandardCharsets.UTF_8);
    }
}
