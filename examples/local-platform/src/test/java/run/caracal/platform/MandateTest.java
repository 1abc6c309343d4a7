package run.caracal.platform;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;

import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import run.caracal.platform.Http.Result;

/** Mandates for one call: the STS's checks of session and delegation, and the Gateway's use of the mandate. */
final class MandateTest {

    private static final String BILLING = "resource://billing-api";
    private static final String LEDGER = "resource://ledger-api";
    private static final String FOREIGN = "resource://payroll-api";

    private final TestClock clock = new TestClock();
    private LocalPlatform platform = start(GatewayMode.ONE_SHOT, PlatformLimits.defaults());
    private String bearer = "";
    private String parent = "";

    private LocalPlatform start(GatewayMode mode, PlatformLimits limits) {
        return LocalPlatform.builder()
                .clock(clock)
                .limits(limits)
                .gatewayMode(mode)
                .application("app-local", "secret-1")
                .application("app-second", "secret-2")
                .resource(ProtectedResource.of(BILLING, "billing:charge", "billing:read")
                        .withRole("reader", "billing:read")
                        .withRole("clerk"))
                .resource(ProtectedResource.of(LEDGER, "billing:read", "ledger:read"))
                .resource(ProtectedResource.of(FOREIGN, "billing:read").withOwner("app-second"))
                .start();
    }

    @BeforeEach
    void openParent() {
        bearer = Http.token(platform);
        parent = open(null, "app-local");
    }

    @AfterEach
    void stop() {
        platform.disposeLater().block(Duration.ofSeconds(5));
    }

    private void restart(GatewayMode mode, PlatformLimits limits) {
        stop();
        platform = start(mode, limits);
        openParent();
    }

    private String open(@Nullable String parentId, String label) {
        return open(bearer, "app-local", parentId, label);
    }

    private String open(String token, String applicationId, @Nullable String parentId, String label) {
        Result result = Http.agents(
                platform,
                token,
                "POST",
                "",
                Http.json(
                        "application_id",
                        applicationId,
                        "parent_id",
                        parentId,
                        "parent_authority",
                        "none",
                        "labels",
                        label.isEmpty() ? List.of() : List.of(label)));
        assertThat(result.status()).as(result.body()).isEqualTo(201);
        return result.text("agent_session_id");
    }

    private String delegate(String source, String target, Map<String, Object> constraints, String... scopes) {
        return delegate(bearer, "app-local", source, "app-local", target, constraints, scopes);
    }

    private String delegate(
            String token,
            String issuer,
            String source,
            String receiver,
            String target,
            Map<String, Object> constraints,
            String... scopes) {
        Result result = Http.coordinator(
                platform,
                token,
                "POST",
                "/delegations",
                Http.json(
                        "issuer_application_id",
                        issuer,
                        "source_session_id",
                        source,
                        "target_session_id",
                        target,
                        "receiver_application_id",
                        receiver,
                        "scopes",
                        List.of(scopes),
                        "constraints",
                        constraints,
                        "expires_at",
                        clock.instant().plusSeconds(600).toString()));
        assertThat(result.status()).as(result.body()).isEqualTo(201);
        return result.text("delegation_edge_id");
    }

    private static Map<String, Object> on(Object... more) {
        Map<String, Object> constraints = new LinkedHashMap<>();
        constraints.put("resources", List.of(BILLING));
        for (int i = 0; i < more.length; i += 2) {
            constraints.put((String) more[i], more[i + 1]);
        }
        return constraints;
    }

    private Map<String, List<String>> form(String session, String edge, String... scopes) {
        Map<String, List<String>> form = Http.tokenForm(platform);
        form.put("scope", List.of(String.join(" ", scopes)));
        form.put("agent_session_id", List.of(session));
        form.put("delegation_edge_id", List.of(edge));
        return form;
    }

    private Result mint(Map<String, List<String>> form) {
        return mint(form, "req-mint");
    }

    private Result mint(Map<String, List<String>> form, String requestId) {
        return Http.form(Http.tokenUrl(platform), form, Map.of("X-Request-Id", requestId));
    }

    private Result mint(String session, String edge, String... scopes) {
        return mint(form(session, edge, scopes));
    }

    private String minted(Map<String, List<String>> form) {
        return minted(form, "req-mint");
    }

    private String minted(Map<String, List<String>> form, String requestId) {
        Result result = mint(form, requestId);
        assertThat(result.status()).as(result.body()).isEqualTo(200);
        return result.text("access_token");
    }

