package run.caracal.platform;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import run.caracal.platform.Http.Result;

/** Delegations as a client of the Coordinator sees them: issue, inheritance, listing and revocation. */
final class DelegationTest {

    private static final String BILLING = "resource://billing-api";
    private static final String SECOND = "resource://second";
    private static final String LEDGER = "resource://ledger-api";

    private final TestClock clock = new TestClock();
    private final LocalPlatform platform = LocalPlatform.builder()
            .clock(clock)
            .application("app-local", "secret-1")
            .application("app-second", "secret-2")
            .resource(ProtectedResource.of(BILLING, "billing:charge", "billing:read"))
            .resource(ProtectedResource.of(LEDGER, "ledger:read"))
            .resource(ProtectedResource.of(SECOND, "second:read").withOwner("app-second"))
            .start();
    private String bearer = "";
    private String parent = "";
    private String child = "";

    @BeforeEach
    void openSessions() {
        bearer = Http.token(platform);
        parent = open(null);
        child = open(parent);
    }

    @AfterEach
    void stop() {
        platform.disposeLater().block(Duration.ofSeconds(5));
    }

    private String open(@Nullable String parentId, Object... more) {
        Result result = start(bearer, "app-local", parentId, more);
        assertThat(result.status()).as(result.body()).isEqualTo(201);
        return result.text("agent_session_id");
    }

    private Result start(String token, String applicationId, @Nullable String parentId, Object... more) {
        Map<String, Object> body = new LinkedHashMap<>();
        body.put("application_id", applicationId);
        if (parentId != null) {
            body.put("parent_id", parentId);
        }
        for (int i = 0; i < more.length; i += 2) {
            body.put((String) more[i], more[i + 1]);
        }
        return call(token, "POST", "/agents", body);
    }

    private Result call(String token, String method, String path, @Nullable Map<String, ?> body, String... headers) {
        List<Object> members = new ArrayList<>();
        if (body != null) {
            body.forEach((name, value) -> {
                members.add(name);
                members.add(value);
            });
        }
        String json = body == null ? null : Http.json(members.toArray());
        return Http.coordinator(platform, token, method, path, json, headers);
    }

    private Result get(String path) {
        return call(bearer, "GET", path, null);
    }

    private Map<String, Object> request(String source, String target, String... scopes) {
        Map<String, Object> body = new LinkedHashMap<>();
        body.put("issuer_application_id", "app-local");
        body.put("source_session_id", source);
        body.put("target_session_id", target);
        body.put("receiver_application_id", "app-local");
        body.put("scopes", List.of(scopes));
        body.put("resource_id", BILLING);
        body.put("ttl_seconds", 300);
        return body;
    }

    private Result delegate(Map<String, Object> body, String... headers) {
        return call(bearer, "POST", "/delegations", body, headers);
    }

    private String delegated(Map<String, Object> body) {
        Result result = delegate(body);
        assertThat(result.status()).as(result.body()).isEqualTo(201);
        return result.text("delegation_edge_id");
    }

    private String delegated(String source, String target, int maxHops) {
        Map<String, Object> body = request(source, target, "billing:charge");
        body.put("constraints", Map.of("max_hops", maxHops));
        return delegated(body);
    }

    private void give(String source, String target, int maxHops) {
        assertThat(delegated(source, target, maxHops)).isNotEmpty();
    }

    private void give(Map<String, Object> body) {
        assertThat(delegated(body)).isNotEmpty();
    }

    private static void assertError(Result result, int status, String code) {
        assertThat(result.status()).as(result.body()).isEqualTo(status);
        assertThat(result.text("error")).isEqualTo(code);
    }

    private static List<?> items(Result result) {
        return (List<?>) Objects.requireNonNull(result.json().get("items"));
    }

