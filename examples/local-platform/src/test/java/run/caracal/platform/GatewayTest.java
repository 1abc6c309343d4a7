package run.caracal.platform;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import reactor.netty.http.client.HttpClient;
import run.caracal.platform.Http.Result;

/** The Gateway as a client sees it: its checks in their order, the forwarded requests, and the audit log. */
final class GatewayTest {

    private static final String BILLING = "resource://billing-api";
    private static final String FIXED = "resource://fixed";
    private static final String DEAD = "resource://dead";
    private static final String SCOPE = "api:call";

    private final TestClock clock = new TestClock();
    private LocalPlatform platform = builder().start();
    private Delegated agent = delegated();

    private LocalPlatform.Builder builder() {
        return LocalPlatform.builder()
                .clock(clock)
                .application("app-local", "secret-1")
                .resource(ProtectedResource.of(BILLING, SCOPE))
                .resource(ProtectedResource.of(FIXED, SCOPE).withOperation("GET", "/echo"))
                .resource(ProtectedResource.of(DEAD, SCOPE).withUpstream("http://127.0.0.1:1/base"));
    }

    private Delegated delegated() {
        return Delegated.on(platform, List.of(BILLING, FIXED, DEAD), SCOPE);
    }

    private String mandate() {
        return agent.mandate(SCOPE, BILLING, FIXED, DEAD);
    }

    @AfterEach
    void stop() {
        platform.disposeLater().block(Duration.ofSeconds(5));
    }

    private void restart(LocalPlatform.Builder builder) {
        stop();
        platform = builder.start();
        agent = delegated();
    }

    /** A call with a new mandate, unless the headers say otherwise. */
    private Result call(String method, String path, @Nullable String body, String... headers) {
        Map<String, String> all = new LinkedHashMap<>();
        all.put("Authorization", "Bearer " + mandate());
        all.put("X-Caracal-Resource", BILLING);
        for (int i = 0; i < headers.length; i += 2) {
            all.put(headers[i], headers[i + 1]);
        }
        all.values().removeIf(String::isEmpty);
        return Http.send(method, platform.gatewayUrl() + path, body, all);
    }

    private static void assertError(Result result, int status, String code, String description) {
        assertThat(result.status()).as(result.body()).isEqualTo(status);
        assertThat(result.text("error")).isEqualTo(code);
        assertThat(result.text("error_description")).isEqualTo(description);
        assertThat(result.text("requestId"))
                .isEqualTo(result.header("x-request-id"))
                .isNotEmpty();
        assertThat(result.headers().firstValue("x-caracal-token-expires-in")).isEmpty();
        assertThat(result.headers().firstValue("www-authenticate")).isEmpty();
        assertThat(result.header("content-type")).isEqualTo("application/json");
    }

    /** A token with these claims and an invalid signature. */
    private static String unsigned(String claims) {
        Base64.Encoder encoder = Base64.getUrlEncoder().withoutPadding();
        return encoder.encodeToString("{\"alg\":\"ES256\",\"kid\":\"k\"}".getBytes(StandardCharsets.UTF_8)) + '.'
                + encoder.encodeToString(claims.getBytes(StandardCharsets.UTF_8)) + ".c2ln";
    }

    @Test
    void forwardsACallAndWritesItDown() {
        Result result = call("POST", "/charge", "{\"amount\":1200}", "X-Request-Id", "req-1");

        assertThat(result.status()).as(result.body()).isEqualTo(200);
        assertThat(result.json()).containsEntry("status", "charged").containsEntry("amount", 1200L);
        assertThat(result.header("x-request-id")).isEqualTo("req-1");
        assertThat(result.header("x-caracal-token-expires-in")).isEqualTo("899");
        assertThat(platform.audit().byRequestId("req-1"))
                .extracting(AuditEvent::eventType, AuditEvent::decision, AuditEvent::evaluationStatus)
                .containsExactly(
                        tuple("token_exchange", "allow", "complete"),
                        tuple("gateway_resource_request", "allow", "executed"));
        AuditEvent exchange = platform.audit().byRequestId("req-1").get(0);
        assertThat(exchange.determiningPolicies()).containsExactly("caracal-app-local-use");
        assertThat(exchange.applicationId()).isEqualTo("app-local");
        AuditEvent request = platform.audit().byRequestId("req-1").get(1);
        assertThat(request.resource()).isEqualTo(BILLING);
        assertThat(request.metadata())
                .containsEntry("method", "POST")
                .containsEntry("gateway_status", 200)
                .containsEntry("upstream_status", 200)
                .containsEntry("result_class", "success")
                .containsEntry("auth_mode", "caracal_jwt")
                .containsEntry("response_bytes", (long) result.body().length());
        assertThat((String) request.metadata().get("subject_fingerprint")).matches("[0-9a-f]{16}");
    }