    private Result charge(String mandate, String resource, String requestId) {
        return Http.send(
                "POST",
                platform.gatewayUrl() + "/charge",
                "{\"amount\":1200}",
                Map.of(
                        "Authorization",
                        "Bearer " + mandate,
                        "X-Caracal-Resource",
                        resource,
                        "X-Request-Id",
                        requestId));
    }

    private static void assertDenied(Result result, String description) {
        assertError(result, 403, "access_denied", description);
    }

    private static void assertError(Result result, int status, String code, String description) {
        assertThat(result.status()).as(result.body()).isEqualTo(status);
        assertThat(result.text("error")).isEqualTo(code);
        assertThat(result.text("error_description")).isEqualTo(description);
    }

    @Test
    void theWholeWayOfACall() {
        String child = open(parent, "app-local");
        String edge = delegate(parent, child, on(), "billing:charge", "billing:read");

        Result result = mint(child, edge, "billing:read", "billing:charge");
        assertThat(result.json())
                .containsEntry("expires_in", 600L)
                .containsEntry("scope", "billing:read billing:charge")
                .containsEntry("target_resources", List.of(BILLING));
        String mandate = result.text("access_token");
        Map<String, @Nullable Object> claims = Http.claims(mandate);
        assertThat(claims)
                .containsEntry("use", "gateway")
                .containsEntry("sub", "app-local")
                .containsEntry("sub_type", "application")
                .containsEntry("client_id", "app-local")
                .containsEntry("aud", List.of(platform.stsUrl()))
                .containsEntry("scope", "billing:read billing:charge")
                .containsEntry("target", List.of(BILLING))
                .containsEntry("agent_session_id", child)
                .containsEntry("delegation_edge_id", edge)
                .containsEntry("source_session_id", parent)
                .containsEntry("target_session_id", child)
                .containsEntry("delegation_path", List.of(edge))
                .containsEntry("hop_count", 1L)
                .containsEntry("delegation_graph_epoch", 1L)
                .containsEntry(
                        "delegation_chain",
                        List.of(
                                Map.of(
                                        "application_id",
                                        "app-local",
                                        "agent_session_id",
                                        parent,
                                        "delegation_edge_id",
                                        edge),
                                Map.of("application_id", "app-local", "agent_session_id", child)));
        assertThat(claims.get("sid"))
                .isEqualTo(claims.get("root_sid"))
                .isNotEqualTo(Http.claims(bearer).get("sid"));

        Result charged = charge(mandate, BILLING, "req-use");
        assertThat(charged.status()).as(charged.body()).isEqualTo(200);
        ReceivedRequest upstream = platform.received(Service.UPSTREAM).get(0);
        Map<String, @Nullable Object> presented = Http.claims(upstream.bearer().orElseThrow());
        assertThat(presented)
                .containsEntry("use", "resource")
                .containsEntry("aud", List.of(BILLING))
                .containsEntry("scope", "billing:read billing:charge")
                .containsEntry("root_sid", claims.get("sid"))
                .containsEntry("agent_session_id", child)
                .containsEntry("delegation_path", List.of(edge));
        assertThat(presented.get("jti")).isNotEqualTo(claims.get("jti"));

        assertThat(platform.audit().byRequestId("req-mint")).singleElement().satisfies(event -> {
            assertThat(event.eventType()).isEqualTo("token_exchange");
            assertThat(event.decision()).isEqualTo("allow");
            assertThat(event.determiningPolicies()).containsExactly("caracal-app-local-mint");
            assertThat(event.requestedScopes()).containsExactly("billing:read", "billing:charge");
            assertThat(event.metadata())
                    .containsEntry("agent_session_id", child)
                    .containsEntry("delegation_edge_id", edge)
                    .containsEntry("agent_labels", List.of("app-local"))
                    .containsEntry("agent_depth", 1)
                    .containsEntry("agent_parent_id", parent)
                    .containsEntry("delegation_hop_count", 1)
                    .containsKeys("delegation_chain", "delegation_graph_epoch", "agent_lifecycle");
        });
        assertThat(platform.audit().byRequestId("req-use"))
                .extracting(AuditEvent::eventType, AuditEvent::decision, AuditEvent::evaluationStatus)
                .containsExactly(
                        tuple("token_exchange", "allow", "complete"),
                        tuple("gateway_resource_request", "allow", "executed"));
        assertThat(platform.audit().byRequestId("req-use").get(0).determiningPolicies())
                .containsExactly("caracal-app-local-use");
        assertThat(platform.audit().byRequestId("req-use").get(0).metadata()).containsEntry("agent_session_id", child);

        assertError(charge(mandate, BILLING, "req-again"), 401, "invalid_token", "token replay detected");
        assertThat(platform.audit().byRequestId("req-again"))
                .extracting(AuditEvent::eventType)
                .containsExactly("replay_detected");
        assertThat(platform.bearersSeen()).isEqualTo(new BearersSeen(1, 1));
    }

