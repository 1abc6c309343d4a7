package run.caracal.platform;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;

import io.netty.buffer.Unpooled;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Flux;
import reactor.netty.DisposableServer;
import reactor.netty.http.server.HttpServer;
import run.caracal.platform.Http.Result;

/** Details of the real platform's answers that show only on the wire, or in the audit log. */
final class RealDetailsTest {

    private static final String BILLING = "resource://billing-api";
    private static final String SHUT = "resource://shut";
    private static final String LONG = "resource://long";
    private static final String UNDELEGATED = "resource://undelegated";

    private final DisposableServer pieces = HttpServer.create()
            .host("127.0.0.1")
            .port(0)
            .handle((request, response) -> response.header("Content-Length", "1000000")
                    .send(
                            Flux.range(0, 1_000)
                                    .map(i -> Unpooled.copiedBuffer("a piece, ".repeat(100), StandardCharsets.US_ASCII))
                                    .delayElements(Duration.ofMillis(20)),
                            piece -> true)
                    .then())
            .bindNow();
    private final LocalPlatform platform = LocalPlatform.builder()
            .limits(PlatformLimits.builder().revocationDelay(Duration.ZERO).build())
            .resource(ProtectedResource.of(BILLING, "api:call"))
            .resource(ProtectedResource.of(SHUT, "api:call").withUpstream("http://169.254.169.254"))
            .resource(ProtectedResource.of(LONG, "api:call").withUpstream("http://127.0.0.1:" + pieces.port()))
            .resource(ProtectedResource.of(UNDELEGATED, "api:call"))
            .start();
    private final Delegated agent = Delegated.on(platform, List.of(BILLING, SHUT, LONG), "api:call");

    @AfterEach
    void stop() {
        platform.disposeLater().block(Duration.ofSeconds(5));
        pieces.disposeNow();
    }

    @Test
    void aRevocationCutsAnAnswerUnderWayAndTheTrailerSaysSo() throws IOException {
        try (Socket socket = connect(platform.gatewayUrl())) {
            write(socket, gatewayRequest("GET", "/stream?count=1000&ms=20", ""));
            String head = readUntil(socket, "data: 1\n");
            assertThat(head).contains("Trailer: X-Caracal-Revoked").contains("transfer-encoding: chunked");
            revoke();
            String rest = readUntil(socket, "\r\n0\r\n");
            String trailers = readUntil(socket, "\r\n\r\n");

            assertThat(trailers).isEqualToIgnoringCase("x-caracal-revoked: true\r\n\r\n");
            assertThat(head + rest).doesNotContain("data: 999");
        }
        assertThat(platform.audit().events()).last().satisfies(event -> {
            assertThat(event.evaluationStatus()).isEqualTo("executed");
            assertThat(event.metadata()).containsEntry("revocation_interrupted", true);
        });
    }

    /** A body with an announced length has no trailer: the client detects the truncation by its length. */
    @Test
    void aRevocationCutsAnAnswerOfAKnownLengthShort() throws IOException {
        try (Socket socket = connect(platform.gatewayUrl())) {
            write(socket, gatewayRequest("GET", "/", "", LONG));
            String begin = readUntil(socket, "a piece, ");
            assertThat(begin).startsWith("HTTP/1.1 200 ").containsIgnoringCase("content-length: 1000000");
            revoke();
            assertThat(readUntil(socket, null)).hasSizeLessThan(100_000);
        }
    }

    @Test
    void theEndOfASessionCutsNothing() throws IOException {
        try (Socket socket = connect(platform.gatewayUrl())) {
            write(socket, gatewayRequest("GET", "/stream?count=30&ms=20", ""));
            String head = readUntil(socket, "data: 1\n");
            assertThat(head).contains("200 OK");
            assertThat(Http.agents(platform, Http.token(platform), "DELETE", "/" + agent.session(), null)
                            .status())
                    .isEqualTo(204);
            assertThat(readUntil(socket, "0\r\n\r\n")).contains("data: 29");
        }
    }

    @Test
    void whatIsNoHttpIsRefusedAsTheServicesLibraryDoes() throws IOException {
        assertThat(exchange(platform.coordinatorUrl(), "nonsense\r\n\r\n"))
                .startsWith("HTTP/1.1 400 ")
                .endsWith("{\"error\":\"Bad Request\",\"message\":\"Client Error\",\"statusCode\":400}");
        assertThat(exchange(platform.stsUrl(), "nonsense\r\n\r\n"))
                .startsWith("HTTP/1.1 400 ")
                .contains("text/plain; charset=utf-8")
                .endsWith("400 Bad Request");
    }

