package run.caracal.error;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import reactor.core.publisher.Mono;
import reactor.test.StepVerifier;

class ServiceExceptionTest {
    @ParameterizedTest
    @CsvSource(
            quoteCharacter = '|',
            value = {
                "invalid subject_token: token signature invalid",
                "access_token: expired",
                "client_secret = missing",
                "Bearer authentication_required",
                "Basic authentication-is-required here",
                "the client_secret is wrong"
            })
    void aSentenceAboutASecretStaysAsItIs(String text) {
        assertThat(Excerpts.of(text, 200)).isEqualTo(text);
    }

    @ParameterizedTest
    @CsvSource(
            quoteCharacter = '|',
            value = {
                "client_secret=hunter&x=1",
                "client_secret: hunter2",
                "client_secret = Hunter=",
                "{\"client_secret\":\"hunter\"}",
                "{\"access_token\": \"hunter\"}",
                "subject_token='hunter'",
                "ACCESS_TOKEN: huNter",
                "Bearer abcdefghijklmnophunter0",
                "basic aHunterQWxhZGRpbjpvcGVuIHNlc2FtZQ==",
                "eyJhbGciOiJI.hunter.hunter"
            })
    void aValueDoesNotStay(String text) {
        assertThat(Excerpts.of(text, 200)).contains("[redacted]").doesNotContainIgnoringCase("hunter");
    }

    private static StsException denied(String description) {
        return StsException.of(
                new Refusal(403, "access_denied", description, "req-1", Duration.ofSeconds(3)), "Do this.");
    }

    @Test
    void saysWhatHappenedAndWhatToDo() {
        assertThat(denied("policy denied"))
                .hasMessage("The STS answered 403 access_denied: policy denied. Do this. Request id: req-1.");
        assertThat(StsException.of(new Refusal(502, "", "", null, null), null)).hasMessage("The STS answered 502.");
    }

    @Test
    void isCaughtByItsType() {
        StepVerifier.create(Mono.error(denied("no"))
                        .onErrorResume(StsException.AccessDenied.class, e -> Mono.just(e.code())))
                .expectNext("access_denied")
                .verifyComplete();
    }

    /** Only the accessor exposes the body, which may hold secrets, and it returns a copy. */
    @Test
    void ofAGatewaysAnswerTheBodyIsInNoMessage() throws Exception {
        GatewayException error = new GatewayException(
                GatewayError.Origin.UPSTREAM,
                new Refusal(429, "upstream_status", "", "req-1", null),
                null,
                "secret".getBytes(StandardCharsets.UTF_8));
        error.body()[0] = 'X';
        assertThat(new String(error.body(), StandardCharsets.UTF_8)).isEqualTo("secret");
        assertThat(error)
                .hasMessage("The upstream answered 429 upstream_status. Request id: req-1.")
                .hasToString(error.getClass().getName() + ": " + error.getMessage());
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
            out.writeObject(error);
        }
        try (ObjectInputStream in = new ObjectInputStream(new ByteArrayInputStream(bytes.toByteArray()))) {
            assertThat(((GatewayException) in.readObject()).origin()).isEqualTo(GatewayError.Origin.UPSTREAM);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "token eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnc2VjcmV0 expired",
                "got Bearer c2lnc2VjcmV0c2lnc2VjcmV0",
                "client_secret=c2lnc2VjcmV0&x",
                "access_token: c2lnc2VjcmV0"
            })
    void neverShowsATokenThatAServiceRepeats(String description) {
        assertThat(denied(description).toString() + denied(description).description())
                .doesNotContain("c2lnc2VjcmV0");
    }

    @Test
    void isOneBoundedLine() {
        StsException error = denied("a\r\nb\u0000\u202e\u2028" + "x".repeat(100_000));

        assertThat(error.getMessage())
                .doesNotContain("\r", "\n", "\u0000", "\u202e", "\u2028")
                .hasSizeLessThan(1200);
        assertThat(denied("\ud83d\ude00".repeat(2000)).description()).endsWith("\ud83d\ude00…");
    }

    @Test
    void survivesSerialization() throws Exception {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
            out.writeObject(denied("no"));
        }
        try (ObjectInputStream in = new ObjectInputStream(new ByteArrayInputStream(bytes.toByteArray()))) {
            StsException copy = (StsException) in.readObject();
            assertThat(copy.httpStatus()).isEqualTo(403);
            assertThat(copy.requestId()).contains("req-1");
            assertThat(copy.retryAfter()).contains(Duration.ofSeconds(3));
        }
    }
}
