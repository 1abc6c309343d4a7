package run.caracal.platform;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import run.caracal.platform.Http.Result;

/** The Coordinator as a client sees it: sessions, their limits, idempotency, leases, and every error body. */
final class CoordinatorTest {

    private static final String START = "{\"application_id\":\"app-local\"}";
    private static final String SERVICE = "{\"application_id\":\"app-local\",\"lifecycle\":\"service\"}";

    private final TestClock clock = new TestClock();
    private PlatformLimits limits = PlatformLimits.defaults();
    private LocalPlatform platform = start();
    private String bearer = "";

    private LocalPlatform start() {
        return LocalPlatform.builder()
                .clock(clock)
                .limits(limits)
                .application("app-local", "secret-1")
                .application("app-second", "secret-2")
                .resource(ProtectedResource.of("resource://first", "first:read"))
                .resource(
                        ProtectedResource.of("resource://second", "second:read").withOwner("app-second"))
                .start();
    }

    @BeforeEach
    void authenticate() {
        bearer = Http.token(platform);
    }

    @AfterEach
    void stop() {
        platform.disposeLater().block(Duration.ofSeconds(5));
    }

    private void restart(PlatformLimits changed) {
        stop();
        limits = changed;
        platform = start();
        authenticate();
    }

    private Result call(String method, String path, @Nullable String json, String... headers) {
        return Http.agents(platform, bearer, method, path, json, headers);
    }

    private String open(String json) {
        Result result = call("POST", "", json);
        assertThat(result.status()).as(result.body()).isEqualTo(201);
        return result.text("agent_session_id");
    }

    private static void assertError(Result result, int status, String code) {
        assertThat(result.status()).as(result.body()).isEqualTo(status);
        assertThat(result.text("error")).isEqualTo(code);
        assertThat(result.headers().firstValue("retry-after")).isEmpty();
    }

    private List<Map<String, @Nullable Object>> children(String session, String query) {
        Result result = call("GET", "/" + session + "/children" + query, null);
        assertThat(result.status()).as(result.body()).isEqualTo(200);
        assertThat(result.json()).containsOnlyKeys("items", "next_cursor");
        List<Map<String, @Nullable Object>> items = new ArrayList<>();
        for (Object child : (List<?>) Objects.requireNonNull(result.json().get("items"))) {
            Map<String, @Nullable Object> item = Json.object();
            ((Map<?, ?>) child).forEach((name, value) -> item.put(String.valueOf(name), value));
            items.add(item);
        }
        return items;
    }

    @Nested
    class SessionLife {
        @Test
        void opensATask() {
            Result result = call(
                    "POST",
                    "",
                    "{\"application_id\":\"app-local\",\"labels\":[\" exporter \",\"x\"],\"ttl_seconds\":60,"
                            + "\"metadata\":{\"task\":\"t\"},\"subject_token\":\"ignored\",\"parent_id\":null,\"unknown\":1}");

            assertThat(result.status()).as(result.body()).isEqualTo(201);
            Map<String, @Nullable Object> body = result.json();
            assertThat(body.keySet())
                    .containsExactlyInAnyOrder(
                            "agent_session_id",
                            "zone_id",
                            "application_id",
                            "parent_id",
                            "subject_authority_record_id",
                            "lifecycle",
                            "labels",
                            "status",
                            "depth",
                            "ttl_seconds",
                            "started_at",
                            "last_heartbeat_at",
                            "heartbeat_deadline_at",
                            "lease_generation",
                            "delegation_edge_id");
            assertThat(body)
                    .containsEntry("zone_id", "zone-local")
                    .containsEntry("application_id", "app-local")
                    .containsEntry("parent_id", null)
                    .containsEntry("lifecycle", "task")
                    .containsEntry("labels", List.of("exporter", "x"))
                    .containsEntry("status", "active")
                    .containsEntry("depth", 0L)
                    .containsEntry("ttl_seconds", 60L)
                    .containsEntry("started_at", "2026-08-01T10:00:00.125Z")
                    .containsEntry("lease_generation", 0L)
                    .containsEntry("delegation_edge_id", null);
            assertThat(platform.sessions()).singleElement().satisfies(session -> {
                assertThat(session.id()).isEqualTo(body.get("agent_session_id"));
                assertThat(session.metadata()).containsEntry("task", "t");
            });
            assertThat(platform.totalOpened()).isEqualTo(1);
        }

