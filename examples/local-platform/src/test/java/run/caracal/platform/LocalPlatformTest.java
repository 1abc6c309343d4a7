package run.caracal.platform;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.tomlj.Toml;
import org.tomlj.TomlParseResult;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.netty.ByteBufFlux;
import reactor.netty.http.client.HttpClient;
import reactor.test.StepVerifier;
import run.caracal.Caracal;
import run.caracal.GatewayRequest;
import run.caracal.netty.CaracalHttp;
import run.caracal.platform.Http.Result;

/** The local platform as a program uses it: start, settings for clients, faults, recorded requests, its end. */
final class LocalPlatformTest {

    private static final String START = "{\"application_id\":\"app-local\"}";

    private final LocalPlatform platform = LocalPlatform.builder().start();

    @AfterEach
    void stop() {
        platform.disposeLater().block(Duration.ofSeconds(5));
    }

    @Test
    void startsQuickly() {
        StepVerifier.create(LocalPlatform.builder().startLater().flatMap(other -> {
                    assertThat(other.stsUrl()).isNotEqualTo(platform.stsUrl());
                    assertThat(other.clientSecret()).isNotEqualTo(platform.clientSecret());
                    return other.disposeLater();
                }))
                .expectComplete()
                .verify(Duration.ofSeconds(3));
    }

    @Test
    void saysThatAPortIsTaken() throws IOException {
        try (ServerSocket taken = new ServerSocket(0)) {
            LocalPlatform.Builder builder = LocalPlatform.builder().ports(new Ports(0, taken.getLocalPort(), 0, 0, 0));
            assertThatThrownBy(builder::start).hasMessageContaining(Integer.toString(taken.getLocalPort()));
        }
    }

    @Test
    void writesAProfileForItsClients(@TempDir Path directory) throws IOException {
        Path profile = platform.writeProfile(directory.resolve("new"));

        TomlParseResult toml = Toml.parse(profile);
        assertThat(toml.errors()).isEmpty();
        assertThat(toml.getString("zone_id")).isEqualTo(platform.zoneId());
        assertThat(toml.getString("application_id")).isEqualTo(platform.applicationId());
        assertThat(toml.getString("sts_url")).isEqualTo(platform.stsUrl());
        assertThat(toml.getString("coordinator_url")).isEqualTo(platform.coordinatorUrl());
        assertThat(toml.getString("gateway_url")).isEqualTo(platform.gatewayUrl());
        assertThat(toml.getArrayOrEmpty("credentials").getTable(0).getString("resource"))
                .isEqualTo("resource://billing-api");
        assertThat(toml.getArrayOrEmpty("credentials").getTable(0).getString("upstream_prefix"))
                .isEqualTo(platform.upstreamUrl());
        assertThat(toml.getArrayOrEmpty("credentials")
                        .getTable(0)
                        .getArrayOrEmpty("scopes")
                        .toList())
                .isEqualTo(List.of("billing:charge", "billing:read"));
        Path secret = Path.of(toml.getString("app_client_secret_file", () -> ""));
        assertThat(secret).hasContent(platform.clientSecret());
        assertThat(profile.isAbsolute()).isTrue();
        for (Path file : List.of(profile, secret)) {
            assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
                    .isEqualTo("rw-------");
        }
        assertThat(platform.writeProfile(directory.resolve("new"))).isEqualTo(profile);
    }

    @Test
    void describesItselfInTheEnvironment() {
        assertThat(platform.environment())
                .containsEntry("CARACAL_ZONE_ID", "zone-local")
                .containsEntry("CARACAL_APPLICATION_ID", "app-local")
                .containsEntry("CARACAL_APP_CLIENT_SECRET", platform.clientSecret())
                .containsEntry("CARACAL_STS_URL", platform.stsUrl())
                .containsEntry("CARACAL_COORDINATOR_URL", platform.coordinatorUrl())
                .containsEntry("CARACAL_GATEWAY_URL", platform.gatewayUrl())
                .containsEntry("CARACAL_RESOURCES", "resource://billing-api=" + platform.upstreamUrl())
                .containsEntry("CARACAL_RESOURCE_SCOPES", "resource://billing-api=billing:charge billing:read")
                .containsEntry("CARACAL_RESOURCE_ID", "resource://billing-api")
                .containsEntry("CARACAL_RESOURCE_PATH", "/charge");
    }

