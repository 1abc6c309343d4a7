package run.caracal.vectors;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class VectorsTest {

    @Test
    void readsEveryKindOfJsonValue() {
        VectorObject object = VectorJson.parseObject(
                "{\"s\":\"\\u00e9\",\"i\":7,\"d\":1.5,\"t\":true,\"n\":null,\"l\":[\"a\",\"b\"],\"o\":{\"k\":\"v\"}}"
                        .getBytes(StandardCharsets.UTF_8));

        assertThat(object.string("s")).isEqualTo("\u00e9");
        assertThat(object.intOr("i", 0)).isEqualTo(7);
        assertThat(object.number("d")).isEqualTo(1.5);
        assertThat(object.bool("t")).isTrue();
        assertThat(object.has("n")).isTrue();
        assertThat(object.hasValue("n")).isFalse();
        assertThat(object.intOr("absent", 3)).isEqualTo(3);
        assertThat(object.strings("l")).isEqualTo(List.of("a", "b"));
        assertThat(object.object("o").map()).isEqualTo(Map.of("k", "v"));
    }

    @VectorTests("gateway-request")
    void namesEveryCaseAfterItsTopic(VectorCase vector) {
        assertThat(vector.toString()).isEqualTo("gateway-request/" + vector.name());
    }
}
