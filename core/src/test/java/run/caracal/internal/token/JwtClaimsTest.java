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

    @ParameterizedTest
    @ValueSource(strings = {"NaN", "-INF", "true", "false"})
    void anExpiryThatIsNoPointInTimeIsNaN(String exp) {
        assertThat(JwtClaims.read(token("{}", "{\"exp\":" + exp + "}")).expiry())
                .hasValue(Double.NaN);
    }

    @Test
    void aTextWithoutPartsHasNoClaims() {
        String header = encode("{\"alg\":\"none\"}");
        assertThat(JwtClaims.read(header).algorithm()).isNull();
        assertThat(JwtClaims.text(header, "alg")).isNull();
    }

    @Test
    void isCompleteWithAnAlgorithmAndAnExpiry() {
        assertThat(JwtClaims.read(token("{\"alg\":\"ES256\"}", "{\"exp\":7}")).isComplete())
                .isTrue();
        assertThat(JwtClaims.read(token("{\"alg\":\"ES256\"}", "{}")).isComplete())
                .isFalse();
        assertThat(JwtClaims.read(token("{}", "{\"exp\":7}")).isComplete()).isFalse();
    }

    @Test
    void readsAClaimThatIsAText() {
        assertThat(JwtClaims.text(token("{}", "{\"sub\":\"user\"}"), "sub")).isEqualTo("user");
        assertThat(JwtClaims.text(token("{}", "{\"sub\":7}"), "sub")).isNull();
        assertThat(JwtClaims.text(token("{}", "{\"sub\":\"user\"}") + ".more", "sub"))
                .isNull();
    }

    /** A character beyond ASCII makes the part invalid base64; ASCII characters outside the alphabet are skipped. */
    @Test
    void skipsAsciiOutsideTheAlphabetAndNothingElse() {
        String payload = encode("{\"exp\":7}");
        assertThat(JwtClaims.read("e30." + payload + "\u007f.sig").expiry()).hasValue(7);
        assertThat(JwtClaims.read("e30." + payload + "\u0080.sig").expiry()).isEmpty();
        assertThat(JwtClaims.read("e30.@[`{:" + payload + ".sig").expiry()).hasValue(7);
    }

    @Test
    void readsAllCharactersOfBothAlphabets() {
        String payload = "{\"a\":\"\u06bf\u07ff?>~\u00ff\u00fe\u00fb\uffef\",\"exp\":7}";
        byte[] bytes = payload.getBytes(StandardCharsets.UTF_8);
        for (Base64.Encoder encoder : new Base64.Encoder[] {Base64.getEncoder(), Base64.getUrlEncoder()}) {
            String token = "e30." + encoder.encodeToString(bytes) + ".sig";
            assertThat(JwtClaims.read(token).expiry()).hasValue(7);
            assertThat(JwtClaims.text(token, "a")).isEqualTo("\u06bf\u07ff?>~\u00ff\u00fe\u00fb\uffef");
        }
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