    @Test
    void exchangesTheBearerForOneOfTheResource() {
        String bearer = mandate();
        assertThat(call("POST", "/charge", "{\"amount\":1}", "Authorization", "Bearer " + bearer)
                        .status())
                .isEqualTo(200);

        ReceivedRequest atGateway = platform.received(Service.GATEWAY).get(0);
        ReceivedRequest atUpstream = platform.received(Service.UPSTREAM).get(0);
        assertThat(atGateway.bearer()).contains(bearer);
        String token = atUpstream.bearer().orElseThrow();
        assertThat(token).isNotEqualTo(bearer);
        String claims = new String(Base64.getUrlDecoder().decode(token.split("\\.", -1)[1]), StandardCharsets.UTF_8);
        assertThat(claims)
                .contains(
                        "\"use\":\"resource\"",
                        "\"aud\":[\"resource://billing-api\"]",
                        "\"target\":[\"resource://billing-api\"]",
                        "\"client_id\":\"app-local\"");
        assertThat(atUpstream.toString()).isEqualTo("UPSTREAM POST /charge");
    }

    @Test
    void checksTheBearer() {
        assertError(call("GET", "/echo", null, "Authorization", ""), 401, "invalid_token", "missing bearer token");
        assertError(
                call("GET", "/echo", null, "Authorization", "Basic x"), 401, "invalid_token", "missing bearer token");
        assertError(
                call("GET", "/echo", null, "Authorization", "Bearer " + "x".repeat(4097)),
                401,
                "invalid_token",
                "bearer token too large");
        for (String malformed : List.of("x", "a.b", "a.!.c", unsigned("{\"exp\":\"soon\"}"), unsigned("[]"))) {
            assertError(
                    call("GET", "/echo", null, "Authorization", "Bearer " + malformed),
                    401,
                    "invalid_token",
                    "malformed bearer token");
        }
        long later = clock.instant().getEpochSecond() + 600;
        assertError(
                call("GET", "/echo", null, "Authorization", "Bearer " + unsigned("{\"exp\":" + later + "}")),
                401,
                "invalid_token",
                "missing token zone");
        assertError(
                call(
                        "GET",
                        "/echo",
                        null,
                        "Authorization",
                        "Bearer " + unsigned("{\"exp\":" + later + ",\"zone_id\":\"zone-local\"}")),
                401,
                "invalid_token",
                "missing token client");
        String claims = "{\"exp\":" + later + ",\"zone_id\":\"zone-local\",\"client_id\":\"app-local\"}";
        assertError(
                call("GET", "/echo", null, "Authorization", "Bearer " + unsigned(claims)),
                401,
                "invalid_token",
                "bearer signature invalid");
        assertThat(platform.received(Service.UPSTREAM)).isEmpty();
    }

    @Test
    void refusesABearerThatIsAboutToExpire() {
        String first = "Bearer " + mandate();
        String second = "Bearer " + mandate();
        clock.advance(Duration.ofSeconds(864));
        assertThat(call("GET", "/echo", null, "Authorization", first).status()).isEqualTo(200);
        clock.advance(Duration.ofSeconds(1));
        assertError(
                call("GET", "/echo", null, "Authorization", second),
                401,
                "credential_expired_not_renewable",
                "credential expiring within pre-flight window");
    }

    @Test
    void checksTheRouting() {
        assertError(
                call("GET", "/echo", null, "X-Caracal-Client-ID", "app"),
                400,
                "invalid_token",
                "client identity derives from the bearer token");
        assertError(
                call("GET", "/echo", null, "X-Caracal-Resource", ""), 400, "invalid_token", "missing routing headers");
        for (String path : List.of("/a/%2e%2e/echo", "/a/%252e%252e/echo", "/a%5c..%5cecho", "/%2e/echo")) {
            assertError(call("GET", path, null), 400, "invalid_token", "path traversal not permitted");
        }
        Result redirect = call("GET", "/a/../echo?x=1", null);
        assertThat(redirect.status()).isEqualTo(307);
        assertThat(redirect.header("location")).isEqualTo("/echo?x=1");
        assertThat(redirect.header("x-request-id")).isNotEmpty();
        assertThat(redirect.body()).isEqualTo("<a href=\"/echo?x=1\">Temporary Redirect</a>.\n\n");
        assertThat(call("POST", "/./echo?x=1&y=2", "x").body()).isEmpty();
    }

