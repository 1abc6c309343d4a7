package run.caracal.platform;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static run.caracal.platform.ConsoleScene.BILLING;
import static run.caracal.platform.ConsoleScene.BOOKS;
import static run.caracal.platform.ConsoleScene.LEDGER;
import static run.caracal.platform.ConsoleScene.ORDERS;

import com.google.errorprone.annotations.CanIgnoreReturnValue;
import io.netty.handler.codec.http.HttpMethod;
import java.io.IOException;
import java.net.ServerSocket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.netty.ByteBufFlux;
import reactor.netty.http.client.HttpClient;
import reactor.netty.http.client.HttpClientResponse;
import reactor.netty.http.client.PrematureCloseException;
import reactor.test.StepVerifier;

/** The HTTP interface of the console; {@link ConsoleBrowserTest} tests its page. */
final class ConsoleTest {

    private static final Duration LIMIT = Duration.ofSeconds(10);

    private final ConsoleScene scene = new ConsoleScene();

    @AfterEach
    void stop() {
        scene.close();
    }

    /** A whole answer. */
    private record Reply(HttpClientResponse head, String body) {
        int status() {
            return head.status().code();
        }

        String header(String name) {
            return Objects.requireNonNullElse(head.responseHeaders().get(name), "");
        }
    }

    private Reply send(HttpMethod method, String path, @Nullable String body, String... headers) {
        return HttpClient.newConnection()
                .headers(all -> {
                    for (int i = 0; i < headers.length; i += 2) {
                        all.set(headers[i], headers[i + 1]);
                    }
                })
                .request(method)
                .uri(scene.url() + path)
                .send(ByteBufFlux.fromString(Mono.justOrEmpty(body)))
                .responseSingle(
                        (head, content) -> content.asString().defaultIfEmpty("").map(text -> new Reply(head, text)))
                .blockOptional(LIMIT)
                .orElseThrow();
    }

    private Reply get(String path, String... headers) {
        return send(HttpMethod.GET, path, null, headers);
    }

    @CanIgnoreReturnValue
    private Reply act(String action, String id) {
        return send(
                HttpMethod.POST,
                "/actions",
                Http.json("action", action, "id", id),
                "Content-Type",
                "application/json",
                "Origin",
                scene.url(),
                "Sec-Fetch-Site",
                "same-origin");
    }

    private static Map<String, @Nullable Object> parsed(String json) {
        try {
            return Json.parseObject(json.getBytes(StandardCharsets.UTF_8));
        } catch (Json.InvalidJson e) {
            throw new AssertionError(json, e);
        }
    }

    /** The messages that a page receives. */
    private Flux<Map<String, @Nullable Object>> messages() {
        return HttpClient.newConnection().get().uri(scene.url() + "/events").response((head, content) -> {
            assertThat(head.status().code()).isEqualTo(200);
            assertThat(head.responseHeaders().get("content-type")).isEqualTo("text/event-stream");
            return content.asString()
                    .scanWith(Lines::new, Lines::read)
                    .concatMapIterable(Lines::complete)
                    .map(ConsoleTest::parsed);
        });
    }

    /** Splits the received pieces into messages. */
    private static final class Lines {
        private final StringBuilder rest = new StringBuilder();
        private final List<String> complete = new ArrayList<>();

        Lines read(String piece) {
            rest.append(piece);
            complete.clear();
            for (int end = rest.indexOf("\n\n"); end >= 0; end = rest.indexOf("\n\n")) {
                assertThat(rest).startsWith("data: ");
                complete.add(rest.substring("data: ".length(), end));
                rest.delete(0, end + 2);
            }
            return this;
        }

        List<String> complete() {
            return List.copyOf(complete);
        }
    }

    @SuppressWarnings("unchecked")
    private static List<Map<String, Object>> changed(Map<String, ?> message, String kind) {
        Object change = message.get(kind);
        return change == null
                ? List.of()
                : (List<Map<String, Object>>) Objects.requireNonNull(((Map<String, ?>) change).get("changed"));
    }

    private static Predicate<Map<String, @Nullable Object>> tells(String kind, String id, String member, Object value) {
        return message -> changed(message, kind).stream()
                .anyMatch(entry -> id.equals(entry.get("id")) && value.equals(entry.get(member)));
    }

    @Nested
    final class Page {

