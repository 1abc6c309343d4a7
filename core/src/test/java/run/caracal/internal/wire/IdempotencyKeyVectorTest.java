package run.caracal.internal.wire;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.nio.charset.StandardCharsets;
import run.caracal.vectors.VectorCase;
import run.caracal.vectors.VectorObject;
import run.caracal.vectors.VectorTests;

/** Idempotency keys. */
class IdempotencyKeyVectorTest {

    @VectorTests("idempotency-key")
    void takesTheKeysThatThePlatformTakes(VectorCase vector) {
        VectorObject input = vector.input();
        VectorObject repeat = input.objectOrNull("key_repeat");
        if (repeat == null && !(input.value("key") instanceof String)) {
            throw vector.leaveOut("a key is a string in Java");
        }
        String key =
                repeat == null ? input.string("key") : repeat.string("text").repeat(repeat.intOr("count", 0));
        if (vector.expected().bool("valid")) {
            assertThat(IdempotencyKeys.require("idempotencyKey", key)).isEqualTo(key);
            // The peer cannot send all of these; this SDK sends their UTF-8, so that different keys stay different.
            assertThat(IdempotencyKeys.headerValue(key).getBytes(StandardCharsets.ISO_8859_1))
                    .isEqualTo(key.getBytes(StandardCharsets.UTF_8));
        } else {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> IdempotencyKeys.require("idempotencyKey", key))
                    .withMessageContaining("idempotencyKey");
        }
    }
}