        @Test
        void opensAService() {
            assertThat(call("POST", "", SERVICE).json())
                    .containsEntry("lifecycle", "service")
                    .containsEntry("ttl_seconds", null)
                    .containsEntry("lease_generation", 1L)
                    .containsEntry("last_heartbeat_at", "2026-08-01T10:00:00.125Z")
                    .containsEntry("heartbeat_deadline_at", "2026-08-01T10:02:00.125Z");
        }

        @Test
        void closesASessionWithEverythingBelowIt() {
            String parent = open(START);
            String child = open("{\"application_id\":\"app-local\",\"parent_id\":\"" + parent + "\"}");
            assertThat(call("GET", "/" + child, null).json())
                    .containsEntry("depth", 1L)
                    .containsEntry("parent_id", parent);

            Result closed = call("DELETE", "/" + parent + "?reason=done", null);
            assertThat(closed.status()).isEqualTo(204);
            assertThat(closed.body()).isEmpty();
            assertThat(platform.openSessionCount()).isZero();
            assertError(call("DELETE", "/" + parent, null), 404, "session_not_found");
            assertError(call("DELETE", "/" + child, null), 404, "session_not_found");
            assertThat(call("GET", "/" + parent, null).json())
                    .containsEntry("status", "terminated")
                    .containsEntry("termination_reason", "done");
            assertError(call("GET", "/none", null), 404, "session_not_found");
        }

        @Test
        void listsSessions() {
            String first = open("{\"application_id\":\"app-local\",\"labels\":[\"a\"]}");
            String second = open(SERVICE);
            Result page = call("GET", "?limit=1", null);
            assertThat(page.json()).containsEntry("next_cursor", first);
            Result rest = call("GET", "?limit=5&cursor=" + first, null);
            assertThat(rest.json()).containsEntry("next_cursor", null);
            assertThat(rest.body())
                    .contains(second, "\"lease_generation\":\"1\"")
                    .doesNotContain(first);
            assertThat(call("GET", "?label=a", null).body()).contains(first).doesNotContain(second);
            assertThat(call("GET", "?lifecycle=service&status=active", null).body())
                    .contains(second)
                    .doesNotContain(first);
        }

        @Test
        void listsTheChildrenOfASession() {
            String root = open(START);
            String child = "{\"application_id\":\"app-local\",\"parent_id\":\"%s\"}";
            String first = open(child.formatted(root));
            String second = open(child.formatted(root));
            String grandchild = open(child.formatted(second));
            assertThat(children(root, ""))
                    .extracting(item -> item.get("agent_session_id"))
                    .containsExactly(first, second);
            assertThat(children(root, ""))
                    .allSatisfy(item -> assertThat(item)
                            .containsEntry("parent_id", root)
                            .containsEntry("status", "active")
                            .doesNotContainKey("delegation_edge_id"));
            assertThat(children(second, ""))
                    .extracting(item -> item.get("agent_session_id"))
                    .containsExactly(grandchild);
            assertThat(children(grandchild, "")).isEmpty();

            Result page = call("GET", "/" + root + "/children?limit=1", null);
            assertThat(page.json()).containsEntry("next_cursor", first);
            assertThat(children(root, "?cursor=" + first))
                    .extracting(item -> item.get("agent_session_id"))
                    .containsExactly(second);
        }