        @Test
        void isOneDocumentThatRunsNothingButItsOwnScript() {
            Reply page = get("/");
            assertThat(page.status()).isEqualTo(200);
            assertThat(page.header("content-type")).isEqualTo("text/html; charset=utf-8");
            assertThat(page.header("content-security-policy"))
                    .startsWith("default-src 'none'; connect-src 'self'; img-src data:; script-src 'sha256-")
                    .contains("frame-ancestors 'none'", "form-action 'none'", "require-trusted-types-for 'script'")
                    .doesNotContain("unsafe");
            assertThat(page.body())
                    .doesNotContainPattern("\\son[a-z]+=")
                    .doesNotContainPattern("(src|href)=\"(?!#|data:)")
                    .doesNotContain("innerHTML", "insertAdjacentHTML", "@import", "url(");
        }

        @Test
        void isServedOnLoopbackWithHeadersThatKeepOthersOut() {
            assertThat(URI.create(scene.url()).getHost()).isEqualTo("127.0.0.1");
            for (String path : List.of("/", "/explain", "/nothing")) {
                Reply reply = get(path);
                assertThat(reply.header("cache-control")).as(path).isEqualTo("no-store");
                assertThat(reply.header("x-content-type-options")).as(path).isEqualTo("nosniff");
                assertThat(reply.header("x-frame-options")).as(path).isEqualTo("DENY");
                assertThat(reply.header("cross-origin-resource-policy"))
                        .as(path)
                        .isEqualTo("same-origin");
                assertThat(reply.header("access-control-allow-origin")).as(path).isEmpty();
            }
            assertThat(get("/nothing").status()).isEqualTo(404);
        }

        @Test
        void isThereOnlyWhenAskedForAndSaysThatAPortIsTaken() throws IOException {
            LocalPlatform without = LocalPlatform.builder().start();
            assertThat(without.consoleUrl()).isEmpty();
            without.disposeLater().block(LIMIT);
            try (ServerSocket taken = new ServerSocket(0)) {
                LocalPlatform.Builder builder = LocalPlatform.builder().console(taken.getLocalPort());
                assertThatThrownBy(builder::start).hasMessageContaining(Integer.toString(taken.getLocalPort()));
            }
        }
    }

    @Nested
    final class Stream {

        @Test
        void beginsWithEverythingAndGoesOnWithWhatChanges() {
            String worker = scene.session(ORDERS, null, "worker", "lifecycle", "service");
            List<String> made = new ArrayList<>();
            StepVerifier.create(messages())
                    .assertNext(message -> {
                        assertThat(message).containsEntry("whole", true).containsEntry("zone", "zone-local");
                        assertThat(changed(message, "sessions"))
                                .singleElement()
                                .satisfies(session -> assertThat(session)
                                        .containsEntry("id", worker)
                                        .containsEntry("application", ORDERS)
                                        .containsEntry("lifecycle", "service")
                                        .containsEntry("status", "active")
                                        .containsEntry("labels", List.of("worker"))
                                        .containsKey("deadline"));
                        assertThat(changed(message, "audit")).isNotEmpty();
                    })
                    .then(() -> made.add(scene.session(ORDERS, worker, "task")))
                    .thenConsumeWhile(message ->
                            !tells("sessions", made.get(0), "parent", worker).test(message))
                    .assertNext(message -> {
                        assertThat(message).doesNotContainKeys("whole", "delegations", "approvals");
                        assertThat(changed(message, "sessions"))
                                .extracting(session -> session.get("id"))
                                .doesNotContain(worker);
                    })
                    .then(() ->
                            made.add(scene.delegation(ORDERS, worker, ORDERS, made.get(0), BILLING, "billing:read")))
                    .thenConsumeWhile(message -> changed(message, "delegations").isEmpty())
                    .assertNext(message -> assertThat(message)
                            .matches(tells("delegations", made.get(1), "target", made.get(0)))
                            .matches(tells("delegations", made.get(1), "resources", List.of(BILLING))))
                    .then(() -> act("end", made.get(0)))
                    .thenConsumeWhile(message -> changed(message, "sessions").isEmpty())
                    .assertNext(message -> assertThat(message)
                            .matches(tells("sessions", made.get(0), "status", "terminated"))
                            .matches(tells("delegations", made.get(1), "status", "revoked")))
                    .thenCancel()
                    .verify(LIMIT);
        }