    @Test
    void headersHaveTheRoomThatEachServiceGives() throws IOException {
        assertThat(exchange(platform.gatewayUrl(), get("/health", "x-padding: " + "x".repeat(19_800))))
                .startsWith("HTTP/1.1 200 ");
        assertThat(exchange(platform.gatewayUrl(), get("/health", "x-padding: " + "x".repeat(20_500))))
                .startsWith("HTTP/1.1 431 ");
        assertThat(exchange(platform.coordinatorUrl(), get("/health", "x-padding: " + "x".repeat(15_800))))
                .startsWith("HTTP/1.1 200 ");
        assertThat(exchange(platform.coordinatorUrl(), get("/health", "x-padding: " + "x".repeat(17_000))))
                .startsWith("HTTP/1.1 431 ")
                .contains("\"statusCode\":431");
    }

    @Test
    void aBodyThatIsTooLargeEndsTheConnection() throws IOException {
        String body = "x".repeat(70_000);
        assertThat(exchange(
                        platform.stsUrl(),
                        "POST /oauth/2/token HTTP/1.1\r\nhost: sts\r\n"
                                + "content-type: application/x-www-form-urlencoded\r\ncontent-length: 70000\r\n\r\n"
                                + body))
                .startsWith("HTTP/1.1 413 ")
                .containsIgnoringCase("connection: close")
                .endsWith("}\n");
    }

    @Test
    void anErrorOfAGoServiceEndsInANewline() {
        assertThat(Http.get(platform.gatewayUrl() + "/charge").body()).endsWith("}\n");
        assertThat(Http.get(platform.stsUrl() + "/approvals/x").body()).endsWith("}\n");
        assertThat(Http.get(platform.coordinatorUrl() + "/zones/z/agents").body())
                .endsWith("}");
    }

    @Test
    void theGatewayHasRoutesOfItsOwn() {
        Result metrics = Http.get(platform.gatewayUrl() + "/metrics");
        assertThat(metrics.status()).isEqualTo(401);
        assertThat(metrics.header("content-type")).startsWith("text/plain");
        Result reload = Http.send(
                "POST",
                platform.gatewayUrl() + "/internal/revocations/reload",
                null,
                Map.of("Authorization", "Bearer " + mandate()));
        assertThat(reload.status()).isEqualTo(404);
        assertThat(reload.header("content-type")).startsWith("text/plain");
        assertThat(reload.header("x-content-type-options")).isEqualTo("nosniff");
    }

    @Test
    void theRouterOfTheGoServicesAnswersByItself() throws IOException {
        for (String url : List.of(platform.stsUrl(), platform.gatewayUrl())) {
            assertThat(exchange(url, "GET /a/.//health?a=1&b HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"))
                    .startsWith("HTTP/1.1 307 ")
                    .containsIgnoringCase("location: /a/health?a=1&b\r\n")
                    .endsWith("<a href=\"/a/health?a=1&amp;b\">Temporary Redirect</a>.\n\n");
        }
        assertThat(exchange(
                        platform.stsUrl(),
                        "POST //oauth/2/token HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"))
                .startsWith("HTTP/1.1 307 ")
                .containsIgnoringCase("location: /oauth/2/token\r\n")
                .endsWith("\r\n\r\n");
        for (String path : List.of("/health", "/.well-known/jwks.json", "/approvals/x")) {
            Result refused = Http.send("PUT", platform.stsUrl() + path, null, Map.of());
            assertThat(refused.status()).isEqualTo(405);
            assertThat(refused.header("allow")).isEqualTo("GET, HEAD");
            assertThat(refused.header("x-content-type-options")).isEqualTo("nosniff");
        }
    }

    @Test
    void answersWithoutABodySayNothingAboutOne() throws IOException {
        assertThat(exchange(platform.gatewayUrl(), gatewayRequest("HEAD", "/stream?count=3", "connection: close\r\n")))
                .startsWith("HTTP/1.1 200 ")
                .doesNotContainIgnoringCase("transfer-encoding");
        assertThat(exchange(platform.gatewayUrl(), gatewayRequest("GET", "/status/304", "connection: close\r\n")))
                .startsWith("HTTP/1.1 304 ")
                .doesNotContainIgnoringCase("content-type")
                .doesNotContainIgnoringCase("transfer-encoding");
    }

