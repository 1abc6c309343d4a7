package run.caracal.internal.wire;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.URI;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import run.caracal.http.HttpRequest;

class TokenFormTest {
    private static final String TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    private static final ClientCredentials CREDENTIALS = new ClientCredentials("zone-1", "app-1", "s3cret+/=& %é");
    private static final String HEAD = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange"
            + "&zone_id=zone-1&application_id=app-1&client_secret=s3cret%2B%2F%3D%26+%25%C3%A9";

    @Test
    void asksForTheApplicationToken() {
        TokenForm form =
                TokenForm.application(CREDENTIALS, List.of("resource://b", "resource://a", "resource://b"), null);

        assertThat(text(form))
                .isEqualTo(HEAD + "&scope=agent%3Alifecycle&resource=resource%3A%2F%2Fb&resource=resource%3A%2F%2Fa");
    }

    @Test
    void asksForAMandateWithSortedScopes() {
        TokenForm form = TokenForm.mandate(
                CREDENTIALS, List.of("b:write", "a:read", "b:write"), "resource://x", "s-1", "e-1", 60, "ap-1");

        assertThat(text(form))
                .isEqualTo(HEAD + "&scope=a%3Aread+b%3Awrite&resource=resource%3A%2F%2Fx&agent_session_id=s-1"
                        + "&delegation_edge_id=e-1&ttl_seconds=60&approval_id=ap-1");
        assertThat(text(TokenForm.mandate(CREDENTIALS, List.of("a"), "r", null, null, null, null)))
                .isEqualTo(HEAD + "&scope=a&resource=r");
    }

    /** A federation takes neither a resource nor a scope. */
    @Test
    void federatesAUser() {
        assertThat(text(TokenForm.federation(CREDENTIALS, "h.p.s", 300)))
                .isEqualTo(HEAD + "&subject_token=h.p.s"
                        + "&subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aid_token&ttl_seconds=300");
    }

    @Test
    void encodesOddCharactersInAscii() {
        String odd = "a&b=c+d e%\u0000\n\"'<>€\ud83d\ude00~*";
        StringBuilder encoded = new StringBuilder();
        TokenForm.encode(odd, encoded);

        assertThat(encoded).matches("[A-Za-z0-9%+._~-]*");
        assertThat(URLDecoder.decode(encoded.toString(), StandardCharsets.UTF_8))
                .isEqualTo(odd);
    }

    @Test
    void becomesARequestWithoutAQuery() {
        TokenForm form = TokenForm.application(CREDENTIALS, List.of("r"), null);
        HttpRequest request = new StsRequests(URI.create("http://sts.test/base/"))
                .token(form, "req-1", TRACEPARENT, Duration.ofSeconds(30));

        assertThat(request.method()).isEqualTo("POST");
        assertThat(request.uri()).isEqualTo(URI.create("http://sts.test/base/oauth/2/token"));
        assertThat(request.headers())
                .containsEntry("Content-Type", "application/x-www-form-urlencoded")
                .containsEntry("X-Request-Id", "req-1")
                .containsEntry("traceparent", TRACEPARENT);
        assertThat(request.body()).isEqualTo(form.encode());
        assertThat(request.timeout()).isEqualTo(Duration.ofSeconds(30));
        assertThat(new StsRequests(URI.create("http://sts.test"))
                        .approval("ap/1", Duration.ofSeconds(25), Duration.ofSeconds(35))
                        .uri())
                .isEqualTo(URI.create("http://sts.test/approvals/ap%2F1?wait=25"));
    }

    @Test
    void showsNoSecret() {
        TokenForm form = TokenForm.federation(CREDENTIALS, "h.p.s", null);
        HttpRequest request =
                new StsRequests(URI.create("http://sts.test")).token(form, null, null, Duration.ofSeconds(1));

        assertThat(form.toString() + CREDENTIALS + request).doesNotContain("s3cret", "h.p.s");
    }

    private static String text(TokenForm form) {
        return new String(form.encode(), StandardCharsets.US_ASCII);
    }
}