    /** The profile of the platform is all that a client needs to make calls to each of its resources. */
    @Test
    void aClientThatKnowsItsEnvironmentMakesCalls(@TempDir Path directory) {
        LocalPlatform several = LocalPlatform.builder()
                .resource(ProtectedResource.of("resource://one", "one:read", "one:write"))
                .resource(ProtectedResource.of("resource://two", "two:read")
                        .withUpstream(platform.upstreamUrl() + "/two"))
                .resource(ProtectedResource.of("resource://no-scopes"))
                .start();
        assertThat(several.environment())
                .containsEntry("CARACAL_RESOURCE_SCOPES", "resource://one=one:read one:write,resource://two=two:read");
        Caracal caracal = Caracal.fromProfile(several.writeProfile(directory));
        try {
            for (String resource : List.of("resource://one", "resource://two")) {
                GatewayRequest request = caracal.gatewayRequest(resource, "/echo");
                StepVerifier.create(caracal.spawn(session -> CaracalHttp.decorate(HttpClient.create(), caracal)
                                .headers(headers -> request.headers().forEach(headers::set))
                                .get()
                                .uri(request.url())
                                .responseSingle((response, body) -> body.asString())))
                        .expectNextCount(1)
                        .expectComplete()
                        .verify(Duration.ofSeconds(10));
            }
            assertThat(several.bearersSeen()).isEqualTo(new BearersSeen(2, 0));
            assertThat(several.audit().events())
                    .filteredOn(event -> event.eventType().equals("gateway_resource_request"))
                    .extracting(AuditEvent::resource)
                    .containsExactly("resource://one", "resource://two");
        } finally {
            caracal.disposeLater().then(several.disposeLater()).block(Duration.ofSeconds(10));
        }
    }

    @Test
    void answersForItsAuditLog() {
        Result token = Http.form(Http.tokenUrl(platform), Http.tokenForm(platform), Map.of("X-Request-Id", "req-1"));
        assertThat(token.status()).isEqualTo(200);
        Result found = Http.get(platform.auditUrl() + "/audit?request_id=req-1");
        assertThat(found.body())
                .startsWith("[{")
                .contains(
                        "\"event_type\":\"token_exchange\"",
                        "\"decision\":\"allow\"",
                        "\"request_id\":\"req-1\"",
                        "\"application_id\":\"app-local\"",
                        "\"resource\":\"resource://billing-api\"",
                        "\"requested_scopes\":[\"agent:lifecycle\"]",
                        "\"determining_policies\":[\"caracal-bootstrap\"]",
                        "\"evaluation_status\":\"complete\"",
                        "\"occurred_at\":\"");
        assertThat(Http.get(platform.auditUrl() + "/audit?request_id=none").body())
                .isEqualTo("[]");
        assertThat(Http.get(platform.auditUrl() + "/audit").body()).startsWith("[{");
    }

    @Test
    void remembersWhatItReceived() {
        String bearer = Http.token(platform);
        assertThat(Http.agents(platform, bearer, "POST", "", START, "X-Test", "1")
                        .status())
                .isEqualTo(201);

        ReceivedRequest request = platform.received(Service.COORDINATOR).get(0);
        assertThat(request.method()).isEqualTo("POST");
        assertThat(request.path()).isEqualTo("/zones/zone-local/agents");
        assertThat(request.body()).isEqualTo(START);
        assertThat(request.header("x-TEST")).contains("1");
        assertThat(request.bearer()).contains(bearer);
        assertThat(request.toString()).doesNotContain(bearer);
        assertThat(platform.received(Service.STS)).hasSize(1);
    }

    @Test
    void failsAsItIsTold() {
        String bearer = Http.token(platform);
        AtomicInteger seen = new AtomicInteger();
        platform.faults(
                Service.COORDINATOR,
                request -> seen.getAndIncrement() == 0
                        ? Fault.respond(503, Map.of("Retry-After", "1"), "{\"error\":\"busy\"}")
                        : Fault.none());
        Result first = Http.agents(platform, bearer, "POST", "", START);
        assertThat(first.status()).isEqualTo(503);
        assertThat(first.header("retry-after")).isEqualTo("1");
        assertThat(platform.totalOpened()).isZero();
        assertThat(Http.agents(platform, bearer, "POST", "", START).status()).isEqualTo(201);

        platform.faults(Service.COORDINATOR, request -> Fault.resetBefore());
        assertConnectionFails(bearer);
        assertThat(platform.totalOpened()).isEqualTo(1);

        platform.faults(Service.COORDINATOR, request -> Fault.dropResponse());
        assertConnectionFails(bearer);
        assertThat(platform.totalOpened()).isEqualTo(2);

        platform.faults(Service.COORDINATOR, request -> Fault.delay(Duration.ofMillis(200)));
        long begun = System.nanoTime();
        assertThat(Http.agents(platform, bearer, "POST", "", START).status()).isEqualTo(201);
        platform.faults(Service.COORDINATOR, request -> Fault.delayResponse(Duration.ofMillis(200)));
        assertThat(Http.agents(platform, bearer, "POST", "", START).status()).isEqualTo(201);
        assertThat(System.nanoTime() - begun).isGreaterThan(400_000_000L);
        platform.faults(Service.COORDINATOR, FaultRule.none());
        assertThat(Http.agents(platform, bearer, "POST", "", START).status()).isEqualTo(201);
    }