        @Test
        void saysForWhomASessionActs() {
            Map<String, @Nullable Object> user = Http.claims(Http.token(
                    scene.platform, Http.federationForm(scene.platform, scene.platform.idToken("alice@example.com"))));
            String session = scene.session(ORDERS, null, "chat", "subject_session_id", user.get("sid"));
            StepVerifier.create(messages())
                    .expectNextMatches(tells("sessions", session, "user", "alice@example.com"))
                    .thenCancel()
                    .verify(LIMIT);
        }

        /** The last chunk and the close of the connection may arrive in either order. */
        @Test
        void endsWhenThePlatformCloses() {
            StepVerifier.create(messages().onErrorComplete(PrematureCloseException.class))
                    .expectNextCount(1)
                    .then(scene.platform::dispose)
                    .thenConsumeWhile(message -> true)
                    .expectComplete()
                    .verify(LIMIT);
        }

        /** The console has seen the application's bearer and secret, a mandate, and the metadata of a session. */
        @Test
        void neverCarriesATokenOrASecret() {
            String bearer = scene.bearer(ORDERS);
            String source = scene.session(ORDERS, null, "source", "metadata", Map.of("note", "a-private-note"));
            String target = scene.session(ORDERS, source, "billing");
            String edge = scene.delegation(ORDERS, source, ORDERS, target, BILLING, "billing:read");
            String mandate =
                    scene.mint(ORDERS, target, edge, BILLING, "billing:read").text("access_token");
            scene.call(ORDERS, target, edge, BILLING, "billing:read", "/invoices");
            StepVerifier.create(messages().map(message -> new String(Json.write(message), StandardCharsets.UTF_8)))
                    .assertNext(text -> assertThat(text)
                            .contains(target, edge)
                            .doesNotContain("secret-of-", "a-private-note", "eyJ", bearer, mandate))
                    .thenCancel()
                    .verify(LIMIT);
        }
    }

    @Nested
    final class Feed {

        private final ConsoleState.Source source = ConsoleScene.withoutClients(PlatformLimits.defaults());
        private volatile boolean ready = true;

        private Flux<Map<String, @Nullable Object>> messages() {
            return new ConsoleFeed(source).messages(() -> ready);
        }

        @CanIgnoreReturnValue
        private String opened() {
            return ConsoleScene.opened(source.sessions(), "task");
        }

        @Test
        void aPageThatIsSlowGetsOneMessageForAllThatItMissed() {
            List<String> ids = new ArrayList<>();
            StepVerifier.withVirtualTime(this::messages)
                    .assertNext(whole -> assertThat(whole).containsEntry("whole", true))
                    .then(() -> {
                        ready = false;
                        ids.addAll(List.of(opened(), opened(), opened()));
                        var unused = source.sessions().endAll(ids.subList(0, 1), "done");
                    })
                    .expectNoEvent(ConsoleFeed.LOOK.multipliedBy(1000))
                    .then(() -> ready = true)
                    .thenAwait(ConsoleFeed.LOOK)
                    .assertNext(message -> assertThat(changed(message, "sessions"))
                            .extracting(session -> session.get("id") + " " + session.get("status"))
                            .containsExactly(
                                    ids.get(0) + " terminated", ids.get(1) + " active", ids.get(2) + " active"))
                    .thenCancel()
                    .verify(LIMIT);
        }

        @Test
        void aPageThatAsksForNothingIsKeptNothingFor() {
            StepVerifier.withVirtualTime(this::messages, 1)
                    .expectNextCount(1)
                    .then(this::opened)
                    .thenAwait(ConsoleFeed.LOOK.multipliedBy(1000))
                    .then(this::opened)
                    .thenRequest(1)
                    .thenAwait(ConsoleFeed.LOOK)
                    .assertNext(
                            message -> assertThat(changed(message, "sessions")).isNotEmpty())
                    .thenCancel()
                    .verify(LIMIT);
        }

        @Test
        void aQuietPlatformSaysNowAndThenThatItIsThere() {
            StepVerifier.withVirtualTime(this::messages)
                    .expectNextCount(1)
                    .expectNoEvent(ConsoleFeed.LOOK.multipliedBy(ConsoleFeed.QUIET_LOOKS))
                    .thenAwait(ConsoleFeed.LOOK)
                    .assertNext(message -> assertThat(message).containsOnlyKeys("now"))
                    .thenCancel()
                    .verify(LIMIT);
        }
    }

