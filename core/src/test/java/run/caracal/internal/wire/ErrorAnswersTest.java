package run.caracal.internal.wire;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import run.caracal.error.ApprovalRequiredException;
import run.caracal.error.CoordinatorException;
import run.caracal.error.GatewayException;
import run.caracal.error.Limit;
import run.caracal.error.StsException;
import run.caracal.http.HttpRequest;
import run.caracal.http.HttpResponse;

class ErrorAnswersTest {
    private static final Instant NOW = Instant.ofEpochSecond(WireCases.CLOCK);
    private static final HttpRequest TOKEN = WireCases.request("POST", "/oauth/2/token");
    private static final HttpRequest OPEN = WireCases.request("POST", "/zones/z/agents");

    /** The five shapes of the Coordinator's errors. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "404 | {\"error\":\"session_not_found\",\"detail\":\"subject\"} | session_not_found | subject |",
                "400 | {\"error\":\"invalid_body\",\"error_description\":\"bad\",\"requestId\":\"r1\",\"details\":{\"issues\":[{\"path\":[\"a\",\"ttl_seconds\"],\"message\":\"too big\"},{\"message\":\"odd\"},{\"path\":[\"b\"]}]}} | invalid_body | bad (a.ttl_seconds: too big; odd; b) | r1",
                "400 | {\"error\":\"idempotency_key_invalid\",\"message\":\"why\",\"request_id\":\"r2\"} | idempotency_key_invalid | why | r2",
                "413 | {\"error\":\"internal_error\",\"error_description\":\"large\",\"requestId\":\"r3\"} | internal_error | large | r3",
                "404 | {\"message\":\"Route GET:/x not found\",\"error\":\"Not Found\",\"statusCode\":404} | Not Found | Route GET:/x not found |",
            })
    void readsEveryShape(int status, String body, String code, String description, String requestId) {
        CoordinatorException error = ErrorAnswers.coordinator(OPEN, WireCases.response(status, body), NOW);

        assertThat(error.httpStatus()).isEqualTo(status);
        assertThat(error.code()).isEqualTo(code);
        assertThat(error.description()).isEqualTo(description);
        assertThat(error.requestId().orElse(null)).isEqualTo(requestId);
        assertThat(error).hasMessageContaining(description).hasMessageContaining("POST /zones/z/agents");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "null",
                "[]",
                "\"x\"",
                "7",
                "<html>",
                "{",
                "{\"error\":null}",
                "{\"error\":{}}",
                "{\"error\":[1]}",
                "{\"error\":\"\"}",
                "{\"error\":\"\\n\\u0000\"}",
                "{\"details\":{\"issues\":[7,{\"path\":3}]}}"
            })
    void keepsTheStatusOfAnyBody(String body) {
        HttpResponse response = WireCases.response(503, Map.of("x-request-id", "hdr"), body);

        for (var error :
                List.of(ErrorAnswers.sts(TOKEN, response, NOW), ErrorAnswers.coordinator(OPEN, response, NOW))) {
            assertThat(error.httpStatus()).isEqualTo(503);
            assertThat(error.code()).isEqualTo("error");
            assertThat(error.requestId()).contains("hdr");
            assertThat(error.isRetryable()).isTrue();
        }
    }

    @Test
    void boundsHugeAnswers() {
        String huge = "x\n".repeat(600_000);
        HttpResponse response = WireCases.response(
                400,
                Map.of("x-request-id", huge),
                "{\"error\":\"" + "c".repeat(200_000) + "\",\"error_description\":\"" + "d".repeat(200_000) + "\"}");

        assertThat(ErrorAnswers.sts(TOKEN, response, NOW).getMessage())
                .hasSizeLessThan(2000)
                .doesNotContain("\n");
        assertThat(ErrorAnswers.sts(TOKEN, WireCases.response(400, huge), NOW).httpStatus())
                .isEqualTo(400);
        byte[] deep = "{\"error\":".repeat(100_000).getBytes(StandardCharsets.UTF_8);
        assertThat(ErrorAnswers.coordinator(OPEN, new HttpResponse(409, Map.of(), deep), NOW)
                        .httpStatus())
                .isEqualTo(409);
    }

    /** Secrets of the request, and texts that look like tokens, do not appear in the error. */
    @Test
    void repeatsNoSecret() {
        String jwt = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln";
        ClientCredentials credentials = new ClientCredentials("z", "a", "pä ss+word");
        HttpRequest token = new StsRequests(URI.create("http://sts.test"))
                .token(TokenForm.federation(credentials, "opaque-id-token", null), null, null, Duration.ofSeconds(1));
        HttpRequest open = new CoordinatorRequests(URI.create("http://coordinator.test"))
                .open(
                        OpenSession.builder("z", "a")
                                .subjectAuthorityRecordToken("subject-opaque")
                                .build(),
                        new CallHeaders("Bearer opaque-bearer", null, null, Duration.ofSeconds(1)));
        String echo = "pä ss+word p%C3%A4+ss%2Bword opaque-id-token opaque-bearer subject-opaque " + jwt;
        HttpResponse response = WireCases.response(
                400,
                Map.of("x-request-id", "opaque-bearer opaque-id-token"),
                "{\"error\":\"c " + jwt + "\",\"error_description\":\"" + echo + "\"}");

        var sts = ErrorAnswers.sts(token, response, NOW);
        assertThat(sts + sts.description() + sts.code() + sts.requestId())
                .doesNotContain("ss+word", "ss%2Bword", "opaque-id-token", "eyJ");
        var coordinator = ErrorAnswers.coordinator(open, response, NOW);
        assertThat(coordinator + coordinator.description() + coordinator.code() + coordinator.requestId())
                .doesNotContain("opaque-bearer", "subject-opaque", "eyJ");
    }