    private void assertConnectionFails(String bearer) {
        HttpClient client = HttpClient.newConnection().disableRetry(true);
        StepVerifier.create(client.headers(headers -> headers.set("Authorization", "Bearer " + bearer)
                                .set("Content-Type", "application/json"))
                        .post()
                        .uri(platform.coordinatorUrl() + "/zones/zone-local/agents")
                        .send(ByteBufFlux.fromString(Mono.just(START)))
                        .response())
                .expectError(IOException.class)
                .verify(Duration.ofSeconds(5));
    }

    @Test
    void doesWhatWasAskedEvenIfTheClientIsGone() {
        String bearer = Http.token(platform);
        platform.faults(Service.COORDINATOR, request -> Fault.delay(Duration.ofMillis(300)));
        Mono<Integer> open = HttpClient.newConnection()
                .headers(headers ->
                        headers.set("Authorization", "Bearer " + bearer).set("Content-Type", "application/json"))
                .post()
                .uri(platform.coordinatorUrl() + "/zones/zone-local/agents")
                .send(ByteBufFlux.fromString(Mono.just(START)))
                .response()
                .map(response -> response.status().code());
        StepVerifier.create(open.take(Duration.ofMillis(100))).expectComplete().verify(Duration.ofSeconds(2));
        StepVerifier.create(Mono.fromSupplier(platform::totalOpened)
                        .filter(opened -> opened == 1)
                        .repeatWhenEmpty(attempts -> attempts.delayElements(Duration.ofMillis(20))))
                .expectNext(1L)
                .expectComplete()
                .verify(Duration.ofSeconds(3));
    }

    @Test
    void failsAtTheGatewayAsItIsTold() {
        String billing = platform.resourceId();
        String mandate =
                Delegated.on(platform, List.of(billing), "billing:charge").mandate("billing:charge", billing);
        Map<String, String> headers = Map.of("Authorization", "Bearer " + mandate, "X-Caracal-Resource", billing);
        platform.faults(Service.GATEWAY, request -> Fault.respond(503, Map.of(), "{\"error\":\"sts_unavailable\"}"));
        assertThat(Http.send("GET", platform.gatewayUrl() + "/echo", null, headers)
                        .status())
                .isEqualTo(503);
        platform.faults(Service.GATEWAY, request -> Fault.dropResponse());
        assertThatThrownBy(() -> Http.trySend("POST", platform.gatewayUrl() + "/charge", "{\"amount\":1}", headers))
                .isInstanceOf(IOException.class);
        assertThat(platform.received(Service.UPSTREAM)).isNotEmpty();
    }

    /** The second request waits for the first one's answer, and is then refused at once. */
    @Test
    void goesOnReadingAConnectionAfterRequestsThatCameTogether() throws IOException {
        platform.faults(
                Service.GATEWAY,
                request -> request.path().equals("/first") ? Fault.delay(Duration.ofMillis(50)) : Fault.none());
        URI gateway = URI.create(platform.gatewayUrl());
        try (Socket socket = new Socket(gateway.getHost(), gateway.getPort())) {
            socket.setSoTimeout(5_000);
            send(socket, get("/first") + get("/second"));
            assertRefused(socket);
            assertRefused(socket);
            send(socket, get("/third"));
            assertRefused(socket);
        }
    }

    private static String get(String path) {
        return "GET " + path + " HTTP/1.1\r\nhost: gateway\r\n\r\n";
    }

    private static void send(Socket socket, String requests) throws IOException {
        socket.getOutputStream().write(requests.getBytes(StandardCharsets.US_ASCII));
    }

    /** Reads one answer whole. */
    private static void assertRefused(Socket socket) throws IOException {
        StringBuilder head = new StringBuilder();
        while (head.indexOf("\r\n\r\n") < 0) {
            int next = socket.getInputStream().read();
            assertThat(next).as("after %s", head).isNotNegative();
            head.append((char) next);
        }
        assertThat(head).startsWith("HTTP/1.1 401");
        Matcher length = Pattern.compile("(?i)content-length: (\\d+)").matcher(head);
        assertThat(length.find()).isTrue();
        assertThat(socket.getInputStream().readNBytes(Integer.parseInt(length.group(1))))
                .isNotEmpty();
    }

