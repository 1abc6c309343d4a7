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
        for (int status : new int[] {200, 302, 304, 307}) {
            assertThat(GatewayError.from(status, Map.of("X-Caracal-Token-Expires-In", "800")::get, new byte[0]))
                    .isEmpty();
        }
    }

    @Test
    void aRedirectOfTheGatewaysOwnIsAnError() {
        GatewayError error = GatewayError.from(
                        307, Map.of("X-Request-Id", "req-1")::get, bytes("<a href=\"/a/b\">Temporary Redirect</a>."))
                .orElseThrow();
        assertThat(error.origin()).isEqualTo(GatewayError.Origin.GATEWAY);
        assertThat(error.httpStatus()).isEqualTo(307);
        assertThat(error.code()).isEqualTo("error");
        assertThat(error.toString()).contains("307", "req-1", "no redirect is followed", "gateway_url");
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
        assertThat(error.description()).isEqualTo("{\"error\":\"invalid_token\"}");
        assertThat(error.hint()).isEmpty();
    }

    /** A character that the read limit cuts in two does not make the body binary. */
    @Test
    void ofTheUpstreamsBodyTheBeginningIsShownWhenItIsText() {
        for (String body : new String[] {"", "\u0000\u0001", "\u001f\u008b"}) {
            assertThat(upstream(bytes(body)).description()).isEmpty();
        }
        assertThat(upstream(new byte[] {'a', (byte) 0xff, 'b'}).description()).isEmpty();
        assertThat(upstream(bytes("x" + "é".repeat(5_000))).description())
                .startsWith("xé")
                .hasSizeLessThan(600);
        assertThat(upstream(bytes("<html>\n\t<b>Busy</b>")).toString()).endsWith("(<html>  <b>Busy</b>)");
        assertThat(upstream(bytes("token=eyJhbGciOiJFUzI1NiJ9.e30.c2ln refresh_token: 'hunter'"))
                        .toString())
                .contains("[redacted]")
                .doesNotContain("eyJ", "hunter");
    }

    private static GatewayError upstream(byte[] body) {
        return GatewayError.from(503, Map.of("X-Caracal-Token-Expires-In", "800")::get, body)
                .orElseThrow();
    }

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
