package run.caracal.internal.token;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class JwtClaimsTest {
    private static final double NOW = 1_767_225_600;

    private static String token(String header, String payload) {
        return encode(header) + '.' + encode(payload) + ".sig";
    }

    private static String encode(String json) {
        return Base64.getUrlEncoder().withoutPadding().encodeToString(json.getBytes(StandardCharsets.UTF_8));
    }

    @ParameterizedTest
    @ValueSource(strings = {"none", "None", "NONE", " none "})
    void knowsAnUnsignedToken(String algorithm) {
        JwtClaims claims = JwtClaims.read(token("{\"alg\":\"" + algorithm + "\"}", "{}"));
        assertThat(claims.isUnsigned()).isTrue();
    }

    @Test
    void knowsAnUnsignedTokenWithoutItsSignature() {
        assertThat(JwtClaims.read(encode("{\"alg\":\"none\"}") + "." + encode("{}"))
                        .isUnsigned())
                .isTrue();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"{\"alg\":\"ES256\"}", "{}", "[]", "\"none\"", "{\"alg\":null}", "{\"alg\":{\"a\":\"none\"}}"})
    void takesOtherHeaders(String header) {
        assertThat(JwtClaims.read(token(header, "{}")).isUnsigned()).isFalse();
    }

    @ParameterizedTest
    @ValueSource(strings = {"1767225600", "1767225599.9", "0", "-5", "true", "false", "NaN", "Infinity", "1e400"})
    void refusesWhatIsPastOrNoTime(String exp) {
        assertThat(JwtClaims.read(token("{}", "{\"exp\":" + exp + "}")).isExpiredAt(NOW))
                .isTrue();
    }

    @ParameterizedTest
    @ValueSource(strings = {"1767225601", "1767225600.5", "\"5\"", "null", "[1]", "1e300"})
    void takesWhatIsAheadOrUnknown(String exp) {
        assertThat(JwtClaims.read(token("{}", "{\"exp\":" + exp + "}")).isExpiredAt(NOW))
                .isFalse();
    }

    @Test
    void findsAnExpiryBehindDeepNestingAndALongNumber() {
        String deep =
                "{\"a\":" + "[".repeat(100_000) + "]".repeat(100_000) + ",\"b\":" + "9".repeat(20_000) + ",\"exp\":7}";
        assertThat(JwtClaims.read(token("{}", deep)).expiry()).hasValue(7);
        assertThat(JwtClaims.read(token("{}", "{\"exp\":" + "9".repeat(20_000) + "}"))
                        .isExpiredAt(NOW))
                .isTrue();
    }

    @Test
    void neverFails() {
        Random random = new Random(42);
        String alphabet = "abcXYZ019+/-_=.. \n{}\"\u00e9\ud83d";
        for (int i = 0; i < 4_000; i++) {
            StringBuilder token = new StringBuilder("e30.");
            int length = random.nextInt(24);
            for (int j = 0; j < length; j++) {
                token.append(alphabet.charAt(random.nextInt(alphabet.length())));
            }
            assertThat(JwtClaims.read(token.toString())).isNotNull();
        }
        for (int i = 0; i < 4_000; i++) {
            StringBuilder json = new StringBuilder("{\"exp\":");
            int length = random.nextInt(12);
            for (int j = 0; j < length; j++) {
                json.append("0123456789eE+-.NaIinfty{}[]\"\\,:tru".charAt(random.nextInt(34)));
            }
            assertThat(JwtClaims.read(token("{}", json.append('}').toString()))).isNotNull();
        }
    }
}
