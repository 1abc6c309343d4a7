package run.caracal.error;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.junit.jupiter.api.Test;

class GatewayErrorTest {
    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    @Test
    void aSuccessIsNoError() {
        assertThat(GatewayError.from(200, name -> null, new byte[0])).isEmpty();
        assertThat(GatewayError.from(302, name -> null, new byte[0])).isEmpty();
    }

    @Test
    void theGatewaysOwnWordsAreRead() {
        GatewayError error = GatewayError.from(
                        401,
                        Map.of("X-Request-Id", "req-1")::get,
                        bytes(
                                "{\"error\":\"invalid_token\",\"error_description\":\"invalid subject_token\",\"requestId\":\"req-1\"}"))
                .orElseThrow();
        assertThat(error.origin()).isEqualTo(GatewayError.Origin.GATEWAY);
        assertThat(error.code()).isEqualTo("invalid_token");
        assertThat(error.requestId()).contains("req-1");
        assertThat(error.hint().orElseThrow()).contains("one-shot mandate");
        assertThat(error.toString()).contains("401", "invalid_token", "req-1");
    }

    @Test
    void theUpstreamsAnswerIsToldApart() {
        GatewayError error = GatewayError.from(
                        401,
                        Map.of("X-Request-Id", "req-1", "X-Caracal-Token-Expires-In", "800")::get,
                        bytes("{\"error\":\"invalid_token\"}"))
                .orElseThrow();
        assertThat(error.origin()).isEqualTo(GatewayError.Origin.UPSTREAM);
        assertThat(error.code()).isEqualTo("upstream_status");
    }

    /** Whatever the body is, the status is kept. */
    @Test
    void anyBodyKeepsTheStatus() {
        for (String body :
                new String[] {"", "null", "[]", "<html>", "{\"error\":5}", "{", "\"" + "x".repeat(2_000_000)}) {
            GatewayError error =
                    GatewayError.from(502, name -> null, bytes(body)).orElseThrow();
            assertThat(error.httpStatus()).isEqualTo(502);
            assertThat(error.toString()).contains("502").hasSizeLessThan(2_000);
        }
    }
}
