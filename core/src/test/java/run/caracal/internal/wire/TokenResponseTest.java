package run.caracal.internal.wire;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import run.caracal.error.ProtocolException;
import run.caracal.http.HttpRequest;

class TokenResponseTest {
    private static final HttpRequest REQUEST = WireCases.request("POST", "/oauth/2/token");

    @Test
    void readsWhatThePlatformAnswers() {
        TokenResponse answer = parse("{\"access_token\":\"h.p.s\",\"token_type\":\"Bearer\",\"expires_in\":900,"
                + "\"scope\":\"a b\",\"issued_token_type\":\"urn:ietf:params:oauth:token-type:access_token\","
                + "\"target_resources\":[\"resource://x\"],\"requestId\":\"req-1\"}");

        assertThat(answer)
                .isEqualTo(new TokenResponse(
                        "h.p.s", Duration.ofMinutes(15), List.of("a", "b"), List.of("resource://x"), "req-1"));
    }

    /** Unknown fields, other spellings, fields that are absent. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{\"access_token\":\"t\",\"expires_in\":\"300\"} | PT5M",
                "{\"access_token\":\"t\",\"expires_in\":300.7} | PT5M",
                "{\"access_token\":\"t\",\"expires_in\":0} | PT0S",
                "{\"access_token\":\"t\",\"expires_in\":99999999999999999999} | PT596523H14M7S",
                "{\"access_token\":\"t\",\"expires_in\":null} |",
                "{\"access_token\":\"t\",\"token_type\":\"bEARER\",\"novel\":[{}]} |",
            })
    void toleratesWhatDoesNotMatter(String body, @Nullable Duration expiresIn) {
        assertThat(parse(body).expiresIn()).isEqualTo(expiresIn);
        assertThat(parse(body).scopes()).isNull();
    }

    /** A response without scopes or resources has granted all of the requested ones. */
    @Test
    void tellsWhatWasNotGranted() {
        TokenResponse answer = parse("{\"access_token\":\"t\",\"scope\":\" a  b\",\"target_resources\":[\"r1\"]}");

        assertThat(answer.missingScopes(List.of("a", "c", "b"))).containsExactly("c");
        assertThat(answer.missingResources(List.of("r1", "r2"))).containsExactly("r2");
        TokenResponse silent = parse("{\"access_token\":\"t\"}");
        assertThat(silent.missingScopes(List.of("a"))).isEmpty();
        assertThat(silent.missingResources(List.of("r1"))).isEmpty();
    }

    /** Refused with the name of the field, never with its value. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{\"token_type\":\"Bearer\"} | access_token",
                "{\"access_token\":\"\"} | access_token",
                "{\"access_token\":{\"s3cret\":1}} | access_token",
                "{\"access_token\":\"s3cret\\n\"} | access_token",
                "{\"access_token\":\"s3cret x\"} | access_token",
                "{\"access_token\":\"s3cret\",\"token_type\":\"N_A\"} | token_type",
                "{\"access_token\":\"s3cret\",\"token_type\":7} | token_type",
                "{\"access_token\":\"s3cret\",\"issued_token_type\":\"urn:ietf:params:oauth:token-type:refresh_token\"} | issued_token_type",
                "{\"access_token\":\"s3cret\",\"expires_in\":\"soon\"} | expires_in",
                "{\"access_token\":\"s3cret\",\"expires_in\":-1} | expires_in",
                "[\"s3cret\"] | object",
                "s3cret | JSON",
                "'' | empty",
            })
    void refusesWhatIsNoToken(String body, String field) {
        ProtocolException error = catchThrowableOfType(ProtocolException.class, () -> parse(body));

        assertThat(error).hasMessageContaining(field).hasMessageContaining("POST /oauth/2/token");
        assertThat(error.toString()).doesNotContain("s3cret");
        assertThat(error).hasNoCause();
        assertThat(error.httpStatus()).isEqualTo(200);
        assertThat(error.service()).isEqualTo("STS");
        assertThat(error.isRetryable()).isFalse();
    }

    @ParameterizedTest
    @ValueSource(strings = {"pending", "approved", "a-state-of-tomorrow"})
    void readsTheStateOfAnApproval(String state) {
        HttpRequest request = WireCases.request("GET", "/approvals/a");

        assertThat(ApprovalAnswer.parse(request, WireCases.response(200, "{\"id\":\"a\",\"state\":\"" + state + "\"}")))
                .isEqualTo(new ApprovalAnswer(state, null));
    }

    @Test
    void showsNoToken() {
        assertThat(parse("{\"access_token\":\"s3cret\"}").toString()).doesNotContain("s3cret");
    }

    private static TokenResponse parse(String body) {
        return TokenResponse.parse(REQUEST, WireCases.response(200, body));
    }
}