        @Test
        void endsTasksPastTheirLife() {
            String parent = open("{\"application_id\":\"app-local\",\"ttl_seconds\":60}");
            assertThat(open("{\"application_id\":\"app-local\",\"parent_id\":\"" + parent + "\"}"))
                    .isNotEmpty();
            clock.advance(Duration.ofSeconds(60));
            assertError(
                    call("POST", "", "{\"application_id\":\"app-local\",\"parent_id\":\"" + parent + "\"}"),
                    404,
                    "parent_not_found");
            platform.sweep();
            assertThat(platform.openSessionCount()).isZero();
            assertThat(call("GET", "/" + parent, null).json()).containsEntry("status", "expired");
        }
    }

    @Nested
    class Refusing {
        @Test
        void namesEveryFaultOfABody() {
            Result result = call(
                    "POST",
                    "",
                    "{\"application_id\":5,\"lifecycle\":\"other\",\"labels\":[\"\"],\"ttl_seconds\":86401,\"metadata\":null,"
                            + "\"parent_authority\":\"all\"}",
                    "X-Request-Id",
                    "req-7");

            assertError(result, 400, "invalid_body");
            assertThat(result.text("requestId")).isEqualTo("req-7");
            assertThat(result.text("error_description")).isNotBlank();
            assertThat(result.json().get("details"))
                    .asString()
                    .contains(
                            "path=[application_id]",
                            "path=[lifecycle]",
                            "path=[labels, 0]",
                            "path=[ttl_seconds]",
                            "path=[metadata]",
                            "path=[parent_authority]");
            assertError(call("POST", "", "{}"), 400, "invalid_body");
            assertError(call("POST", "", "[]"), 400, "invalid_body");
            assertError(
                    call("POST", "", "{\"application_id\":\"app-local\",\"lifecycle\":\"service\",\"ttl_seconds\":60}"),
                    400,
                    "invalid_body");
        }

        @ParameterizedTest
        @CsvSource(
                delimiter = '|',
                value = {
                    "POST   |        | application/json                  | ''      | 400",
                    "DELETE | /some  | application/json                  | ''      | 400",
                    "POST   |        | application/json                  | {       | 400",
                    "POST   |        | application/json                  | {\"__proto__\":1} | 400",
                    "POST   |        | application/x-www-form-urlencoded | a=b     | 415",
                    "POST   |        | text/plain                        | {}      | 415"
                })
        void treatsBodiesLikeThePlatformsFramework(
                String method, @Nullable String path, String type, String body, int status) {
            Result result = Http.send(
                    method,
                    platform.coordinatorUrl() + "/zones/zone-local/agents" + (path == null ? "" : path),
                    body,
                    Map.of("Authorization", "Bearer " + bearer, "Content-Type", type));

            assertError(result, status, "internal_error");
            assertThat(result.json()).containsKeys("error_description", "requestId");
        }

        @Test
        void refusesABodyThatIsTooLargeOrOfNoType() {
            String url = platform.coordinatorUrl() + "/zones/zone-local/agents";
            Map<String, String> authorized = Map.of("Authorization", "Bearer " + bearer);
            assertError(Http.send("POST", url, START, authorized), 415, "internal_error");
            String large = "{\"application_id\":\"" + "x".repeat(256 * 1024) + "\"}";
            assertError(call("POST", "", large), 413, "internal_error");
        }

        @Test
        void checksTheBearer() {
            String url = platform.coordinatorUrl() + "/zones/zone-local/agents";
            assertError(Http.get(url), 401, "missing_token");
            assertError(Http.send("GET", url, null, Map.of("Authorization", "bearer " + bearer)), 401, "missing_token");
            assertError(Http.send("GET", url, null, Map.of("Authorization", "Bearer x.y.z")), 401, "invalid_token");
            String forged = bearer.substring(0, bearer.length() - 8) + "AAAAAAAA";
            assertError(Http.send("GET", url, null, Map.of("Authorization", "Bearer " + forged)), 401, "invalid_token");
            String huge = "Bearer " + "x".repeat(5000);
            assertError(Http.send("GET", url, null, Map.of("Authorization", huge)), 401, "invalid_token");
            Map<String, String> authorized = Map.of("Authorization", "Bearer " + bearer);
            assertError(
                    Http.send("GET", platform.coordinatorUrl() + "/zones/zone-2/agents", null, authorized),
                    403,
                    "zone_mismatch");
            assertError(call("GET", "/bad%20id", null), 400, "invalid_params");
            assertError(call("GET", "/id/unknown/route", null), 404, "Not Found");
            assertThat(call("GET", "/id/unknown/route", null).json()).containsEntry("statusCode", 404L);

            platform.revokeTokens("app-local");
            assertError(call("GET", "", null), 401, "identity_revoked");
            authenticate();
            assertThat(call("GET", "", null).status()).isEqualTo(200);
            clock.advance(Duration.ofSeconds(901));
            assertError(call("GET", "", null), 401, "identity_revoked");
            clock.advance(Duration.ofSeconds(60));
            assertError(call("GET", "", null), 401, "invalid_token");
        }