    @Test
    void restartsTheCoordinatorInPlace() {
        String bearer = Http.token(platform);
        String url = platform.coordinatorUrl();
        String session = Http.agents(platform, bearer, "POST", "", START).text("agent_session_id");
        StepVerifier.create(platform.stop(Service.COORDINATOR)).expectComplete().verify(Duration.ofSeconds(3));
        assertThatThrownBy(() -> Http.trySend("GET", url + "/health", null, Map.of()))
                .isInstanceOf(IOException.class);
        assertThat(Http.get(platform.stsUrl() + "/health").status()).isEqualTo(200);
        StepVerifier.create(platform.stop(Service.COORDINATOR)).expectComplete().verify(Duration.ofSeconds(3));
        StepVerifier.create(platform.start(Service.COORDINATOR))
                .expectComplete()
                .verify(Duration.ofSeconds(3));
        StepVerifier.create(platform.start(Service.COORDINATOR))
                .expectComplete()
                .verify(Duration.ofSeconds(3));
        assertThat(platform.coordinatorUrl()).isEqualTo(url);
        assertThat(Http.agents(platform, bearer, "GET", "/" + session, null).json())
                .containsEntry("status", "active");

        StepVerifier.create(platform.restartCoordinator(Duration.ofMillis(200)))
                .expectSubscription()
                .expectNoEvent(Duration.ofMillis(150))
                .expectComplete()
                .verify(Duration.ofSeconds(3));
        assertThat(Http.agents(platform, bearer, "DELETE", "/" + session, null).status())
                .isEqualTo(204);
        assertThat(platform.received(Service.COORDINATOR)).hasSize(3);
    }

    @Test
    void cutsWhatIsConnectedWhenItStops() {
        String bearer = Http.token(platform);
        platform.faults(Service.COORDINATOR, request -> Fault.delayResponse(Duration.ofSeconds(10)));
        Mono<Integer> answer = HttpClient.newConnection()
                .headers(headers ->
                        headers.set("Authorization", "Bearer " + bearer).set("Content-Type", "application/json"))
                .disableRetry(true)
                .post()
                .uri(platform.coordinatorUrl() + "/zones/zone-local/agents")
                .send(ByteBufFlux.fromString(Mono.just(START)))
                .response()
                .map(response -> response.status().code());
        StepVerifier.create(answer.mergeWith(Mono.delay(Duration.ofMillis(300))
                        .then(platform.restartCoordinator(Duration.ofMillis(50)))
                        .then(Mono.empty())))
                .expectError(IOException.class)
                .verify(Duration.ofSeconds(5));
    }

    @Test
    void sweepsOnlyWhileItCoordinates() {
        LocalPlatform brief = LocalPlatform.builder()
                .limits(PlatformLimits.builder()
                        .serviceLease(Duration.ofMillis(300))
                        .leaseSweep(Duration.ofMillis(50))
                        .build())
                .start();
        try {
            String body = Http.json("application_id", "app-local", "lifecycle", "service");
            assertThat(Http.agents(brief, Http.token(brief), "POST", "", body).status())
                    .isEqualTo(201);
            StepVerifier.create(brief.stop(Service.COORDINATOR))
                    .expectComplete()
                    .verify(Duration.ofSeconds(3));
            StepVerifier.create(Mono.delay(Duration.ofMillis(500)))
                    .expectNextCount(1)
                    .verifyComplete();
            assertThat(brief.sessions()).extracting(SessionSnapshot::status).containsExactly("active");
            StepVerifier.create(brief.start(Service.COORDINATOR))
                    .expectComplete()
                    .verify(Duration.ofSeconds(3));
            StepVerifier.create(Mono.fromSupplier(() -> brief.sessions().get(0).status())
                            .filter("suspended"::equals)
                            .repeatWhenEmpty(attempts -> attempts.delayElements(Duration.ofMillis(20))))
                    .expectNext("suspended")
                    .expectComplete()
                    .verify(Duration.ofSeconds(3));
        } finally {
            brief.disposeLater().block(Duration.ofSeconds(5));
        }
    }

    @Test
    void endsWithEverythingItStarted() {
        String url = platform.stsUrl() + "/health";
        assertThat(Http.get(url).status()).isEqualTo(200);
        StepVerifier.create(platform.disposeLater()).expectComplete().verify(Duration.ofSeconds(5));
        assertThat(platform.isDisposed()).isTrue();
        assertThatThrownBy(() -> Http.trySend("GET", url, null, Map.of())).isInstanceOf(IOException.class);
        StepVerifier.create(platform.disposeLater()).expectComplete().verify(Duration.ofSeconds(5));
        // A platform of an earlier test may still be ending.
        StepVerifier.create(Flux.interval(Duration.ofMillis(20))
                        .onBackpressureDrop()
                        .filter(look -> Thread.getAllStackTraces().keySet().stream()
                                .noneMatch(thread -> thread.getName().startsWith("local-platform")))
                        .next())
                .expectNextCount(1)
                .expectComplete()
                .verify(Duration.ofSeconds(5));
    }
}