    /** The mint joins its call by a shared request id, else by the session and its delegation. */
    @Test
    void theTrailOfACallIsMintUseAndAction() {
        String child = open(parent, "app-local");
        String edge = delegate(parent, child, on(), "billing:read");
        String other = open(parent, "app-local");
        String otherEdge = delegate(parent, other, on(), "billing:read");

        String joined = minted(form(child, edge, "billing:read"), "req-one");
        assertThat(charge(joined, BILLING, "req-one").status()).isEqualTo(200);
        assertThat(platform.audit().byRequestId("req-one"))
                .extracting(AuditEvent::eventType, AuditEvent::determiningPolicies)
                .containsExactly(
                        tuple("token_exchange", List.of("caracal-app-local-mint")),
                        tuple("token_exchange", List.of("caracal-app-local-use")),
                        tuple("gateway_resource_request", List.of()));
        assertThat(platform.audit().ofCall("req-one"))
                .isEqualTo(platform.audit().byRequestId("req-one"));

        String apart = minted(form(child, edge, "billing:read"), "req-mint-two");
        String others = minted(form(other, otherEdge, "billing:read"), "req-mint-three");
        assertThat(charge(apart, BILLING, "req-two").status()).isEqualTo(200);
        String later = minted(form(child, edge, "billing:read"), "req-mint-four");
        assertThat(platform.audit().ofCall("req-two"))
                .extracting(AuditEvent::requestId)
                .containsExactly("req-mint-two", "req-two", "req-two");
        assertThat(charge(others, BILLING, "req-three").status()).isEqualTo(200);
        assertThat(platform.audit().ofCall("req-three"))
                .extracting(AuditEvent::requestId)
                .containsExactly("req-mint-three", "req-three", "req-three");
        assertThat(charge(later, LEDGER, "req-four").status()).isEqualTo(403);
        assertThat(platform.audit().ofCall("req-four"))
                .as("refused before the policy is asked")
                .isEmpty();
        assertThat(platform.audit().ofCall("none")).isEmpty();
    }

    /** The counts stand when the requests themselves are no longer remembered. */
    @Test
    void countsEveryMandateItWasShown() {
        restart(
                GatewayMode.ONE_SHOT,
                PlatformLimits.builder().recordedRequests(2).build());
        String child = open(parent, "app-local");
        String edge = delegate(parent, child, on(), "billing:read");
        String mandate = "";
        for (int call = 0; call < 5; call++) {
            mandate = minted(form(child, edge, "billing:read"));
            assertThat(charge(mandate, BILLING, "call").status()).isEqualTo(200);
        }
        assertThat(charge(mandate, BILLING, "again").status()).isEqualTo(401);
        assertThat(charge("x.y.z", BILLING, "no-token").status()).isEqualTo(401);
        assertThat(platform.received(Service.GATEWAY)).hasSize(2);
        assertThat(platform.bearersSeen()).isEqualTo(new BearersSeen(5, 1));
        clock.advance(Duration.ofHours(1));
        platform.sweep();
        assertThat(charge(mandate, BILLING, "late").status()).isEqualTo(401);
        assertThat(platform.bearersSeen()).isEqualTo(new BearersSeen(5, 1));
    }

    @ParameterizedTest
    @EnumSource(GatewayMode.class)
    void bothModesTakeAMandateOnce(GatewayMode mode) {
        restart(mode, PlatformLimits.defaults());
        String child = open(parent, "app-local");
        String mandate = minted(form(child, delegate(parent, child, on(), "billing:read"), "billing:read"));
        assertThat(charge(mandate, BILLING, "1").status()).isEqualTo(200);
        assertThat(charge(mandate, BILLING, "2").status()).isEqualTo(401);
        assertThat(charge(bearer, BILLING, "3").status()).isEqualTo(mode == GatewayMode.ONE_SHOT ? 401 : 200);
        assertThat(Http.agents(platform, mandate, "GET", "", null).text("error"))
                .isEqualTo("invalid_token");
    }