    @SuppressWarnings("unchecked")
    private static List<Map<String, Object>> events(Reply reply) {
        return (List<Map<String, Object>>) Objects.requireNonNull(
                parsed("{\"events\":" + reply.body() + "}").get("events"));
    }

    @Nested
    final class Explain {

        @Test
        void tellsTheThreeEventsOfACall() {
            String source = scene.session(ORDERS, null, "source");
            String target = scene.session(ORDERS, source, "billing");
            String edge = scene.delegation(ORDERS, source, ORDERS, target, BILLING, "billing:charge");
            String request = scene.call(ORDERS, target, edge, BILLING, "billing:charge", "/charge")
                    .header("X-Request-Id");
            Reply reply = get("/explain?request_id=" + request, "Sec-Fetch-Site", "same-origin");
            assertThat(reply.status()).isEqualTo(200);
            assertThat(events(reply))
                    .satisfiesExactly(
                            mint -> assertThat(mint)
                                    .containsEntry("step", "mint")
                                    .containsEntry("session", target)
                                    .containsEntry("delegation", edge)
                                    .containsEntry("policies", List.of("caracal-orders-mint")),
                            use -> assertThat(use)
                                    .containsEntry("step", "use")
                                    .containsEntry("request", request)
                                    .containsEntry("scopes", List.of("billing:charge")),
                            call -> assertThat(call)
                                    .containsEntry("type", "gateway_resource_request")
                                    .containsEntry("resource", BILLING)
                                    .containsEntry("decision", "allow")
                                    .containsEntry("method", "POST")
                                    .containsEntry("upstream", 200L));
        }

        @ParameterizedTest
        @CsvSource({"/explain,200", "/explain?request_id=unknown,200", "/explain?request_id=%zz,400"})
        void knowsNothingOfOtherIds(String path, int status) {
            Reply reply = get(path);
            assertThat(reply.status()).isEqualTo(status);
            if (status == 200) {
                assertThat(reply.body()).isEqualTo("[]");
            }
        }
    }

    @Nested
    final class Actions {

        @Test
        void approveAndRejectDecideOnAHold() {
            String source = scene.session(ORDERS, null, "source");
            String target = scene.session(ORDERS, source, "billing");
            String edge = scene.delegation(ORDERS, source, ORDERS, target, BILLING, "billing:refund");
            String first = scene.hold(ORDERS, target, edge);

            assertThat(act("approve", first).body()).isEqualTo("{\"state\":\"approved\"}");
            assertThat(scene.mint(ORDERS, target, edge, BILLING, "billing:refund")
                            .status())
                    .isEqualTo(200);
            Reply again = act("approve", first);
            assertThat(again.status()).isEqualTo(409);
            assertThat(parsed(again.body())).containsEntry("message", "approval is consumed");

            String second = scene.hold(ORDERS, target, edge);
            assertThat(act("reject", second).body()).isEqualTo("{\"state\":\"rejected\"}");
            assertThat(scene.mint(ORDERS, target, edge, BILLING, "billing:refund")
                            .status())
                    .isEqualTo(403);
            assertThat(act("approve", "unknown").status()).isEqualTo(404);
        }

        @Test
        void endEndsASessionAndWhatIsBelowIt() {
            String service = scene.session(ORDERS, null, "worker", "lifecycle", "service");
            scene.session(ORDERS, service, "task");
            String other = scene.session(ORDERS, null, "other");
            assertThat(act("end", service).body()).isEqualTo("{\"sessions\":2}");
            assertThat(scene.platform.sessions())
                    .extracting(SessionSnapshot::id)
                    .containsExactly(other);
            assertThat(act("end", service).status()).isEqualTo(404);
        }

        @Test
        void revokeRevokesADelegationOfAnyApplication() {
            String source = scene.session(ORDERS, null, "source");
            String target = scene.session(LEDGER, null, "target");
            String edge = scene.delegation(ORDERS, source, LEDGER, target, BOOKS, "ledger:append");
            assertThat(parsed(act("revoke", edge).body())).isEqualTo(Map.of("delegations", 1L, "sessions", 1L));
            assertThat(scene.platform.delegations())
                    .singleElement()
                    .satisfies(delegation -> assertThat(delegation.status()).isEqualTo("revoked"));
            assertThat(act("revoke", edge).status()).isEqualTo(404);
            assertThat(act("revoke", "unknown").status()).isEqualTo(404);
        }

