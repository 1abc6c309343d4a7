package run.caracal.platform;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;

import com.nimbusds.jose.JWSObject;
import com.nimbusds.jose.crypto.ECDSAVerifier;
import com.nimbusds.jose.jwk.ECKey;
import com.nimbusds.jose.jwk.JWKSet;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import run.caracal.platform.Http.Result;

/** The STS as a client sees it: framing, authentication, grants, lifetimes, limits, error bodies. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
final class StsTest {

    private static final String OTHER = "resource://ledger-api";
    private static final String FOREIGN = "resource://payroll-api";
    private static final String ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token";

    private final TestClock clock = new TestClock();
    private final LocalPlatform platform = builder().start();

    private LocalPlatform.Builder builder() {
        return LocalPlatform.builder()
                .clock(clock)
                .application("app-local", "a secret")
                .resource(ProtectedResource.of("resource://billing-api", "billing:charge"))
                .resource(ProtectedResource.of(OTHER, "ledger:read"))
                .resource(ProtectedResource.of(FOREIGN, "payroll:run").withOwner("app-payroll"));
    }

    @AfterAll
    void stop() {
        platform.disposeLater().block(Duration.ofSeconds(5));
    }

    private Result exchange(Consumer<Map<String, List<String>>> change, String... headers) {
        Map<String, List<String>> form = Http.tokenForm(platform);
        change.accept(form);
        Map<String, String> all = new LinkedHashMap<>();
        for (int i = 0; i < headers.length; i += 2) {
            all.put(headers[i], headers[i + 1]);
        }
        return Http.form(Http.tokenUrl(platform), form, all);
    }

    @Test
    void applicationTokenHasTheClaimsOfASessionMandate() throws Exception {
        Result result = exchange(form -> form.put("resource", List.of(OTHER, "resource://billing-api", OTHER)));

        assertThat(result.status()).isEqualTo(200);
        assertThat(result.header("content-type")).isEqualTo("application/json");
        assertThat(result.header("x-request-id")).isNotEmpty();
        assertThat(result.json())
                .containsEntry("token_type", "Bearer")
                .containsEntry("expires_in", 900L)
                .containsEntry("scope", "agent:lifecycle")
                .containsEntry("issued_token_type", ACCESS_TOKEN)
                .containsEntry("target_resources", List.of("resource://billing-api", OTHER));

        JWSObject token = JWSObject.parse(result.text("access_token"));
        ECKey key = JWKSet.parse(Http.get(platform.stsUrl() + "/.well-known/jwks.json?zone_id=zone-local")
                        .body())
                .getKeyByKeyId(token.getHeader().getKeyID())
                .toECKey();
        assertThat(token.verify(new ECDSAVerifier(key))).isTrue();
        assertThat(token.getHeader().toJSONObject())
                .containsEntry("alg", "ES256")
                .containsEntry("typ", "JWT");
        Map<String, Object> claims = token.getPayload().toJSONObject();
        long now = clock.instant().getEpochSecond();
        assertThat(claims)
                .containsEntry("iss", platform.stsUrl())
                .containsEntry("sub", "app-local")
                .containsEntry("client_id", "app-local")
                .containsEntry("aud", List.of(platform.stsUrl()))
                .containsEntry("iat", now)
                .containsEntry("exp", now + 900)
                .containsEntry("zone_id", "zone-local")
                .containsEntry("use", "session")
                .containsEntry("sub_type", "application")
                .containsEntry("scope", "agent:lifecycle")
                .containsEntry("target", List.of("resource://billing-api", OTHER))
                .doesNotContainKey("nbf");
        assertThat(claims.get("root_sid")).isEqualTo(claims.get("sid"));
        assertThat((String) claims.get("jti")).matches("[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-.{12}");
    }

    static Stream<Arguments> framing() {
        return Stream.of(
                refused("no grant type", f -> f.remove("grant_type"), 400, "invalid_token", "unsupported grant_type"),
                refused(
                        "other grant type",
                        f -> f.put("grant_type", List.of("client_credentials")),
                        400,
                        "invalid_token",
                        "unsupported grant_type"),
                refused(
                        "a field twice",
                        f -> f.put("scope", List.of("a", "b")),
                        400,
                        "invalid_token",
                        "duplicate form field: scope"),
                refused(
                        "an unknown field twice",
                        f -> f.put("audience", List.of("a", "b")),
                        400,
                        "invalid_token",
                        "duplicate form field: audience"),
                refused("an actor", f -> f.put("actor_token", List.of("")), 400, "invalid_token", null),
                refused("an assertion", f -> f.put("client_assertion", List.of("x")), 400, "invalid_token", null),
                refused(
                        "no number as ttl",
                        f -> f.put("ttl_seconds", List.of("soon")),
                        400,
                        "invalid_token",
                        "invalid ttl_seconds"),
                refused(
                        "a negative ttl",
                        f -> f.put("ttl_seconds", List.of("-1")),
                        400,
                        "invalid_token",
                        "ttl_seconds must be positive"),
                refused(
                        "a ttl above the cap",
                        f -> f.put("ttl_seconds", List.of("3601")),
                        400,
                        "invalid_token",
                        "ttl_seconds exceeds token TTL cap"),
                refused(
                        "a blank resource",
                        f -> f.put("resource", List.of("resource://billing-api", " ")),
                        400,
                        "invalid_token",
                        "resource must not be empty"),
                refused(
                        "no resource",
                        f -> f.remove("resource"),
                        400,
                        "invalid_token",
                        "at least one resource is required"),
                refused(
                        "a subject without its type",
                        f -> f.put("subject_token", List.of("x")),
                        400,
                        "invalid_token",
                        null),
                refused(
                        "an unknown subject type",
                        f -> f.put("subject_token_type", List.of("x")),
                        400,
                        "invalid_token",
                        null),
                refused(
                        "a subject that is no token of the zone",
                        f -> {
                            f.put("subject_token", List.of("x"));
                            f.put("subject_token_type", List.of(ACCESS_TOKEN));
                        },
                        401,
                        "invalid_token",
                        "invalid subject_token"),
                refused(
                        "a wrong secret",
                        f -> f.put("client_secret", List.of("wrong")),
                        401,
                        "access_denied",
                        "invalid client credentials"),
                refused(
                        "no secret",
                        f -> f.remove("client_secret"),
                        401,
                        "access_denied",
                        "invalid client credentials"),
                refused(
                        "an unknown application",
                        f -> f.put("application_id", List.of("nobody")),
                        401,
                        "access_denied",
                        "invalid client credentials"),
                refused("no zone", f -> f.remove("zone_id"), 401, "access_denied", "invalid client credentials"),
                refused(
                        "another zone",
                        f -> f.put("zone_id", List.of("zone-2")),
                        403,
                        "zone_invalid",
                        "application is registered in zone zone-local but the request targeted zone zone-2; use credentials"
                                + " issued for the targeted zone or correct the zone_id"),
                refused(
                        "an unknown resource",
                        f -> f.put("resource", List.of("resource://none")),
                        403,
                        "access_denied",
                        "policy denied"),
                refused(
                        "a scope the resource does not know",
                        f -> f.put("scope", List.of("ledger:read")),
                        403,
                        "access_denied",
                        "policy denied"),
                refused(
                        "a business scope without a session",
                        f -> f.put("scope", List.of("billing:charge")),
                        403,
                        "access_denied",
                        "policy denied (no_rule_matched)"),
                refused("no scope", f -> f.remove("scope"), 403, "access_denied", "policy denied (no_rule_matched)"),
                refused(
                        "lifecycle and another scope",
                        f -> f.put("scope", List.of("agent:lifecycle billing:charge")),
                        403,
                        "access_denied",
                        "policy denied (no_rule_matched)"),
                refused(
                        "a resource of another application",
                        f -> f.put("resource", List.of(FOREIGN)),
                        403,
                        "access_denied",
                        "policy denied (no_rule_matched)"),
                refused(
                        "a delegation without a session",
                        f -> f.put("delegation_edge_id", List.of("d")),
                        403,
                        "access_denied",
                        "delegation requires a target Session"),
                refused(
                        "a session that is none",
                        f -> f.put("agent_session_id", List.of("s")),
                        403,
                        "access_denied",
                        "session inactive or expired"));
    }

    private static Arguments refused(
            String what,
            Consumer<Map<String, List<String>>> change,
            int status,
            String code,
            @Nullable String description) {
        return Arguments.of(what, change, status, code, description);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("framing")
    void refusesWithThePlatformsError(
            String what,
            Consumer<Map<String, List<String>>> change,
            int status,
            String code,
            @Nullable String description) {
        Result result = exchange(change, "X-Request-Id", "req-1");

        assertThat(result.status()).as(result.body()).isEqualTo(status);
        assertThat(result.text("error")).isEqualTo(code);
        assertThat(result.text("requestId")).isEqualTo("req-1");
        assertThat(result.header("x-request-id")).isEqualTo("req-1");
        assertThat(result.text("error_description")).isNotBlank();
        if (description != null) {
            assertThat(result.text("error_description")).isEqualTo(description);
        }
        assertThat(result.headers().firstValue("retry-after")).isEmpty();
    }

    @Test
    void checksTheRequestsFrame() {
        String url = Http.tokenUrl(platform);
        String good = Http.encode(Http.tokenForm(platform));
        Map<String, String> form = Map.of("Content-Type", "application/x-www-form-urlencoded; charset=utf-8");

        assertThat(Http.send("POST", url, good, form).status()).isEqualTo(200);
        assertThat(Http.send("POST", url + "?a=b", good, form).text("error_description"))
                .isEqualTo("query parameters are not allowed");
        Result json = Http.send("POST", url, "{}", Map.of("Content-Type", "application/json"));
        assertThat(json.status()).isEqualTo(415);
        assertThat(json.text("error")).isEqualTo("invalid_token");
        Result large = Http.send("POST", url, "a=" + "x".repeat(65_536), form);
        assertThat(large.status()).isEqualTo(413);
        assertThat(large.text("error")).isEqualTo("payload_too_large");
        assertThat(Http.send("POST", url, "a=%zz", form).text("error_description"))
                .isEqualTo("malformed request body");
        Result forged = exchange(f -> {}, "X-Caracal-Gateway-Signature", "x");
        assertThat(forged.status()).isEqualTo(401);
        assertThat(forged.text("error_description")).isEqualTo("invalid gateway exchange signature");
        assertThat(Http.get(url).status()).isEqualTo(405);
        assertThat(Http.get(platform.stsUrl() + "/other").status()).isEqualTo(404);
        assertThat(Http.get(platform.stsUrl() + "/health").status()).isEqualTo(200);
    }

    @Test
    void grantsWhatItCanOfSeveralResources() {
        Result result = exchange(
                form -> form.put("resource", List.of("resource://billing-api", FOREIGN, "resource://none")),
                "X-Request-Id",
                "req-partial");

        assertThat(result.json()).containsEntry("target_resources", List.of("resource://billing-api"));
        assertThat(platform.audit().byRequestId("req-partial"))
                .extracting(AuditEvent::resource, AuditEvent::decision, AuditEvent::evaluationStatus)
                .containsExactly(
                        tuple("resource://billing-api", "allow", "complete"),
                        tuple("resource://none", "deny", "resource_not_found"),
                        tuple(FOREIGN, "deny", "complete"));
    }

    @Test
    void writesDecisionsToTheAuditLog() {
        assertThat(exchange(form -> {}, "X-Request-Id", "req-audit").status()).isEqualTo(200);

        assertThat(platform.audit().byRequestId("req-audit")).singleElement().satisfies(event -> {
            assertThat(event.eventType()).isEqualTo("token_exchange");
            assertThat(event.decision()).isEqualTo("allow");
            assertThat(event.applicationId()).isEqualTo("app-local");
            assertThat(event.resource()).isEqualTo("resource://billing-api");
            assertThat(event.requestedScopes()).containsExactly("agent:lifecycle");
            assertThat(event.determiningPolicies()).containsExactly("caracal-bootstrap");
            assertThat(event.policySetId()).isNotBlank();
            assertThat(event.policySetVersionId()).isNotBlank();
        });
    }

    @Test
    void honoursTheLifetimeThatIsAskedFor() {
        assertThat(exchange(form -> form.put("ttl_seconds", List.of("60"))).json())
                .containsEntry("expires_in", 60L);
        assertThat(exchange(form -> form.put("ttl_seconds", List.of("0"))).json())
                .containsEntry("expires_in", 900L);
        assertThat(exchange(form -> form.put("ttl_seconds", List.of("3600"))).json())
                .containsEntry("expires_in", 3600L);
    }

    @Test
    void blocksAnApplicationAfterTooManyWrongSecrets() {
        LocalPlatform guarded = builder().start();
        try {
            List<Integer> statuses = new ArrayList<>();
            Map<String, List<String>> wrong = Http.tokenForm(guarded);
            wrong.put("client_secret", List.of("wrong"));
            for (int i = 0; i < 62; i++) {
                statuses.add(Http.form(Http.tokenUrl(guarded), wrong, Map.of()).status());
            }
            assertThat(statuses.subList(0, 61)).containsOnly(401);
            assertThat(statuses.get(61)).isEqualTo(429);
            Result blocked = Http.form(Http.tokenUrl(guarded), Http.tokenForm(guarded), Map.of());
            assertThat(blocked.status()).isEqualTo(429);
            assertThat(blocked.text("error")).isEqualTo("provider_rate_limited");
            assertThat(blocked.text("error_description")).isEqualTo("authentication rate limit exceeded");
            clock.advance(Duration.ofSeconds(61));
            assertThat(Http.token(guarded)).isNotEmpty();
        } finally {
            guarded.disposeLater().block(Duration.ofSeconds(5));
        }
    }

    @Test
    void deniesWhenTheMintsOfAMinuteAreUsedUp() {
        LocalPlatform limited = builder()
                .limits(PlatformLimits.builder().mintsPerMinute(2).build())
                .start();
        try {
            Map<String, List<String>> form = Http.tokenForm(limited);
            String url = Http.tokenUrl(limited);
            assertThat(Http.form(url, form, Map.of()).status()).isEqualTo(200);
            assertThat(Http.form(url, form, Map.of()).status()).isEqualTo(200);
            Result third = Http.form(url, form, Map.of("X-Request-Id", "req-limit"));
            assertThat(third.status()).isEqualTo(403);
            assertThat(third.text("error_description")).isEqualTo("policy denied");
            assertThat(limited.audit().byRequestId("req-limit"))
                    .extracting(AuditEvent::evaluationStatus)
                    .containsExactly("rate_limited", "exchange_denied");
            clock.advance(Duration.ofMinutes(1));
            assertThat(Http.form(url, form, Map.of()).status()).isEqualTo(200);
        } finally {
            limited.disposeLater().block(Duration.ofSeconds(5));
        }
    }

    @Test
    void publishesItsKeys() {
        String url = platform.stsUrl() + "/.well-known/jwks.json";
        Result keys = Http.get(url + "?zone_id=zone-local");
        assertThat(keys.status()).isEqualTo(200);
        assertThat(keys.header("cache-control")).isEqualTo("public, max-age=300, must-revalidate");
        assertThat(keys.header("x-content-type-options")).isEqualTo("nosniff");
        assertThat(keys.body())
                .contains("\"kty\":\"EC\"", "\"crv\":\"P-256\"", "\"alg\":\"ES256\"")
                .doesNotContain("\"d\"");

        Result none = Http.get(url);
        assertThat(none.status()).isEqualTo(400);
        assertThat(none.text("error")).isEqualTo("invalid_token");
        assertThat(none.json()).doesNotContainKey("requestId");
        Result other = Http.get(url + "?zone_id=zone-2");
        assertThat(other.status()).isEqualTo(404);
        assertThat(other.text("error")).isEqualTo("resource_not_found");
    }
}