    @Test
    void givesAuthorityToAChild() {
        Map<String, Object> body = request(parent, child, "billing:charge");
        body.put("constraints", Map.of("max_depth", 2, "policy_approved", true));
        Result result = delegate(body);

        assertThat(result.status()).as(result.body()).isEqualTo(201);
        Map<String, @Nullable Object> json = result.json();
        assertThat(json.keySet())
                .containsExactlyInAnyOrder(
                        "delegation_edge_id",
                        "zone_id",
                        "source_session_id",
                        "target_session_id",
                        "issuer_application_id",
                        "receiver_application_id",
                        "parent_edge_id",
                        "resource_id",
                        "scopes",
                        "constraints_json",
                        "status",
                        "expires_at",
                        "edge_version",
                        "revoked_at",
                        "created_at",
                        "warnings",
                        "allow_reason",
                        "effective_authority");
        String rowId = platform.resourceRowId(BILLING);
        assertThat(json)
                .containsEntry("resource_id", rowId)
                .containsEntry("parent_edge_id", null)
                .containsEntry("scopes", List.of("billing:charge"))
                .containsEntry("status", "active")
                .containsEntry("created_at", "2026-08-01T10:00:00.125Z")
                .containsEntry("expires_at", "2026-08-01T10:05:00.125Z")
                .containsEntry(
                        "constraints_json",
                        Map.of("max_depth", 2L, "policy_approved", true, "max_hops", 2L, "ttl_seconds", 300L))
                .containsEntry("warnings", List.of())
                .containsEntry(
                        "allow_reason",
                        List.of(
                                "same_zone_endpoints_active",
                                "resource_scope_checked",
                                "source_authority_root",
                                "typed_constraints_validated"));
        assertThat(json.get("effective_authority"))
                .asString()
                .contains("max_hops=2", "broad=false", "resources=[" + BILLING + "]", "parent_edges_considered=[]");
        assertThat(platform.delegations()).singleElement().satisfies(edge -> {
            assertThat(edge.id()).isEqualTo(json.get("delegation_edge_id"));
            assertThat(edge.resourceId()).isEqualTo(BILLING);
        });
    }

    static Stream<Arguments> refusals() {
        return Stream.of(
                refused("no expiry", b -> b.remove("ttl_seconds"), 400, "delegation_expiry_required"),
                refused("an expiry in the past", b -> past(b), 400, "delegation_expired"),
                refused(
                        "an expiry with an offset",
                        b -> b.put("expires_at", "2027-01-01T00:00:00+00:00"),
                        400,
                        "invalid_body"),
                refused("no life", b -> b.put("ttl_seconds", 0), 400, "invalid_body"),
                refused("a life above a day", b -> b.put("ttl_seconds", 86_401), 400, "invalid_body"),
                refused("no source", b -> b.remove("source_session_id"), 400, "invalid_body"),
                refused("an empty resource", b -> b.put("resource_id", ""), 400, "invalid_body"),
                refused("a scope that is no text", b -> b.put("scopes", List.of(1)), 400, "invalid_body"),
                refused(
                        "another issuer",
                        b -> b.put("issuer_application_id", "app-second"),
                        403,
                        "issuer_ownership_required"),
                refused(
                        "itself",
                        b -> b.put("target_session_id", b.get("source_session_id")),
                        400,
                        "self_delegation_denied"),
                refused("no resource", b -> b.remove("resource_id"), 403, "broad_delegation_permission_required"),
                refused(
                        "an unknown target",
                        b -> b.put("target_session_id", "none"),
                        404,
                        "delegation_endpoint_not_found"),
                refused(
                        "an unknown source",
                        b -> b.put("source_session_id", "none"),
                        404,
                        "delegation_endpoint_not_found"),
                refused(
                        "another receiver",
                        b -> b.put("receiver_application_id", "app-second"),
                        409,
                        "delegation_application_mismatch"),
                refused("an unknown resource", b -> b.put("resource_id", "resource://none"), 404, "resource_not_found"),
                refused(
                        "unknown resources",
                        b -> constrain(b, "resources", List.of("resource://none")),
                        404,
                        "resource_not_found"),
                refused(
                        "resources without the resource",
                        b -> constrain(b, "resources", List.of(LEDGER)),
                        400,
                        "delegation_resource_scope_mismatch"),
                refused(
                        "a scope of another resource",
                        b -> b.put("scopes", List.of("ledger:read")),
                        403,
                        "delegation_scopes_exceed_resource"));
    }

    private static void past(Map<String, Object> body) {
        body.remove("ttl_seconds");
        body.put("expires_at", "2026-08-01T09:00:00Z");
    }

    private static void constrain(Map<String, Object> body, String name, Object value) {
        body.put("constraints", Map.of(name, value));
    }

