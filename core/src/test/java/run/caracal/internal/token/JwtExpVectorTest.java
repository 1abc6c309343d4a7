package run.caracal.internal.token;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.OptionalDouble;
import run.caracal.vectors.VectorCase;
import run.caracal.vectors.VectorTests;

class JwtExpVectorTest {

    @VectorTests("jwt-exp")
    void readsTheExpiry(VectorCase vector) {
        if (!(vector.input().value("token") instanceof String token)) {
            throw vector.leaveOut("a token that is no text");
        }
        OptionalDouble expiry = JwtClaims.read(token).expiry();
        Object expected = vector.expected().value("exp");
        if (vector.isAccident()) {
            // No failure, and no token let through that the peer would have refused at its own expiry.
            if (expected instanceof Number number) {
                assertThat(JwtClaims.read(token).isExpiredAt(number.doubleValue()))
                        .isTrue();
            }
            return;
        }
        if (expected == null) {
            assertThat(expiry).isEmpty();
        } else {
            double seconds =
                    expected instanceof Number number ? number.doubleValue() : Double.parseDouble((String) expected);
            assertThat(expiry).hasValue(seconds);
        }
    }
}