    @Test
    void deniesWhatThePolicyDenies() {
        assertError(
                call("GET", "/echo", null, "X-Caracal-Resource", "resource://none", "X-Request-Id", "req-none"),
                403,
                "access_denied",
                "policy denied");
        assertThat(platform.audit().byRequestId("req-none"))
                .extracting(AuditEvent::eventType, AuditEvent::decision, AuditEvent::evaluationStatus)
                .containsExactly(
                        tuple("token_exchange", "deny", "resource_not_found"),
                        tuple("token_exchange", "deny", "exchange_denied"));
        assertError(
                call("GET", "/charge", null, "X-Caracal-Resource", FIXED),
                403,
                "operation_not_permitted",
                "GET /charge is not permitted on resource://fixed");
        assertThat(call("GET", "/echo", null, "X-Caracal-Resource", FIXED).status())
                .isEqualTo(200);
        String other = "Bearer " + agent.mandate(SCOPE, BILLING);
        assertError(
                call("GET", "/echo", null, "X-Caracal-Resource", FIXED, "Authorization", other),
                403,
                "access_denied",
                "policy denied (mandate_target_mismatch)");
        String revoked = "Bearer " + mandate();
        platform.revokeTokens("app-local");
        assertError(call("GET", "/echo", null, "Authorization", revoked), 401, "invalid_token", "session revoked");
    }

    @Test
    void takesTheApplicationsTokenOnlyInTheFormOfJune() {
        String inUse = "Bearer " + Http.token(platform);
        for (int time = 0; time < 2; time++) {
            assertError(
                    call("GET", "/echo", null, "Authorization", inUse), 401, "invalid_token", "invalid subject_token");
        }
        restart(builder().gatewayMode(GatewayMode.SESSION_TOKEN));
        String token = "Bearer " + Http.token(platform);
        for (int time = 0; time < 2; time++) {
            assertThat(call("GET", "/echo", null, "Authorization", token).status())
                    .isEqualTo(200);
        }
        assertThat(platform.bearersSeen()).isEqualTo(new BearersSeen(0, 0));
    }

    @Test
    void refusesATokenOfTheResourceAndItsReplay() {
        assertThat(call("GET", "/echo", null).status()).isEqualTo(200);
        String resourceToken =
                platform.received(Service.UPSTREAM).get(0).bearer().orElseThrow();
        assertError(
                call("GET", "/echo", null, "Authorization", "Bearer " + resourceToken),
                401,
                "invalid_token",
                "invalid subject_token");
        assertError(
                call("GET", "/echo", null, "Authorization", "Bearer " + resourceToken, "X-Request-Id", "again"),
                401,
                "invalid_token",
                "token replay detected");
        assertThat(platform.audit().byRequestId("again"))
                .extracting(AuditEvent::eventType, AuditEvent::decision, AuditEvent::evaluationStatus)
                .containsExactly(tuple("replay_detected", "deny", "anomaly"));
    }

    @Test
    void stripsAndAddsHeaders() {
        String traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        Result echo = call(
                "PUT",
                "/echo?b=2&a=1%20x",
                "text",
                "X-Caracal-Other",
                "x",
                "X-Forwarded-For",
                "6.6.6.6",
                "Forwarded",
                "for=x",
                "X-Real-Ip",
                "6.6.6.6",
                "Baggage",
                "caracal.session=s,tenant=example",
                "Traceparent",
                traceparent,
                "Tracestate",
                "v=1",
                "Cookie",
                "c=1",
                "Accept",
                "text/csv");

        Map<String, @Nullable Object> body = echo.json();
        assertThat(body)
                .containsEntry("method", "PUT")
                .containsEntry("path", "/echo")
                .containsEntry("query", "a=1+x&b=2")
                .containsEntry("body", "text");
        @SuppressWarnings("unchecked")
        Map<String, Object> headers = (Map<String, Object>) Objects.requireNonNull(body.get("headers"));
        assertThat(headers)
                .containsEntry("baggage", List.of("tenant=example"))
                .containsEntry("traceparent", List.of(traceparent))
                .containsEntry("tracestate", List.of("v=1"))
                .containsEntry("cookie", List.of("c=1"))
                .containsEntry("accept", List.of("text/csv"))
                .containsEntry("x-forwarded-for", List.of("127.0.0.1"))
                .containsEntry("x-forwarded-proto", List.of("http"))
                .containsEntry("x-forwarded-host", List.of(platform.gatewayUrl().substring("http://".length())))
                .containsEntry("x-request-id", List.of(echo.header("x-request-id")))
                .containsEntry("host", List.of(platform.upstreamUrl().substring("http://".length())))
                .doesNotContainKeys("forwarded", "x-real-ip", "x-caracal-other", "x-caracal-resource");
    }