    private static Arguments refused(String what, Consumer<Map<String, Object>> change, int status, String code) {
        return Arguments.of(what, change, status, code);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("refusals")
    void refuses(String what, Consumer<Map<String, Object>> change, int status, String code) {
        Map<String, Object> body = request(parent, child, "billing:charge");
        change.accept(body);

        assertError(delegate(body), status, code);
        assertThat(platform.delegations()).isEmpty();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "[]                              | invalid_delegation_constraint",
                "null                            | invalid_delegation_constraint",
                "{\"unknown\":1}                 | invalid_delegation_constraint",
                "{\"resources\":[\"\"]}          | invalid_resources",
                "{\"resources\":\"x\"}           | invalid_resources",
                "{\"max_depth\":0}               | invalid_max_depth",
                "{\"max_hops\":11}               | invalid_max_hops",
                "{\"max_hops\":1.5}              | invalid_max_hops",
                "{\"max_depth\":1,\"max_hops\":2} | invalid_max_hops",
                "{\"budget\":65}                 | invalid_budget",
                "{\"ttl_seconds\":86401}         | invalid_ttl_seconds",
                "{\"policy_approved\":1}         | invalid_policy_approved",
                "{\"expires_at\":\"tomorrow\"}   | invalid_expires_at",
                "{\"broad_reason\":\"\"}         | invalid_broad_reason"
            })
    void namesTheConstraintThatIsWrong(String constraints, String code) {
        String body = Http.json(request(parent, child, "billing:charge").entrySet().stream()
                .flatMap(entry -> Stream.of(entry.getKey(), entry.getValue()))
                .toArray());
        String json = body.substring(0, body.length() - 1) + ",\"constraints\":" + constraints + "}";
        assertError(Http.coordinator(platform, bearer, "POST", "/delegations", json), 400, code);
    }

    @Test
    void namesAResourceByEitherOfItsIds() {
        Map<String, Object> body = request(parent, child, "billing:read");
        body.put("resource_id", platform.resourceRowId(BILLING));
        assertThat(delegate(body).json()).containsEntry("resource_id", platform.resourceRowId(BILLING));

        Map<String, Object> constrained = request(parent, open(parent), "billing:read", "ledger:read");
        constrained.remove("resource_id");
        constrain(constrained, "resources", List.of(BILLING, LEDGER));
        assertThat(delegate(constrained).json()).containsEntry("resource_id", null);
        assertThat(platform.delegations().get(1).covers(LEDGER)).isTrue();
    }

    @Test
    void endsWhenTheRequestOrItsConstraintsSay() {
        Map<String, Object> body = request(parent, child, "billing:read");
        constrain(body, "ttl_seconds", 30);
        assertThat(delegate(body).json()).containsEntry("expires_at", "2026-08-01T10:00:30.125Z");
        Map<String, Object> until = request(parent, child, "billing:read");
        until.remove("ttl_seconds");
        constrain(until, "expires_at", "2026-08-01T10:01:00Z");
        assertThat(delegate(until).json()).containsEntry("expires_at", "2026-08-01T10:01:00.000Z");
        until.put("expires_at", "2026-08-01T10:02:00Z");
        assertThat(delegate(until).json()).containsEntry("expires_at", "2026-08-01T10:02:00.000Z");
    }

    @Test
    void nothingIsGivenByOrToASessionThatIsOver() {
        Map<String, Object> body = request(parent, child, "billing:charge");
        assertThat(call(bearer, "PATCH", "/agents/" + child + "/suspend", null).status())
                .isEqualTo(200);
        assertError(delegate(body), 404, "delegation_endpoint_not_found");
        assertThat(call(bearer, "PATCH", "/agents/" + child + "/resume", null).status())
                .isEqualTo(200);
        assertThat(delegate(body).status()).isEqualTo(201);
        clock.advance(Duration.ofMinutes(61));
        bearer = Http.token(platform);
        assertError(delegate(body), 404, "delegation_endpoint_not_found");
    }