    @ParameterizedTest
    @CsvSource({
        "app-local,  billing:charge billing:read, ''",
        "clerk,      billing:charge billing:read, ''",
        "reader,     billing:read,                ''",
        "reader,     billing:charge,              role_scope_mismatch",
        "stranger,   billing:read,                role_scope_mismatch",
        "'',         billing:read,                role_scope_mismatch"
    })
    void aLabelMustBeARoleThatHasTheScopes(String label, String scopes, String reason) {
        String child = open(parent, label);
        String edge = delegate(parent, child, on(), "billing:charge", "billing:read");
        Result result = mint(child, edge, scopes.split(" "));
        if (reason.isEmpty()) {
            assertThat(result.status()).as(result.body()).isEqualTo(200);
        } else {
            assertDenied(result, "policy denied (" + reason + ")");
        }
    }

    @Test
    void checksTheBindingOfSessionAndDelegation() {
        String child = open(parent, "app-local");
        String other = open(parent, "app-local");
        String edge = delegate(parent, child, on(), "billing:read");

        assertDenied(mint(child, "none", "billing:read"), "delegation edge inactive or expired");
        assertDenied(mint(other, edge, "billing:read"), "delegation edge target mismatch");
        assertDenied(mint(child, edge, "billing:charge"), "requested scopes exceed delegation scopes");
        assertDenied(mint(child, edge, ""), "policy denied (no_rule_matched)");
        Map<String, List<String>> sessionOnly = form(child, edge, "billing:read");
        sessionOnly.remove("delegation_edge_id");
        assertDenied(mint(sessionOnly), "policy denied (no_rule_matched)");
        Map<String, List<String>> second = form(child, edge, "billing:read");
        second.put("application_id", List.of("app-second"));
        second.put("client_secret", List.of("secret-2"));
        assertDenied(mint(second), "delegation target inactive or unauthorized");
        second.remove("delegation_edge_id");
        assertDenied(mint(second), "session not owned by caller");
        Map<String, List<String>> record = form(child, edge, "billing:read");
        record.put("session_id", List.of("none"));
        assertDenied(mint(record), "authority record inactive or expired");
        record.put("session_id", List.of(String.valueOf(Http.claims(bearer).get("sid"))));
        assertThat(Http.claims(minted(record)).get("sid"))
                .isEqualTo(Http.claims(bearer).get("sid"));

        assertThat(Http.agents(platform, bearer, "PATCH", "/" + parent + "/suspend", null)
                        .status())
                .isEqualTo(200);
        assertDenied(mint(child, edge, "billing:read"), "delegation source inactive or expired");
        assertThat(Http.agents(platform, bearer, "PATCH", "/" + parent + "/resume", null)
                        .status())
                .isEqualTo(200);
        assertThat(Http.agents(platform, bearer, "PATCH", "/" + child + "/suspend", null)
                        .status())
                .isEqualTo(200);
        assertDenied(mint(child, edge, "billing:read"), "delegation target inactive or unauthorized");
        clock.advance(Duration.ofSeconds(600));
        assertDenied(mint(child, edge, "billing:read"), "delegation edge inactive or expired");
        assertThat(platform.audit().byRequestId("req-mint"))
                .extracting(AuditEvent::evaluationStatus)
                .contains("exchange_denied", "complete");
    }

    @Test
    void aBudgetMakesADelegationUseless() {
        String child = open(parent, "app-local");
        String edge = delegate(parent, child, on("budget", 5), "billing:read");
        assertDenied(mint(child, edge, "billing:read"), "delegation constraints invalid");
    }

    @ParameterizedTest
    @CsvSource({"2, 1, false", "3, 2, true", "3, 1, false", "10, 9, true"})
    void theLeafMustAllowForItsWholeLineage(int rootHops, int leafHops, boolean good) {
        String child = open(parent, "app-local");
        String grandchild = open(child, "app-local");
        String root = delegate(parent, child, on("max_hops", rootHops), "billing:read");
        String leaf = delegate(child, grandchild, on("max_hops", leafHops), "billing:read");
        Result result = mint(grandchild, leaf, "billing:read");
        if (good) {
            assertThat(Http.claims(result.text("access_token")))
                    .containsEntry("delegation_path", List.of(root, leaf))
                    .containsEntry("hop_count", 2L);
        } else {
            assertDenied(result, "delegation path invalid");
        }
    }