    /** Where the cause is known, the remedy is named. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "401 | access_denied | invalid client credentials | CARACAL_APP_CLIENT_SECRET",
                "403 | access_denied | policy denied | CARACAL_RESOURCES",
                "403 | access_denied | policy denied (no_rule_matched) | none of the configured resources",
                "403 | access_denied | policy denied (role_scope_mismatch) | label",
                "403 | access_denied | policy denied (resource_not_granted) | application that owns a resource",
                "403 | access_denied | delegation constraints invalid | budget",
                "403 | access_denied | delegation path invalid | maxHops",
                "403 | access_denied | delegation edge inactive or expired | open a new one",
                "403 | access_denied | delegation target inactive or unauthorized | open a new one",
                "401 | invalid_token | invalid subject_token | issuer",
                "409 | approval_consumed | approval already used | without it",
                "403 | zone_invalid | zones differ | CARACAL_ZONE_ID",
                "404 | resource_not_found | no | CARACAL_RESOURCES",
                "403 | delegation_required | no | Grant.narrow",
                "429 | provider_rate_limited | authentication rate limit exceeded | CARACAL_APP_CLIENT_SECRET",
            })
    void namesTheRemedyForTheSts(int status, String code, String description, String hint) {
        StsException error = ErrorAnswers.sts(
                TOKEN,
                WireCases.response(
                        status, "{\"error\":\"" + code + "\",\"error_description\":\"" + description + "\"}"),
                NOW);

        assertThat(error).hasMessageContaining(description).hasMessageContaining(hint);
    }

    /** The same refusal has another cause when it is a mandate that was asked for. */
    @Test
    void aMandateThatNoRuleAllowsNeedsADelegation() {
        HttpRequest mandate = new StsRequests(URI.create("http://sts.test"))
                .token(
                        TokenForm.mandate(
                                new ClientCredentials("z", "a", "secret"),
                                List.of("api:call"),
                                "resource://api",
                                "session",
                                null,
                                null,
                                null),
                        null,
                        null,
                        Duration.ofSeconds(1));
        HttpResponse response = WireCases.response(
                403, "{\"error\":\"access_denied\",\"error_description\":\"policy denied (no_rule_matched)\"}");
        assertThat(ErrorAnswers.sts(mandate, response, NOW)).hasMessageContaining("Grant.narrow");
    }