        @Test
        void checksOwnersAndParents() {
            assertError(call("POST", "", "{\"application_id\":\"app-second\"}"), 403, "application_ownership_required");
            assertError(
                    call("POST", "", "{\"application_id\":\"app-local\",\"parent_id\":\"none\"}"),
                    404,
                    "parent_not_found");
            Result subject = call("POST", "", "{\"application_id\":\"app-local\",\"subject_session_id\":\"none\"}");
            assertError(subject, 404, "session_not_found");
            assertThat(subject.json()).containsKey("detail");
            assertError(
                    call("POST", "", "{\"application_id\":\"app-local\",\"inherit_parent_edge_id\":\"none\"}"),
                    409,
                    "inherit_parent_edge_not_active");
            String parent = open(START);
            assertError(
                    call(
                            "POST",
                            "",
                            "{\"application_id\":\"app-local\",\"lifecycle\":\"service\",\"parent_id\":\"" + parent
                                    + "\"}"),
                    409,
                    "task_session_cannot_start_service");
        }
    }

    @Nested
    class Keys {
        @Test
        void replaysAKey() {
            Result first = call("POST", "", START, "Idempotency-Key", "key-1", "Idempotency-Key-Kind", "generated");
            Result again = call("POST", "", START, "Idempotency-Key", "key-1");
            assertThat(first.headers().firstValue("idempotency-replayed")).isEmpty();
            assertThat(again.status()).isEqualTo(201);
            assertThat(again.header("idempotency-replayed")).isEqualTo("true");
            assertThat(again.body()).isEqualTo(first.body());
            assertThat(platform.totalOpened()).isEqualTo(1);
            assertThat(platform.sessions())
                    .extracting(SessionSnapshot::idempotencyKey)
                    .containsExactly("key-1");

            String other = "{\"application_id\":\"app-local\",\"labels\":[\"x\"]}";
            Result conflict = call("POST", "", other, "Idempotency-Key", "key-1");
            assertError(conflict, 409, "idempotency_key_conflict");
            assertThat(conflict.text("message")).isNotBlank();

            String sameRequestNewToken = Http.token(platform);
            assertError(
                    Http.agents(platform, sameRequestNewToken, "POST", "", START, "Idempotency-Key", "key-1"),
                    409,
                    "idempotency_key_conflict");

            assertThat(call("DELETE", "/" + first.text("agent_session_id"), null)
                            .status())
                    .isEqualTo(204);
            assertError(call("POST", "", START, "Idempotency-Key", "key-1"), 409, "idempotency_result_inactive");
        }

        @Test
        void forgetsAGeneratedKeyAfterADay() {
            String first = call("POST", "", START, "Idempotency-Key", "k", "Idempotency-Key-Kind", "generated")
                    .text("agent_session_id");
            clock.advance(Duration.ofDays(1));
            authenticate();
            Result later = call("POST", "", START, "Idempotency-Key", "k");
            assertThat(later.status()).isEqualTo(201);
            assertThat(later.text("agent_session_id")).isNotEqualTo(first);
        }