    @Test
    void replacesABadTraceparentAndABadRequestId() {
        Result echo = call("GET", "/echo", null, "Traceparent", "00-0-0-01", "X-Request-Id", "a b");
        assertThat(echo.body()).doesNotContain("00-0-0-01");
        assertThat(echo.header("x-request-id")).matches("[0-9a-f-]{36}");
    }

    @Test
    void doesNotFollowRedirects() {
        Result elsewhere = call("GET", "/status/302?location=http%3A%2F%2Fexample.com%2F", null);
        assertThat(elsewhere.status()).isEqualTo(302);
        assertThat(elsewhere.headers().firstValue("location")).isEmpty();
        assertThat(call("GET", "/status/302?location=%2Fecho", null).header("location"))
                .isEqualTo("/echo");
        assertThat(platform.received(Service.UPSTREAM)).hasSize(2);
    }

    @Test
    void passesStatusesAndEmptyAnswersOn() {
        for (int status : List.of(204, 304, 404, 500, 503)) {
            String requestId = "req-" + status;
            Result result = call("GET", "/status/" + status, null, "X-Request-Id", requestId);
            assertThat(result.status()).isEqualTo(status);
            assertThat(result.headers().firstValue("x-caracal-token-expires-in"))
                    .isPresent();
            assertThat(platform.audit().byRequestId(requestId))
                    .extracting(AuditEvent::evaluationStatus)
                    .containsExactly("complete", "executed");
        }
        assertThat(call("HEAD", "/echo", null).status()).isEqualTo(200);
        assertThat(call("DELETE", "/echo", null).status()).isEqualTo(200);
    }

    @Test
    void saysThatTheUpstreamIsUnreachableOrSlow() {
        assertError(
                call("GET", "/echo", null, "X-Caracal-Resource", DEAD, "X-Request-Id", "req-dead"),
                502,
                "internal_error",
                "upstream unreachable");
        assertThat(platform.audit().byRequestId("req-dead"))
                .extracting(AuditEvent::eventType, AuditEvent::evaluationStatus)
                .contains(tuple("gateway_resource_request", "upstream_error"));
        restart(builder()
                .limits(PlatformLimits.builder()
                        .upstreamTimeout(Duration.ofMillis(200))
                        .build()));
        assertError(call("GET", "/slow?ms=5000", null), 504, "internal_error", "upstream timeout");
        assertError(call("GET", "/echo?a=1;b=2", null), 400, "internal_error", "upstream request build failed");
    }

    @Test
    void limitsTheBody() {
        restart(builder()
                .limits(PlatformLimits.builder().gatewayBodyBytes(100_000).build()));
        assertThat(call("POST", "/echo", "x".repeat(100_000)).status()).isEqualTo(200);
        Result large = call("POST", "/echo", "x".repeat(200_000));
        assertError(large, 413, "payload_too_large", "request body too large");
        assertThat(large.header("connection")).isEqualTo("close");
    }

    @Test
    void streamsAnAnswerAsItComes() {
        List<Long> arrivals = new CopyOnWriteArrayList<>();
        String mandate = mandate();
        String all = HttpClient.create()
                .headers(headers ->
                        headers.set("Authorization", "Bearer " + mandate).set("X-Caracal-Resource", BILLING))
                .get()
                .uri(platform.gatewayUrl() + "/stream?count=3&ms=150")
                .responseContent()
                .asString()
                .doOnNext(piece -> arrivals.add(System.nanoTime()))
                .collect(Collectors.joining())
                .block(Duration.ofSeconds(5));
        assertThat(all).isEqualTo("data: 0\n\ndata: 1\n\ndata: 2\n\n");
        assertThat(arrivals.get(arrivals.size() - 1) - arrivals.get(0)).isGreaterThan(100_000_000L);
    }

    @Test
    void upstreamServesOnlyWhatCameThroughTheGateway() {
        Result direct = Http.send(
                "POST",
                platform.upstreamUrl() + "/charge",
                "{\"amount\":1}",
                Map.of("Authorization", "Bearer " + mandate()));
        assertThat(direct.status()).isEqualTo(401);
        assertThat(Http.get(platform.upstreamUrl() + "/echo").status()).isEqualTo(401);
        assertThat(call("POST", "/charge", "{\"amount\":\"x\"}").status()).isEqualTo(400);
    }
}