    @ParameterizedTest
    @CsvSource({
        "429, session_zone_limit_exceeded, zone has as many",
        "429, session_limit_exceeded, application has as many",
        "429, agent_limit_exceeded, application has as many",
        "429, session_children_limit_exceeded, children",
        "429, session_depth_limit_exceeded, nested",
        "429, idempotency_receipt_limit_exceeded, keys",
        "401, identity_revoked, revoked",
        "403, missing_scope, agent:lifecycle",
        "403, zone_mismatch, CARACAL_ZONE_ID",
        "404, resource_not_found, CARACAL_RESOURCES",
        "404, Not Found, CARACAL_COORDINATOR_URL",
        "500, audit_unavailable, was applied",
    })
    void namesTheRemedyForTheCoordinator(int status, String code, String hint) {
        CoordinatorException error =
                ErrorAnswers.coordinator(OPEN, WireCases.response(status, "{\"error\":\"" + code + "\"}"), NOW);

        assertThat(error).hasMessageContaining(code).hasMessageContaining(hint);
        boolean passes = status == 429 && !code.equals("session_depth_limit_exceeded");
        assertThat(error.isRetryable()).isEqualTo(passes || status >= 500);
    }

    @Nested
    class LimitsThatWereMet {
        @ParameterizedTest
        @CsvSource({
            "session_zone_limit_exceeded, ZONE_SESSIONS, ZONE, 50, true, , maxOpenSessions",
            "agent_zone_limit_exceeded, ZONE_SESSIONS, ZONE, 50, true, , maxOpenSessions",
            "session_limit_exceeded, APPLICATION_SESSIONS, APPLICATION, 200, true, , maxOpenSessions",
            "session_children_limit_exceeded, SESSION_CHILDREN, SESSION, 10, true, , maxOpenSessions",
            "session_depth_limit_exceeded, SESSION_DEPTH, SESSION, 10, false, , further up",
            "idempotency_receipt_limit_exceeded, IDEMPOTENCY_KEYS, APPLICATION, 10000, true, PT168H, key",
            "rate_limited, COORDINATOR_CALLS, ADDRESS, 600, true, PT1M, maxOpenSessions",
            "something_new, OTHER, UNKNOWN, , true, , something_new",
        })
        void each429OfTheCoordinatorSaysWhich(
                String code,
                Limit.Kind kind,
                Limit.Scope scope,
                @Nullable Integer number,
                boolean passes,
                @Nullable Duration after,
                String remedy) {
            CoordinatorException error =
                    ErrorAnswers.coordinator(OPEN, WireCases.response(429, "{\"error\":\"" + code + "\"}"), NOW);

            assertThat(error.limit()).contains(new Limit(kind, number, passes, after));
            assertThat(kind.scope()).isEqualTo(scope);
            assertThat(error.isRetryable()).isEqualTo(passes);
            assertThat(error).hasMessageContaining(remedy);
            assertThat(error.withOutcomeUnknown().limit()).isEqualTo(error.limit());
        }

        @Test
        void theBarePolicyDeniedMayBeTheMinuteOfTheMintsAndItsReasonsAreNot() {
            StsException bare = denied("policy denied");
            StsException reasoned = denied("policy denied (no_rule_matched)");

            assertThat(bare.limit()).contains(new Limit(Limit.Kind.MINTS, 1000, true, Duration.ofMinutes(1)));
            assertThat(bare.isRetryable()).isTrue();
            assertThat(bare).isInstanceOf(StsException.AccessDenied.class).hasMessageContaining("maxMintsPerMinute");
            assertThat(reasoned.limit()).isEmpty();
            assertThat(reasoned.isRetryable()).isFalse();
        }

        private static StsException denied(String description) {
            return ErrorAnswers.sts(
                    TOKEN,
                    WireCases.response(
                            403, "{\"error\":\"access_denied\",\"error_description\":\"" + description + "\"}"),
                    NOW);
        }

        @Test
        void wrongSecretsAndProxiesHaveLimitsToo() {
            StsException throttled = ErrorAnswers.sts(
                    TOKEN,
                    WireCases.response(
                            429,
                            "{\"error\":\"provider_rate_limited\","
                                    + "\"error_description\":\"authentication rate limit exceeded\"}"),
                    NOW);
            StsException ofProxy =
                    ErrorAnswers.sts(TOKEN, WireCases.response(429, Map.of("Retry-After", "3"), "slow down"), NOW);

            assertThat(throttled.limit())
                    .contains(new Limit(Limit.Kind.FAILED_SECRETS, 60, true, Duration.ofMinutes(1)));
            assertThat(ofProxy.limit()).contains(new Limit(Limit.Kind.OTHER, null, true, Duration.ofSeconds(3)));
            assertThat(ofProxy.isRetryable()).isTrue();
            assertThat(sts(503, "sts_unavailable").limit()).isEmpty();
        }