    static Stream<Arguments> widenings() {
        return Stream.of(
                refused(
                        "more scopes",
                        b -> b.put("scopes", List.of("billing:read")),
                        403,
                        "delegation_exceeds_parent_authority"),
                refused(
                        "another resource",
                        b -> {
                            b.put("scopes", List.of());
                            b.put("resource_id", LEDGER);
                        },
                        403,
                        "delegation_exceeds_parent_authority"),
                refused("longer", b -> b.put("ttl_seconds", 301), 403, "delegation_exceeds_parent_authority"),
                refused(
                        "no constraint on the life of tokens",
                        b -> {
                            b.remove("ttl_seconds");
                            b.put("expires_at", "2026-08-01T10:01:00Z");
                        },
                        403,
                        "delegation_exceeds_parent_authority"),
                refused("as many hops", b -> constrain(b, "max_hops", 3), 403, "delegation_exceeds_parent_authority"),
                refused("another parent", b -> b.put("parent_edge_id", "none"), 403, "parent_delegation_not_active"));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("widenings")
    void whatWasReceivedCanOnlyBeNarrowed(String what, Consumer<Map<String, Object>> change, int status, String code) {
        String first = delegated(parent, child, 3);
        String grandchild = open(child, "parent_authority", "none");
        Map<String, Object> body = request(child, grandchild, "billing:charge");
        constrain(body, "max_hops", 2);
        change.accept(body);
        assertError(delegate(body), status, code);

        Map<String, Object> good = request(child, grandchild, "billing:charge");
        good.put("ttl_seconds", 299);
        constrain(good, "max_hops", 2);
        Result narrowed = delegate(good);
        assertThat(narrowed.json()).containsEntry("parent_edge_id", first);
        assertThat(narrowed.body()).contains("parent_authority_narrowed");
    }

    /** The same life from a later moment on is a longer one. */
    @Test
    void aChildCannotBeGivenExactlyTheLifeOfItsParentsDelegation() {
        give(parent, child, 2);
        Map<String, Object> body = request(child, open(child, "parent_authority", "none"), "billing:charge");
        clock.advance(Duration.ofMillis(1));
        assertError(delegate(body), 403, "delegation_exceeds_parent_authority");
        body.put("ttl_seconds", 299);
        assertThat(delegate(body).status()).isEqualTo(201);
    }

    @Test
    void aDelegationOfOneHopEndsAtItsReceiver() {
        give(request(parent, child, "billing:charge"));
        assertError(
                delegate(request(child, open(child, "parent_authority", "none"), "billing:charge")),
                403,
                "delegation_exceeds_parent_authority");
    }

    @Test
    void twoParentsMustBeToldApart() {
        String first = delegated(parent, child, 2);
        give(parent, child, 2);
        Map<String, Object> body = request(child, open(child, "parent_authority", "none"), "billing:charge");
        assertError(delegate(body), 409, "parent_delegation_ambiguous");
        body.put("parent_edge_id", first);
        assertThat(delegate(body).json()).containsEntry("parent_edge_id", first);
    }

    @Test
    void authorityDoesNotFlowInCircles() {
        give(parent, child, 3);
        Map<String, Object> back = request(child, parent, "billing:charge");
        assertError(delegate(back), 409, "delegation_cycle_denied");
        String grandchild = open(child, "parent_authority", "none");
        give(child, grandchild, 2);
        assertError(delegate(request(grandchild, parent, "billing:charge")), 409, "delegation_cycle_denied");
    }

    @Test
    void replaysAKey() {
        Map<String, Object> body = request(parent, child, "billing:charge", "billing:read");
        Result first = delegate(body, "Idempotency-Key", "key-1");
        bearer = Http.token(platform);
        body.put("scopes", List.of("billing:read", "billing:charge"));
        Result again = delegate(body, "Idempotency-Key", "key-1");
        assertThat(again.status()).isEqualTo(201);
        assertThat(again.header("idempotency-replayed")).isEqualTo("true");
        assertThat(first.headers().firstValue("idempotency-replayed")).isEmpty();
        assertThat(again.body()).isEqualTo(first.body());
        assertThat(platform.delegations()).hasSize(1);

        body.put("scopes", List.of("billing:read"));
        assertError(delegate(body, "Idempotency-Key", "key-1"), 409, "idempotency_key_conflict");
        body.put("scopes", List.of("billing:read", "billing:charge"));
        clock.advance(Duration.ofSeconds(300));
        assertError(delegate(body, "Idempotency-Key", "key-1"), 409, "idempotency_result_inactive");
        assertError(delegate(body, "Idempotency-Key", " "), 400, "idempotency_key_invalid");
    }

    @Test
    void showsWhatASessionHolds() {
        String second = Http.token(platform, "app-second", "secret-2", SECOND);
        String first = delegated(parent, child, 2);
        String other = delegated(request(parent, child, "billing:charge", "billing:read"));

        Result page = get("/delegations/inbound/" + child + "?limit=1");
        assertThat(items(page)).singleElement().asString().contains("id=" + other, "status=active", "constraints_json");
        assertThat(page.json()).containsEntry("next_cursor", other);
        Result rest = get("/delegations/inbound/" + child + "?cursor=" + other);
        assertThat(items(rest)).singleElement().asString().contains("id=" + first);
        assertThat(rest.json()).containsEntry("next_cursor", null);
        assertError(get("/delegations/inbound/" + child + "?cursor=none"), 400, "invalid_cursor");
        assertError(get("/delegations/inbound/" + child + "?limit=0"), 400, "invalid_query");
        assertError(get("/delegations/inbound/none"), 404, "session_not_found");
        assertError(call(second, "GET", "/delegations/inbound/" + child, null), 404, "session_not_found");

        assertThat(get("/delegations/inbound/" + child + "/" + first).json())
                .isEqualTo(Map.of("id", first, "status", "active"));
        assertError(get("/delegations/inbound/" + parent + "/" + first), 404, "delegation_not_found");
        assertError(
                call(second, "GET", "/delegations/inbound/" + child + "/" + first, null), 404, "delegation_not_found");
        assertError(get("/delegations/inbound/bad%20id/" + first), 400, "invalid_params");

        assertThat(get("/agents/" + child + "/effective-authority").json())
                .containsEntry("agent_session_id", child)
                .containsEntry("inbound_edges", List.of(first, other))
                .containsEntry("effective_scopes", List.of("billing:charge"))
                .containsEntry("effective_resources", List.of(BILLING))
                .containsEntry("effective_max_hops", 1L)
                .containsEntry("effective_ttl_seconds", 300L)
                .containsEntry("earliest_expires_at", "2026-08-01T10:05:00.125Z");
        assertThat(get("/agents/" + parent + "/effective-authority").json())
                .containsEntry("inbound_edges", List.of())
                .containsEntry("effective_max_hops", 0L);
        assertError(get("/agents/none/effective-authority"), 404, "session_not_found");

        clock.advance(Duration.ofSeconds(300));
        assertError(get("/delegations/inbound/" + child + "/" + first), 404, "delegation_not_found");
        assertThat(items(get("/delegations/inbound/" + child))).hasSize(2);
    }

    @Test
    void revokingEndsEverythingDownstream() {
        String first = delegated(parent, child, 3);
        String grandchild = open(child, "parent_authority", "none");
        give(child, grandchild, 2);
        String bystander = open(parent);

        assertError(
                call(
                        Http.token(platform, "app-second", "secret-2", SECOND),
                        "PATCH",
                        "/delegations/" + first + "/revoke",
                        null),
                403,
                "issuer_ownership_required");
        Result revoked = call(bearer, "PATCH", "/delegations/" + first + "/revoke", null);
        assertThat(revoked.json())
                .isEqualTo(Map.of("revoked_edges", 2L, "affected_sessions", 1L, "terminated_sessions", 2L));
        assertThat(platform.delegations())
                .extracting(DelegationSnapshot::status)
                .containsOnly("revoked");
        assertThat(platform.sessions()).extracting(SessionSnapshot::id).containsExactly(parent, bystander);

        assertThat(get("/agents/" + parent).status()).isEqualTo(200);
        clock.advance(Duration.ofMillis(500));
        assertError(get("/agents/" + parent), 401, "identity_revoked");
        bearer = Http.token(platform);
        assertThat(get("/agents/" + child).json())
                .containsEntry("status", "terminated")
                .containsEntry("termination_reason", "delegation_revoked");
        assertError(call(bearer, "PATCH", "/delegations/" + first + "/revoke", null), 404, "delegation_not_found");
        assertError(call(bearer, "PATCH", "/delegations/none/revoke", null), 404, "delegation_not_found");
    }

    @Test
    void revokingLeavesTheServicesOfTheSameTokenAlive() {
        Result service = start(bearer, "app-local", null, "lifecycle", "service");
        String edge = delegated(parent, child, 1);
        assertThat(call(bearer, "PATCH", "/delegations/" + edge + "/revoke", null)
                        .status())
                .isEqualTo(200);
        bearer = Http.token(platform);
        Result beat = call(
                bearer,
                "POST",
                "/agents/" + service.text("agent_session_id") + "/heartbeat",
                Map.of("lease_generation", 1));
        assertThat(beat.status()).as(beat.body()).isEqualTo(200);
    }

    @Test
    void closingASessionRevokesWhatItGaveAndHeld() {
        give(parent, child, 2);
        String peer = open(null);
        give(child, peer, 1);
        assertThat(call(bearer, "DELETE", "/agents/" + child, null).status()).isEqualTo(204);
        assertThat(platform.delegations())
                .extracting(DelegationSnapshot::status)
                .containsOnly("revoked");
        assertThat(get("/agents/" + peer).json()).containsEntry("status", "active");
    }

    @Test
    void aChildInheritsWhatItsParentHolds() {
        Result none = start(bearer, "app-local", parent);
        assertThat(none.json()).containsEntry("delegation_edge_id", null);
        String held = delegated(parent, child, 2);

        Result inherited = start(bearer, "app-local", child);
        DelegationSnapshot copy = platform.delegations().get(1);
        assertThat(inherited.json()).containsEntry("delegation_edge_id", copy.id());
        assertThat(copy.parentId()).isEqualTo(held);
        assertThat(copy.sourceSessionId()).isEqualTo(child);
        assertThat(copy.constraints()).isEqualTo(Map.of("max_hops", 2L, "ttl_seconds", 300L));
        assertThat(copy.expiresAt()).isEqualTo(platform.delegations().get(0).expiresAt());
        assertThat(get("/agents/" + inherited.text("agent_session_id")).json()).doesNotContainKey("delegation_edge_id");

        assertThat(start(bearer, "app-local", child, "inherit_parent_edge_id", held)
                        .json())
                .containsKey("delegation_edge_id");
        assertThat(start(bearer, "app-local", child, "parent_authority", "none").json())
                .containsEntry("delegation_edge_id", null);
        assertError(
                start(bearer, "app-local", child, "inherit_parent_edge_id", "other"),
                409,
                "inherit_parent_edge_not_active");
        String second = delegated(parent, child, 2);
        assertError(start(bearer, "app-local", child), 409, "inherit_parent_edge_ambiguous");
        assertThat(start(bearer, "app-local", child, "inherit_parent_edge_id", second)
                        .status())
                .isEqualTo(201);
        clock.advance(Duration.ofSeconds(300));
        int before = platform.openSessionCount();
        assertError(start(bearer, "app-local", child), 409, "inherit_parent_edge_not_active");
        assertThat(platform.openSessionCount()).isEqualTo(before);
    }

    @Test
    void authorityCrossesApplications() {
        String second = Http.token(platform, "app-second", "secret-2", SECOND);
        String peer = start(second, "app-second", null).text("agent_session_id");
        Map<String, Object> body = request(parent, peer, "billing:read");
        body.put("receiver_application_id", "app-second");
        String edge = delegated(body);
        assertThat(call(second, "GET", "/delegations/inbound/" + peer + "/" + edge, null)
                        .json())
                .containsEntry("status", "active");
        assertError(get("/delegations/inbound/" + peer), 404, "session_not_found");
        assertThat(call(bearer, "PATCH", "/delegations/" + edge + "/revoke", null)
                        .json())
                .containsEntry("terminated_sessions", 1L);
        clock.advance(Duration.ofMillis(500));
        assertError(Http.coordinator(platform, second, "GET", "/agents/" + peer, null), 401, "identity_revoked");
        assertThat(get("/agents/" + parent).status()).isEqualTo(200);
    }

    @Test
    void unknownRoutesAreNotFound() {
        assertError(get("/delegations/x/y"), 404, "Not Found");
        assertError(call(bearer, "PATCH", "/delegations/x/y", null), 404, "Not Found");
        assertError(get("/else"), 404, "Not Found");
    }
}