    @Test
    void anInheritedCopyCountsAsAHop() {
        String child = open(parent, "app-local");
        String edge = delegate(parent, child, on("max_hops", 2), "billing:read");
        Result inherited = Http.agents(
                platform,
                bearer,
                "POST",
                "",
                Http.json("application_id", "app-local", "parent_id", child, "labels", List.of("app-local")));
        String copy = inherited.text("delegation_edge_id");
        Result result = mint(inherited.text("agent_session_id"), copy, "billing:read");
        assertThat(Http.claims(result.text("access_token"))).containsEntry("delegation_path", List.of(edge, copy));
    }

    @Test
    void thePeerThatOwnsTheResourceActsUnderWhatItWasGiven() {
        String second = Http.token(platform, "app-second", "secret-2", FOREIGN);
        String peer = open(second, "app-second", null, "app-second");
        Map<String, Object> foreign = Map.of("resources", List.of(FOREIGN, BILLING), "max_hops", 3);
        String edge = delegate(bearer, "app-local", parent, "app-second", peer, foreign, "billing:read");
        Map<String, List<String>> form = form(peer, edge, "billing:read");
        form.put("application_id", List.of("app-second"));
        form.put("client_secret", List.of("secret-2"));
        assertDenied(mint(form), "policy denied (resource_not_granted)");
        form.put("resource", List.of(FOREIGN));
        String mandate = minted(form);
        assertThat(Http.claims(mandate)).containsEntry("client_id", "app-second");
        assertThat(Http.claims(mandate).get("delegation_chain"))
                .asString()
                .startsWith("[{application_id=app-local,")
                .contains("{application_id=app-second, agent_session_id=" + peer);
        assertThat(charge(mandate, FOREIGN, "req-use").status()).isEqualTo(200);
        assertThat(platform.audit().byRequestId("req-use").get(0).determiningPolicies())
                .containsExactly("caracal-app-second-use");

        String below = open(second, "app-second", peer, "app-second");
        Map<String, Object> less = Map.of("resources", List.of(FOREIGN), "max_hops", 2);
        String leaf = delegate(second, "app-second", peer, "app-second", below, less, "billing:read");
        form.put("agent_session_id", List.of(below));
        form.put("delegation_edge_id", List.of(leaf));
        assertDenied(mint(form), "delegation chain endpoints mismatch");
    }

    @ParameterizedTest
    @CsvSource({
        "'',   '',                     600",
        "60,   '',                     60",
        "900,  '',                     600",
        "'',   30,                     30",
        "30,   30,                     30",
        "0,    30,                     30"
    })
    void aMandateEndsWithItsDelegation(String asked, String constraint, long expected) {
        String child = open(parent, "app-local");
        String edge = delegate(
                parent,
                child,
                constraint.isEmpty() ? on() : on("ttl_seconds", Integer.parseInt(constraint)),
                "billing:read");
        Map<String, List<String>> form = form(child, edge, "billing:read");
        form.put("ttl_seconds", List.of(asked));
        assertThat(mint(form).json()).containsEntry("expires_in", expected);
    }

    @Test
    void refusesALifeThatIsTooLong() {
        String child = open(parent, "app-local");
        String edge = delegate(parent, child, on("ttl_seconds", 30), "billing:read");
        Map<String, List<String>> form = form(child, edge, "billing:read");
        form.put("ttl_seconds", List.of("31"));
        assertDenied(mint(form), "requested ttl exceeds delegation ttl");
        String free = delegate(
                parent, child, on("expires_at", clock.instant().plusSeconds(20).toString()), "billing:read");
        form = form(child, free, "billing:read");
        form.put("ttl_seconds", List.of("3601"));
        assertError(mint(form), 400, "invalid_token", "ttl_seconds exceeds token TTL cap");
        form.remove("ttl_seconds");
        assertThat(mint(form).json()).containsEntry("expires_in", 20L);
        clock.advance(Duration.ofSeconds(20));
        assertDenied(mint(form), "delegation constraint expired");
    }