        @ParameterizedTest
        @ValueSource(
                strings = {
                    "",
                    "{",
                    "[]",
                    "{}",
                    "{\"action\":\"end\"}",
                    "{\"action\":\"drop\",\"id\":\"1\"}",
                    "{\"id\":1}"
                })
        void refuseWhatIsNoAction(String body) {
            Reply reply = send(HttpMethod.POST, "/actions", body, "Content-Type", "application/json");
            assertThat(reply.status()).isEqualTo(400);
            assertThat(parsed(reply.body())).containsEntry("error", "invalid_action");
        }

        @Test
        void refuseABodyThatIsTooLarge() {
            assertThat(act("end", "x".repeat(2000)).status()).isEqualTo(400);
        }
    }

    /** Requests that a page of another origin, or another name of this address, can make a browser send. */
    @Nested
    final class Strangers {

        private final String session = scene.session(ORDERS, null, "victim");
        private final String end = Http.json("action", "end", "id", session);

        private void assertRefused(Reply reply) {
            assertThat(reply.status()).isEqualTo(403);
            assertThat(parsed(reply.body())).containsEntry("error", "foreign_origin");
            assertThat(reply.header("access-control-allow-origin")).isEmpty();
            assertThat(scene.platform.openSessionCount()).isOne();
        }

        @ParameterizedTest
        @ValueSource(strings = {"https://evil.example", "null", "http://127.0.0.1:1", "http://localhost", ""})
        void areRefusedByTheirOrigin(String origin) {
            for (String path : List.of("/", "/events", "/explain?request_id=1")) {
                assertRefused(get(path, "Origin", origin));
            }
            assertRefused(send(HttpMethod.POST, "/actions", end, "Origin", origin, "Content-Type", "application/json"));
            assertRefused(send(
                    HttpMethod.OPTIONS,
                    "/actions",
                    null,
                    "Origin",
                    origin,
                    "Access-Control-Request-Method",
                    "POST",
                    "Access-Control-Request-Headers",
                    "content-type"));
        }

        @ParameterizedTest
        @ValueSource(strings = {"evil.example", "evil.example:80", "127.0.0.1", "localhost", "127.0.0.1:1"})
        void areRefusedByTheNameTheyUse(String host) {
            for (String path : List.of("/", "/events", "/explain?request_id=1")) {
                assertRefused(get(path, "Host", host));
            }
            assertRefused(send(HttpMethod.POST, "/actions", end, "Host", host, "Content-Type", "application/json"));
        }

        @ParameterizedTest
        @ValueSource(strings = {"cross-site", "same-site"})
        void areRefusedByHowFarAwayTheyAre(String site) {
            for (String path : List.of("/events", "/explain?request_id=1")) {
                assertRefused(get(path, "Sec-Fetch-Site", site));
            }
            assertRefused(
                    send(HttpMethod.POST, "/actions", end, "Sec-Fetch-Site", site, "Content-Type", "application/json"));
            assertThat(get("/", "Sec-Fetch-Site", site).status()).isEqualTo(200);
        }

        @ParameterizedTest
        @ValueSource(strings = {"text/plain", "application/x-www-form-urlencoded", "text/plain;application/json"})
        void cannotActWithWhatAFormCanSend(String type) {
            Reply reply = send(HttpMethod.POST, "/actions", end, "Content-Type", type);
            assertThat(reply.status()).isEqualTo(415);
            assertThat(scene.platform.openSessionCount()).isOne();
        }

        @Test
        void cannotActByALink() {
            Reply reply = get("/actions");
            assertThat(reply.status()).isEqualTo(405);
            assertThat(reply.header("allow")).isEqualTo("POST");
        }

        @Test
        void aBrowserUnderTheNameLocalhostIsNone() {
            String own = scene.url().replace("127.0.0.1", "localhost");
            Reply reply = send(
                    HttpMethod.POST,
                    "/actions",
                    end,
                    "Host",
                    URI.create(own).getAuthority(),
                    "Origin",
                    own,
                    "Content-Type",
                    "application/json");
            assertThat(reply.status()).isEqualTo(200);
            assertThat(scene.platform.openSessionCount()).isZero();
        }
    }
}