        @Test
        void refusesAMalformedKey() {
            Result result = call("POST", "", START, "Idempotency-Key", "k".repeat(256), "X-Request-Id", "req-9");
            assertError(result, 400, "idempotency_key_invalid");
            assertThat(result.json()).containsEntry("request_id", "req-9").containsKey("message");
        }
    }

    @Nested
    class Limits {
        @Test
        void limitsSessions() {
            restart(PlatformLimits.builder()
                    .sessionsPerZone(4)
                    .sessionsPerApplication(3)
                    .childrenPerSession(1)
                    .sessionDepth(1)
                    .idempotencyReceipts(1)
                    .build());
            String root = open(START);
            String child = "{\"application_id\":\"app-local\",\"parent_id\":\"%s\"}";
            String leaf = open(child.formatted(root));
            assertError(call("POST", "", child.formatted(root)), 429, "session_children_limit_exceeded");
            assertError(call("POST", "", child.formatted(leaf)), 429, "session_depth_limit_exceeded");
            Result keyed = call("POST", "", START, "Idempotency-Key", "1");
            assertThat(keyed.status()).isEqualTo(201);
            assertError(call("POST", "", START), 429, "session_limit_exceeded");
            assertThat(call("DELETE", "/" + root, null).status()).isEqualTo(204);
            assertError(call("POST", "", START, "Idempotency-Key", "2"), 429, "idempotency_receipt_limit_exceeded");

            restart(PlatformLimits.builder().sessionsPerZone(1).build());
            assertThat(open(START)).isNotEmpty();
            assertError(call("POST", "", START), 429, "session_zone_limit_exceeded");
        }

        @Test
        void limitsRequestsPerMinuteBeforeItLooksAtThem() {
            restart(PlatformLimits.builder().coordinatorRequestsPerMinute(2).build());
            String url = platform.coordinatorUrl() + "/zones/zone-local/agents";
            assertError(Http.get(url), 401, "missing_token");
            assertThat(call("GET", "", null).status()).isEqualTo(200);
            assertError(Http.get(url), 429, "rate_limited");
            assertThat(Http.get(platform.coordinatorUrl() + "/health").status()).isEqualTo(200);
            clock.advance(Duration.ofMinutes(1));
            assertThat(call("GET", "", null).status()).isEqualTo(200);
        }
    }

    @Nested
    class Leases {
        @Test
        void renewsALease() {
            String service = open(SERVICE);
            clock.advance(Duration.ofSeconds(100));
            Result beat = call("POST", "/" + service + "/heartbeat", "{\"status\":\"healthy\",\"lease_generation\":1}");
            assertThat(beat.status()).as(beat.body()).isEqualTo(200);
            assertThat(beat.json().get("agent"))
                    .asString()
                    .contains("id=" + service, "status=active", "2026-08-01T10:03:40.125Z", "lease_generation=1");

            assertError(call("POST", "/" + service + "/heartbeat", "{}"), 400, "invalid_body");
            assertError(
                    call("POST", "/" + service + "/heartbeat", "{\"lease_generation\":2}"),
                    409,
                    "session_lease_fenced");
            assertError(call("POST", "/none/heartbeat", "{\"lease_generation\":1}"), 404, "session_not_found");
            String task = open(START);
            assertError(
                    call("POST", "/" + task + "/heartbeat", "{\"lease_generation\":1}"), 409, "session_not_service");
            clock.advance(Duration.ofMinutes(2));
            assertError(
                    call("POST", "/" + service + "/heartbeat", "{\"lease_generation\":1}"),
                    409,
                    "session_lease_expired");
        }