    @Test
    void grantsWhatItCanOfSeveralResources() {
        String child = open(parent, "app-local");
        String edge = delegate(parent, child, Map.of("resources", List.of(BILLING, FOREIGN)), "billing:read");
        Map<String, List<String>> form = form(child, edge, "billing:read");
        form.put("resource", List.of(FOREIGN, platform.resourceRowId(BILLING), LEDGER, "resource://none"));
        assertThat(mint(form).json()).containsEntry("target_resources", List.of(BILLING));
        assertThat(platform.audit().byRequestId("req-mint"))
                .extracting(AuditEvent::resource, AuditEvent::decision, AuditEvent::evaluationStatus)
                .containsExactlyInAnyOrder(
                        tuple(BILLING, "allow", "complete"),
                        tuple("resource://none", "deny", "resource_not_found"),
                        tuple(FOREIGN, "deny", "complete"));
        form.put("resource", List.of(LEDGER));
        assertDenied(mint(form), "policy denied");
        form.put("resource", List.of(FOREIGN));
        assertDenied(mint(form), "policy denied (resource_not_granted)");
    }

    @Test
    void countsMintAndUse() {
        restart(GatewayMode.ONE_SHOT, PlatformLimits.builder().mintsPerMinute(4).build());
        String child = open(parent, "app-local");
        String edge = delegate(parent, child, on(), "billing:read");
        String mandate = minted(form(child, edge, "billing:read"));
        assertThat(charge(mandate, BILLING, "1").status()).isEqualTo(200);
        String last = minted(form(child, edge, "billing:read"));
        assertError(charge(last, BILLING, "req-limit"), 403, "access_denied", "policy denied");
        assertThat(platform.audit().byRequestId("req-limit"))
                .extracting(AuditEvent::evaluationStatus)
                .containsExactly("rate_limited", "exchange_denied");
        assertDenied(mint(child, edge, "billing:read"), "policy denied");
        Result lifecycle = Http.form(Http.tokenUrl(platform), Http.tokenForm(platform), Map.of());
        assertDenied(lifecycle, "policy denied");
    }

    @Test
    void theGatewayWantsTheIdentifierAndTimeLeft() {
        String child = open(parent, "app-local");
        String edge = delegate(parent, child, on(), "billing:read");
        assertError(
                charge(minted(form(child, edge, "billing:read")), platform.resourceRowId(BILLING), "1"),
                403,
                "access_denied",
                "resource upstream not configured");
        assertError(
                charge(minted(form(child, edge, "billing:read")), LEDGER, "2"), 403, "access_denied", "policy denied");
        Map<String, List<String>> brief = form(child, edge, "billing:read");
        brief.put("ttl_seconds", List.of("35"));
        assertError(
                charge(minted(brief), BILLING, "3"),
                401,
                "credential_expired_not_renewable",
                "credential expiring within pre-flight window");
        brief.put("ttl_seconds", List.of("37"));
        assertThat(charge(minted(brief), BILLING, "4").status()).isEqualTo(200);
        String ending = delegate(
                parent, child, on("expires_at", clock.instant().plusSeconds(35).toString()), "billing:read");
        assertError(
                charge(minted(form(child, ending, "billing:read")), BILLING, "5"),
                401,
                "credential_expired_not_renewable",
                "credential expiring within pre-flight window");
        assertThat(platform.received(Service.UPSTREAM)).hasSize(1);
    }

    @Test
    void whatEndsASessionEndsItsMandates() {
        String child = open(parent, "app-local");
        String edge = delegate(parent, child, on(), "billing:read");
        String mandate = minted(form(child, edge, "billing:read"));
        assertThat(Http.agents(platform, bearer, "PATCH", "/" + child + "/suspend", null)
                        .status())
                .isEqualTo(200);
        assertError(charge(mandate, BILLING, "1"), 403, "access_denied", "delegation target inactive or unauthorized");
        assertThat(Http.agents(platform, bearer, "PATCH", "/" + child + "/resume", null)
                        .status())
                .isEqualTo(200);
        String revoked = minted(form(child, edge, "billing:read"));
        String late = minted(form(child, edge, "billing:read"));
        assertThat(Http.coordinator(platform, bearer, "PATCH", "/delegations/" + edge + "/revoke", null)
                        .status())
                .isEqualTo(200);
        assertThat(charge(revoked, BILLING, "2").status())
                .as("the revocation is still on its way")
                .isEqualTo(200);
        clock.advance(Duration.ofMillis(500));
        assertError(charge(late, BILLING, "3"), 401, "invalid_token", "session revoked");
        assertDenied(mint(child, edge, "billing:read"), "delegation edge inactive or expired");
    }
}