        @Test
        void theGatewaySaysItOfTheSecondUnitAndAnUpstreamOfItsOwn() {
            HttpResponse bare =
                    WireCases.response(403, "{\"error\":\"access_denied\",\"error_description\":\"policy denied\"}");
            HttpResponse upstreams =
                    WireCases.response(429, Map.of("X-Caracal-Token-Expires-In", "60", "Retry-After", "2"), "");

            GatewayException use = Objects.requireNonNull(ErrorAnswers.gateway(TOKEN, bare, NOW));
            GatewayException upstream = Objects.requireNonNull(ErrorAnswers.gateway(TOKEN, upstreams, NOW));

            assertThat(use.limit()).contains(new Limit(Limit.Kind.MINTS, 1000, true, Duration.ofMinutes(1)));
            assertThat(use.isRetryable()).isTrue();
            assertThat(use).hasMessageContaining("maxMintsPerMinute");
            assertThat(upstream.limit()).contains(new Limit(Limit.Kind.OTHER, null, true, Duration.ofSeconds(2)));
            assertThat(upstream.isRetryable()).isTrue();
        }
    }

    /** The time a service asks for shows on the exception. */
    @Test
    void tellsHowLongToWait() {
        HttpResponse response = WireCases.response(
                429, Map.of("Retry-After", "Thu, 01 Jan 2026 00:00:07 GMT"), "{\"error\":\"rate_limited\"}");

        assertThat(ErrorAnswers.coordinator(OPEN, response, NOW).retryAfter()).contains(Duration.ofSeconds(7));
        assertThat(ErrorAnswers.coordinator(OPEN, response, NOW).isRetryable()).isTrue();
        assertThat(ErrorAnswers.sts(TOKEN, response, NOW).retryAfter()).contains(Duration.ofSeconds(7));
    }

    /** A conflict with one's own lost attempt is neither a failure nor a success. */
    @Test
    void saysWhenTheOutcomeIsUnknown() {
        CoordinatorException conflict = ErrorAnswers.coordinator(
                OPEN, WireCases.response(409, "{\"error\":\"idempotency_key_conflict\",\"request_id\":\"r\"}"), NOW);
        CoordinatorException unknown = conflict.withOutcomeUnknown();

        assertThat(conflict.isOutcomeUnknown()).isFalse();
        assertThat(conflict).hasMessageContaining("use a key once");
        assertThat(unknown.isOutcomeUnknown()).isTrue();
        assertThat(unknown).hasMessageContaining("outcome is unknown").hasCause(conflict);
        assertThat(unknown.operation()).isEqualTo(conflict.operation());
        assertThat(unknown.code()).isEqualTo("idempotency_key_conflict");
        assertThat(unknown.requestId()).contains("r");
        assertThat(unknown.isSessionGone()).isFalse();
    }

    /** Denied, unavailable and waiting for a person are different types. */
    @Test
    void tellsDenialFromOutageFromApproval() {
        assertThat(sts(403, "access_denied")).isInstanceOf(StsException.AccessDenied.class);
        assertThat(sts(403, "sts_unavailable"))
                .isInstanceOf(StsException.ServiceUnavailable.class)
                .satisfies(e -> assertThat(e.isRetryable()).isTrue());
        ApprovalRequiredException approval = (ApprovalRequiredException) ErrorAnswers.sts(
                TOKEN,
                WireCases.response(
                        401,
                        "{\"error\":\"interaction_required\",\"approval_type\":\"human_approval\",\"approval_id\":\"ap\","
                                + "\"approval_expires_at\":\"2026-01-01T02:10:00+02:00\",\"state\":\"new-state\"}"),
                NOW);
        assertThat(approval.expiresAt()).contains(Instant.parse("2026-01-01T00:10:00Z"));
        ApprovalRequiredException named = approval.withResource("resource://x");
        assertThat(named.resource()).contains("resource://x");
        assertThat(named.approvalId()).isEqualTo("ap");
        assertThat(named.state()).contains("new-state");
        assertThat(named).hasMessageContaining("resource://x").hasMessageContaining("approval ap");
    }

    private static StsException sts(int status, String code) {
        return ErrorAnswers.sts(TOKEN, WireCases.response(status, "{\"error\":\"" + code + "\"}"), NOW);
    }
}