    @Test
    void theUpstreamSeesWhatGosClientSends() throws IOException {
        String bare = exchange(
                platform.gatewayUrl(), gatewayRequest("POST", "/echo", "content-length: 0\r\nconnection: close\r\n"));
        assertThat(bare)
                .contains("\"user-agent\":[\"Go-http-client/1.1\"]")
                .contains("\"accept-encoding\":[\"gzip\"]")
                .contains("\"transfer-encoding\":[\"chunked\"]")
                .doesNotContain("\"accept\":");
        String own = exchange(
                platform.gatewayUrl(),
                gatewayRequest("GET", "/echo", "user-agent: agent/1\r\naccept-encoding: br\r\nconnection: close\r\n"));
        assertThat(own)
                .contains("\"user-agent\":[\"agent/1\"]")
                .contains("\"accept-encoding\":[\"br\"]")
                .doesNotContain("\"transfer-encoding\"");
        String expecting = exchange(
                platform.gatewayUrl(),
                gatewayRequest("POST", "/echo", "content-length: 2\r\nexpect: 100-continue\r\nconnection: close\r\n")
                        + "{}");
        assertThat(expecting).contains("\"expect\":[\"100-continue\"]").contains("\"body\":\"{}\"");
    }

    @Test
    void aQueryWithASemicolonIsNotPassedOn() throws IOException {
        assertThat(exchange(platform.gatewayUrl(), gatewayRequest("GET", "/echo?a=1;b=2", "connection: close\r\n")))
                .startsWith("HTTP/1.1 400 ")
                .contains("upstream request build failed");
    }

    @Test
    void anUpstreamThatIsNoHostIsRejected() {
        Result result = Http.send(
                "GET",
                platform.gatewayUrl() + "/latest",
                null,
                Map.of(
                        "Authorization",
                        "Bearer " + agent.mandate("api:call", SHUT),
                        "X-Caracal-Resource",
                        SHUT,
                        "X-Request-Id",
                        "req-shut"));
        assertThat(result.status()).isEqualTo(502);
        assertThat(result.text("error_description")).isEqualTo("upstream not addressable");
        assertThat(platform.audit().byRequestId("req-shut"))
                .extracting(AuditEvent::eventType, AuditEvent::evaluationStatus)
                .containsExactly(
                        tuple("token_exchange", "complete"), tuple("gateway_resource_request", "upstream_rejected"));
    }

    @Test
    void theRowsOfACallSayWhoTheyAreAbout() {
        String mandate = mandate();
        Map<String, String> headers =
                Map.of("Authorization", "Bearer " + mandate, "X-Caracal-Resource", BILLING, "X-Request-Id", "req-rows");
        assertThat(Http.send("GET", platform.gatewayUrl() + "/echo", null, headers)
                        .status())
                .isEqualTo(200);
        assertThat(Http.send("GET", platform.gatewayUrl() + "/echo", null, headers)
                        .status())
                .isEqualTo(401);
        List<AuditEvent> rows = platform.audit().byRequestId("req-rows");
        assertThat(rows)
                .extracting(AuditEvent::eventType)
                .containsExactly("token_exchange", "gateway_resource_request", "replay_detected");
        assertThat(rows.get(0).metadata()).doesNotContainKey("trace_id");
        assertThat(rows.get(1).metadata()).containsKeys("trace_id", "provider_id");
        assertThat(rows.get(2).metadata()).containsOnlyKeys("client_id", "request_id", "subject_fp");
        assertThat(platform.audit().events())
                .filteredOn(event -> event.determiningPolicies().toString().contains("-mint"))
                .last()
                .satisfies(event -> assertThat(event.metadata())
                        .containsEntry("session_id", Http.claims(mandate).get("sid")));
    }

    @Test
    void whatIsRefusedBeforeThePolicyIsNotAudited() {
        int before = platform.audit().events().size();
        Map<String, List<String>> beyond = agent.form("api:other");
        assertThat(Http.form(Http.tokenUrl(platform), beyond, Map.of()).status())
                .isEqualTo(403);
        Map<String, List<String>> outside = agent.form("api:call");
        outside.put("resource", List.of(UNDELEGATED));
        assertThat(Http.form(Http.tokenUrl(platform), outside, Map.of()).status())
                .isEqualTo(403);
        Map<String, String> headers =
                Map.of("Authorization", "Bearer " + Http.token(platform), "X-Caracal-Resource", BILLING);
        int bootstrapped = platform.audit().events().size();
        assertThat(bootstrapped).isEqualTo(before + 1);
        assertThat(Http.send("GET", platform.gatewayUrl() + "/echo", null, headers)
                        .status())
                .isEqualTo(401);
        assertThat(platform.audit().events()).hasSize(bootstrapped);
    }