        @Test
        void fencesTheOldHolderOfALease() {
            String service = open(SERVICE);
            Result taken = call("POST", "/" + service + "/lease", null);
            assertThat(taken.json())
                    .containsEntry("status", "active")
                    .containsEntry("lease_generation", 2L)
                    .containsKey("heartbeat_deadline_at");
            assertError(
                    call("POST", "/" + service + "/heartbeat", "{\"lease_generation\":1}"),
                    409,
                    "session_lease_fenced");
            assertError(call("DELETE", "/" + service, null), 400, "lease_generation_required");
            assertError(call("DELETE", "/" + service, "{\"lease_generation\":1}"), 409, "session_lease_fenced");
            assertThat(call("DELETE", "/" + service, "{\"lease_generation\":2}").status())
                    .isEqualTo(204);
            assertError(call("POST", "/" + service + "/lease", null), 409, "session_not_live");
            assertError(
                    call("POST", "/" + service + "/heartbeat", "{\"lease_generation\":2}"), 409, "session_not_live");
            String task = open(START);
            assertError(call("POST", "/" + task + "/lease", null), 409, "session_not_service");
        }

        @Test
        void suspendsServicesPastTheirLease() {
            String service = open(SERVICE);
            clock.advance(Duration.ofMinutes(2));
            platform.sweep();
            assertThat(platform.sessions()).extracting(SessionSnapshot::status).containsExactly("suspended");
            assertError(call("POST", "/" + service + "/lease", null), 409, "session_suspended");
            assertThat(call("PATCH", "/" + service + "/resume", null).json()).containsEntry("resumed", 1L);
            assertThat(call("POST", "/" + service + "/lease", null).status()).isEqualTo(200);
            assertThat(call("PATCH", "/" + service + "/suspend", null).json()).containsEntry("suspended", 1L);
            assertError(call("PATCH", "/" + service + "/suspend", null), 409, "session_not_found_or_not_active");
            assertThat(call("POST", "/" + service + "/heartbeat", "{\"lease_generation\":2}")
                            .body())
                    .contains("\"status\":\"suspended\"");
        }

        @Test
        void renewsASuspendedServiceUntilItIsResumed() {
            String service = open(SERVICE);
            String task = open("{\"application_id\":\"app-local\",\"parent_id\":\"" + service + "\"}");
            clock.advance(Duration.ofMinutes(2));
            platform.sweep();
            assertThat(platform.sessions()).extracting(SessionSnapshot::status).containsOnly("suspended");
            Result beat = call("POST", "/" + service + "/heartbeat", "{\"lease_generation\":1}");
            assertThat(beat.json().get("agent"))
                    .asString()
                    .contains("status=suspended", "heartbeat_deadline_at=2026-08-01T10:04:00.125Z");
            clock.advance(Duration.ofMinutes(5));
            platform.sweep();
            assertThat(call("PATCH", "/" + service + "/resume", null).json()).containsEntry("resumed", 2L);
            assertThat(call("GET", "/" + task, null).json()).containsEntry("status", "active");
            assertThat(call("GET", "/" + service, null).json())
                    .containsEntry("heartbeat_deadline_at", "2026-08-01T10:09:00.125Z");
            assertError(call("PATCH", "/" + service + "/resume", null), 409, "session_not_found_or_not_suspended");
            clock.advance(Duration.ofMinutes(2));
            assertError(call("POST", "/" + service + "/lease", null), 409, "session_lease_expired");
            assertThat(call("GET", "/" + service, null).json()).containsEntry("status", "suspended");
        }

        @Test
        void leasesBelongToTheirApplication() {
            String service = open(SERVICE);
            String second = Http.token(platform, "app-second", "secret-2", "resource://second");
            for (String path : List.of("/heartbeat", "/lease")) {
                String body = path.equals("/lease") ? null : "{\"lease_generation\":1}";
                assertError(
                        Http.agents(platform, second, "POST", "/" + service + path, body),
                        403,
                        "application_ownership_required");
            }
            assertError(
                    Http.agents(platform, second, "DELETE", "/" + service, "{\"lease_generation\":1}"),
                    403,
                    "application_ownership_required");
        }

        @Test
        void endsAServiceWhoseSubjectWasRevoked() {
            String service = open(SERVICE);
            platform.revokeTokens("app-local");
            authenticate();
            assertError(
                    call("POST", "/" + service + "/heartbeat", "{\"lease_generation\":1}"),
                    409,
                    "session_subject_inactive");
            assertThat(platform.openSessionCount()).isZero();
        }
    }
}