    @Test
    void theBodyOfAJsonNullIsNoObject() {
        Result result = Http.agents(platform, Http.token(platform), "POST", "", "null");
        assertThat(result.body()).contains("Invalid input: expected object, received null");
        assertThat(Http.agents(
                                platform,
                                Http.token(platform),
                                "POST",
                                "",
                                "{\"application_id\":\"\",\"labels\":[1],\"ttl_seconds\":1.5,\"metadata\":[]}")
                        .body())
                .contains("Too small: expected string to have >=1 characters")
                .contains("Invalid input: expected string, received number")
                .contains("Invalid input: expected int, received number")
                .contains("Invalid input: expected record, received array");
    }

    @Test
    void whoeverAsksLearnsWhetherATokenIsGood() {
        String url = platform.coordinatorUrl() + "/v1/verify";
        Map<String, String> json = Map.of("Content-Type", "application/json");
        String zone = platform.zoneId();
        String token = Http.token(platform);
        assertThat(Http.send("POST", url, Http.json("authorization", "Bearer " + token, "zone_id", zone), json)
                        .json())
                .containsEntry("valid", true);
        for (String body : List.of(
                Http.json("token", mandate(), "zone_id", zone),
                Http.json("token", token, "zone_id", "other"),
                Http.json("token", token, "zone_id", zone, "required_scope", "x"),
                Http.json("token", token, "zone_id", zone, "require_session", true))) {
            Result refused = Http.send("POST", url, body, json);
            assertThat(refused.status()).isEqualTo(401);
            assertThat(refused.json()).isEqualTo(Map.of("valid", false, "error", "token_invalid"));
        }
        assertThat(Http.send("POST", url, Http.json("zone_id", zone), json).text("error"))
                .isEqualTo("missing_token");
        assertThat(Http.send("POST", url, Http.json("token", token, "zone_id", zone, "x", 1), json)
                        .text("error"))
                .isEqualTo("invalid_request");
    }

    private String mandate() {
        return mandate(BILLING);
    }

    private String mandate(String resource) {
        return agent.mandate("api:call", resource);
    }

    private void revoke() {
        String edge = platform.delegations().get(0).id();
        assertThat(Http.coordinator(platform, Http.token(platform), "PATCH", "/delegations/" + edge + "/revoke", null)
                        .status())
                .isEqualTo(200);
    }

    private static String get(String path, String header) {
        return "GET " + path + " HTTP/1.1\r\nhost: x\r\n" + header + "\r\nconnection: close\r\n\r\n";
    }

    private String gatewayRequest(String method, String path, String headers) {
        return gatewayRequest(method, path, headers, BILLING);
    }

    private String gatewayRequest(String method, String path, String headers, String resource) {
        return method + " " + path + " HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer " + mandate(resource)
                + "\r\nx-caracal-resource: " + resource + "\r\n" + headers + "\r\n";
    }

    private static Socket connect(String url) throws IOException {
        Socket socket =
                new Socket(InetAddress.getLoopbackAddress(), URI.create(url).getPort());
        socket.setSoTimeout(10_000);
        return socket;
    }

    private static void write(Socket socket, String text) throws IOException {
        socket.getOutputStream().write(text.getBytes(StandardCharsets.US_ASCII));
    }

    /** Reads until the server closes the connection. */
    private static String exchange(String url, String request) throws IOException {
        try (Socket socket = connect(url)) {
            write(socket, request);
            return readUntil(socket, null);
        }
    }

    private static String readUntil(Socket socket, @Nullable String end) throws IOException {
        InputStream in = socket.getInputStream();
        ByteArrayOutputStream read = new ByteArrayOutputStream();
        int next = in.read();
        while (next >= 0) {
            read.write(next);
            if (end != null && read.toString(StandardCharsets.UTF_8).endsWith(end)) {
                break;
            }
            next = in.read();
        }
        return read.toString(StandardCharsets.UTF_8);
    }
}
