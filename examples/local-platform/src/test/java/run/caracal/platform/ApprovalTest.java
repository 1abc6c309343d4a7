package run.caracal.platform;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import run.caracal.platform.Http.Result;

/** Mandates that a person must approve, as a client sees them: held, polled for, decided, used and used up. */
final class ApprovalTest {

    private static final String BILLING = "resource://billing-api";
    private static final String LEDGER = "resource://ledger-api";

    private final TestClock clock = new TestClock();
    private final LocalPlatform platform = LocalPlatform.builder()
            .clock(clock)
            .limits(PlatformLimits.builder().approvalLife(Duration.ofMinutes(5)).build())
            .application("app-local", "secret-1")
            .application("app-second", "secret-2")
            .resource(ProtectedResource.of(BILLING, "billing:charge", "billing:refund", "billing:read")
                    .withApproval("high", "billing:charge")
                    .withApproval("extreme", "billing:refund"))
            .resource(ProtectedResource.of(LEDGER, "billing:read").withApproval("low"))
            .start();
    private final Delegated agent =
            Delegated.on(platform, List.of(BILLING, LEDGER), "billing:charge", "billing:refund", "billing:read");

    @AfterEach
    void stop() {
        platform.disposeLater().block(Duration.ofSeconds(5));
    }

    private Result mint(String scopes) {
        return mint(agent.form(scopes));
    }

    private Result mint(Map<String, List<String>> form) {
        return Http.form(Http.tokenUrl(platform), form, Map.of("X-Request-Id", "req-1"));
    }

    private Result retry(String approvalId) {
        Map<String, List<String>> form = agent.form("billing:charge");
        form.put("approval_id", List.of(approvalId));
        return mint(form);
    }

    private Result poll(String approvalId, String query) {
        return Http.get(platform.stsUrl() + "/approvals/" + approvalId + query);
    }

    private String held() {
        Result result = mint("billing:charge");
        assertThat(result.status()).as(result.body()).isEqualTo(401);
        return result.text("approval_id");
    }

    private static void assertError(Result result, int status, String code, String description) {
        assertThat(result.status()).as(result.body()).isEqualTo(status);
        assertThat(result.text("error")).isEqualTo(code);
        assertThat(result.text("error_description")).contains(description);
    }

    @Test
    void holdsAMandateUntilItIsApproved() {
        Result result = mint("billing:charge");
        assertThat(result.status()).isEqualTo(401);
        assertThat(result.header("www-authenticate")).isEqualTo("Bearer error=\"interaction_required\"");
        assertThat(result.json())
                .containsEntry("error", "interaction_required")
                .containsEntry("approval_type", "human_approval")
                .containsEntry("state", "pending")
                .containsEntry("tier", "high")
                .containsEntry("approval_expires_at", "2026-08-01T10:05:00Z")
                .containsEntry("requestId", "req-1")
                .containsKey("error_description");
        assertThat(result.text("binding")).matches("[0-9a-f]{64}");
        String id = result.text("approval_id");
        assertThat(id).matches("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-.{12}");
        assertThat(platform.approvals()).singleElement().satisfies(approval -> {
            assertThat(approval.id()).isEqualTo(id);
            assertThat(approval.agentSessionId()).isEqualTo(agent.session());
            assertThat(approval.scopes()).containsExactly("billing:charge");
        });

        assertThat(poll(id, "").json())
                .isEqualTo(Map.of("id", id, "state", "pending", "expires_at", "2026-08-01T10:05:00Z"));
        assertThat(retry(id).text("approval_id")).isEqualTo(id);
        assertThat(mint("billing:charge").text("approval_id")).isEqualTo(id);

        platform.decideApproval(id, true);
        assertThat(poll(id, "?wait=25").text("state")).isEqualTo("approved");
        Result minted = retry(id);
        assertThat(minted.status()).as(minted.body()).isEqualTo(200);
        assertThat(poll(id, "").text("state")).isEqualTo("consumed");
        Result charged = Http.send(
                "POST",
                platform.gatewayUrl() + "/charge",
                "{\"amount\":1}",
                Map.of("Authorization", "Bearer " + minted.text("access_token"), "X-Caracal-Resource", BILLING));
        assertThat(charged.status()).as(charged.body()).isEqualTo(200);
        assertThat(platform.audit().events())
                .extracting(AuditEvent::eventType)
                .containsSubsequence(
                        "step_up_issued",
                        "step_up_decided",
                        "step_up_consumed",
                        "token_exchange",
                        "gateway_resource_request");
        String binding = platform.approvals().get(0).binding();
        assertThat(platform.audit().events())
                .filteredOn(event -> event.eventType().startsWith("step_up_"))
                .extracting(AuditEvent::decision)
                .containsExactly("pending", "approved", "consumed");
        assertThat(platform.audit().events())
                .filteredOn(event -> event.eventType().startsWith("step_up_"))
                .allSatisfy(event -> {
                    assertThat(event.evaluationStatus()).isEqualTo("complete");
                    assertThat(event.metadata())
                            .isEqualTo(Map.of("challenge_id", id, "approver_class", "any", "binding", binding));
                });
        assertThatThrownBy(() -> platform.decideApproval(id, true)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> platform.decideApproval("none", true)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void mintsWithoutTheIdOnceItIsApproved() {
        String id = held();
        platform.decideApproval(id, true);
        assertThat(mint("billing:charge").status()).isEqualTo(200);
        assertThat(poll(id, "").text("state")).isEqualTo("consumed");
        assertThat(held()).isNotEqualTo(id);
    }

    @Test
    void issuesTheMandateAgainForAWhile() {
        String id = held();
        platform.decideApproval(id, true);
        Map<String, Object> first = Map.copyOf(claimsOf(retry(id)));
        clock.advance(Duration.ofSeconds(119));
        Result again = retry(id);
        assertThat(claimsOf(again).get("sid")).isEqualTo(first.get("sid"));
        assertThat(claimsOf(again).get("exp")).isEqualTo(first.get("exp"));
        assertThat(claimsOf(again).get("jti")).isNotEqualTo(first.get("jti"));
        assertThat(again.json()).containsEntry("expires_in", 780L);
        clock.advance(Duration.ofSeconds(1));
        assertError(retry(id), 409, "approval_consumed", "approval already used");
    }

    private static Map<String, Object> claimsOf(Result result) {
        assertThat(result.status()).as(result.body()).isEqualTo(200);
        Map<String, Object> claims = new HashMap<>();
        Http.claims(result.text("access_token")).forEach((name, value) -> claims.put(name, String.valueOf(value)));
        return claims;
    }

    @Test
    void refusesWhatWasRejectedUntilItExpires() {
        String id = held();
        platform.decideApproval(id, false);
        assertThat(poll(id, "").text("state")).isEqualTo("rejected");
        assertError(retry(id), 403, "access_denied", "approval was rejected");
        assertError(mint("billing:charge"), 403, "access_denied", "approval was rejected");
        clock.advance(Duration.ofMinutes(5));
        assertThat(poll(id, "").text("state")).isEqualTo("expired");
        assertError(retry(id), 401, "access_denied", "approval expired");
        assertThat(held()).isNotEqualTo(id);
    }

    @Test
    void anApprovalIsForOneRequestOnly() {
        String id = held();
        platform.decideApproval(id, true);
        Map<String, List<String>> other = agent.form("billing:charge billing:read");
        other.put("approval_id", List.of(id));
        assertError(mint(other), 401, "access_denied", "approval not found or bindings do not match");
        assertError(retry("none"), 401, "access_denied", "approval not found or bindings do not match");
        clock.advance(Duration.ofMinutes(5));
        assertError(retry(id), 401, "access_denied", "approval expired");
        assertThat(platform.audit().byRequestId("req-1"))
                .extracting(AuditEvent::evaluationStatus)
                .contains("approval_invalid", "approval_expired");
    }

    @Test
    void aDenialDoesNotUseItUp() {
        String id = held();
        platform.decideApproval(id, true);
        Map<String, List<String>> tooLong = agent.form("billing:charge");
        tooLong.put("approval_id", List.of(id));
        tooLong.put("ttl_seconds", List.of("3601"));
        assertError(mint(tooLong), 400, "invalid_token", "ttl_seconds exceeds token TTL cap");
        assertThat(retry(id).status()).isEqualTo(200);
    }

    @ParameterizedTest
    @CsvSource({
        "resource://billing-api, billing:read,                  ''",
        "resource://billing-api, billing:read billing:charge,   high",
        "resource://billing-api, billing:refund billing:charge, 'extreme,high'",
        "resource://ledger-api,  billing:read,                  low"
    })
    void someScopesAreGated(String resource, String scopes, String tier) {
        Map<String, List<String>> form = agent.form(scopes);
        form.put("resource", List.of(resource));
        Result result = mint(form);
        assertThat(result.status()).isEqualTo(tier.isEmpty() ? 200 : 401);
        if (!tier.isEmpty()) {
            assertThat(result.text("tier")).isEqualTo(tier);
        }
    }

    @Test
    void waitsForADecision() throws Exception {
        String id = held();
        CompletableFuture<Result> waiting = CompletableFuture.supplyAsync(() -> poll(id, "?wait=20"));
        while (platform.received(Service.STS).stream().noneMatch(r -> r.uri().endsWith("?wait=20"))) {
            Thread.onSpinWait();
        }
        assertThat(waiting).isNotDone();
        platform.decideApproval(id, true);
        assertThat(waiting.get(2, TimeUnit.SECONDS).text("state")).isEqualTo("approved");

        clock.advance(Duration.ofMinutes(5));
        String other = held();
        long begun = System.nanoTime();
        assertThat(poll(other, "?wait=1").text("state")).isEqualTo("pending");
        assertThat(System.nanoTime() - begun).isGreaterThan(900_000_000L);
    }

    @ParameterizedTest
    @ValueSource(strings = {"-1", "x", "1.5"})
    void refusesAWaitThatIsNoNumber(String wait) {
        assertError(poll(held(), "?wait=" + wait), 400, "invalid_token", "invalid wait");
    }

    @Test
    void knowsOnlyItsOwnApprovals() {
        Result unknown = poll("5f6e7e5e-0000-4000-8000-000000000000", "?wait=5");
        assertError(unknown, 404, "resource_not_found", "");
        assertThat(unknown.json()).doesNotContainKey("requestId");
        assertThat(Http.send("POST", platform.stsUrl() + "/approvals/x", "", Map.of())
                        .status())
                .isEqualTo(405);
    }

    private String user(String applicationId, String secret) {
        return user(applicationId, secret, "alice");
    }

    private String user(String applicationId, String secret, String name) {
        Map<String, List<String>> form = Http.federationForm(platform, platform.idToken(name));
        form.put("application_id", List.of(applicationId));
        form.put("client_secret", List.of(secret));
        return Http.token(platform, form);
    }

    private Result decide(String approvalId, String authorization, String body) {
        return Http.send(
                "POST",
                platform.stsUrl() + "/approvals/" + approvalId + "/decision",
                body,
                Map.of("Authorization", authorization, "X-Request-Id", "req-decide"));
    }

    private static String decision(String decision, String binding) {
        return Http.json("decision", decision, "binding", binding, "reason", "as agreed");
    }

    private ApprovalSnapshot pending() {
        String id = held();
        return platform.approvals().stream()
                .filter(approval -> approval.id().equals(id))
                .findFirst()
                .orElseThrow();
    }

    @ParameterizedTest
    @ValueSource(strings = {"approved", "rejected"})
    void aUserDecides(String word) {
        ApprovalSnapshot asked = pending();
        String alice = "Bearer " + user("app-local", "secret-1");
        Result result = decide(asked.id(), alice, decision(word, asked.binding()));
        assertThat(result.status()).as(result.body()).isEqualTo(200);
        assertThat(result.json())
                .isEqualTo(Map.of("id", asked.id(), "state", word, "expires_at", "2026-08-01T10:05:00Z"))
                .isEqualTo(poll(asked.id(), "").json());
        assertThat(retry(asked.id()).status()).isEqualTo(word.equals("approved") ? 200 : 403);
        assertThat(platform.audit().byRequestId("req-decide")).singleElement().satisfies(event -> {
            assertThat(event.eventType()).isEqualTo("step_up_decided");
            assertThat(event.decision()).isEqualTo(word);
            assertThat(event.evaluationStatus()).isEqualTo("complete");
            assertThat(event.metadata())
                    .isEqualTo(Map.of("challenge_id", asked.id(), "approver_class", "any", "binding", asked.binding()));
        });
        assertError(
                decide(asked.id(), alice, decision("approved", asked.binding())), 409, "access_denied", "approval is");
    }

    @Test
    void onlyAUserOfTheApplicationThatAskedDecides() {
        ApprovalSnapshot asked = pending();
        String body = decision("approved", asked.binding());
        String alice = user("app-local", "secret-1");

        Result anonymous =
                Http.send("POST", platform.stsUrl() + "/approvals/" + asked.id() + "/decision", body, Map.of());
        assertError(anonymous, 401, "invalid_token", "");
        assertThat(anonymous.header("www-authenticate")).isEqualTo("Bearer realm=\"caracal-sts\"");
        assertThat(anonymous.json()).doesNotContainKey("requestId");
        assertError(decide(asked.id(), "bearer " + alice, body), 401, "invalid_token", "");
        Result forged = decide(asked.id(), "Bearer x", body);
        assertError(forged, 401, "invalid_token", "");
        assertThat(forged.headers().firstValue("www-authenticate")).isEmpty();
        assertError(decide(asked.id(), "Bearer " + Http.token(platform), body), 403, "access_denied", "user");
        assertError(
                decide(asked.id(), "Bearer " + agent.mandate("billing:read", BILLING), body),
                403,
                "access_denied",
                "user");
        assertError(
                decide(asked.id(), "Bearer " + user("app-second", "secret-2"), body), 403, "access_denied", "another");
        clock.advance(Duration.ofMinutes(4));
        assertThat(poll(asked.id(), "").text("state")).isEqualTo("pending");
        platform.revokeTokens("app-local");
        assertError(decide(asked.id(), "Bearer " + alice, body), 401, "invalid_token", "");
    }

    /** A child does not inherit the user of its parent: if it names none, any user may decide. */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void aChildIsItsUsersToDecideAboutOnlyIfItNamesTheUser(boolean named) {
        String bearer = Http.token(platform);
        String record =
                String.valueOf(Http.claims(user("app-local", "secret-1")).get("sid"));
        Result parent = Http.agents(
                platform,
                bearer,
                "POST",
                "",
                Http.json("application_id", "app-local", "labels", List.of("app-local"), "subject_session_id", record));
        assertThat(parent.text("subject_authority_record_id")).isEqualTo(record);
        Map<String, Object> start = new HashMap<>(Map.of(
                "application_id",
                "app-local",
                "labels",
                List.of("app-local"),
                "parent_id",
                parent.text("agent_session_id"),
                "parent_authority",
                "none"));
        if (named) {
            start.put("subject_session_id", record);
        }
        Result child = Http.agents(platform, bearer, "POST", "", new String(Json.write(start), StandardCharsets.UTF_8));
        assertThat(child.text("subject_authority_record_id").equals(record)).isEqualTo(named);
        Delegated narrowed = Delegated.between(
                platform,
                parent.text("agent_session_id"),
                child.text("agent_session_id"),
                clock.instant().plusSeconds(600),
                List.of(BILLING),
                "billing:charge");
        Result held = mint(narrowed.form("billing:charge"));
        String id = held.text("approval_id");
        String decision = decision("approved", held.text("binding"));

        Result bobs = decide(id, "Bearer " + user("app-local", "secret-1", "bob"), decision);
        if (named) {
            assertError(bobs, 403, "access_denied", "another subject");
            assertThat(decide(id, "Bearer " + user("app-local", "secret-1"), decision)
                            .status())
                    .isEqualTo(200);
        } else {
            assertThat(bobs.status()).as(bobs.body()).isEqualTo(200);
        }
        assertThat(platform.audit().events())
                .filteredOn(event -> event.eventType().equals("step_up_issued"))
                .last()
                .satisfies(event ->
                        assertThat(event.metadata()).containsEntry("approver_class", named ? "subject" : "any"));
    }

    @Test
    void aDecisionNamesWhatItIsAbout() {
        ApprovalSnapshot asked = pending();
        String alice = "Bearer " + user("app-local", "secret-1");
        String body = decision("approved", asked.binding());
        assertError(
                decide("5f6e7e5e-0000-4000-8000-000000000000", alice, body), 404, "resource_not_found", "not found");
        assertError(decide(asked.id(), alice, decision("approved", "0".repeat(64))), 409, "access_denied", "binding");
        for (String malformed : List.of(
                "",
                "[]",
                "{",
                Http.json("decision", "maybe", "binding", asked.binding()),
                Http.json("binding", asked.binding()),
                Http.json("decision", "approved"),
                Http.json("decision", "approved", "binding", 1),
                Http.json("decision", "approved", "binding", asked.binding(), "reason", "\u00e4".repeat(251)))) {
            assertError(decide(asked.id(), alice, malformed), 400, "invalid_token", "");
        }
        Result large = decide(asked.id(), alice, Http.json("decision", "x".repeat(65_536)));
        assertError(large, 413, "payload_too_large", "");
        assertThat(Http.get(platform.stsUrl() + "/approvals/" + asked.id() + "/decision")
                        .status())
                .isEqualTo(405);
        assertThat(poll(asked.id(), "").text("state")).isEqualTo("pending");
        clock.advance(Duration.ofMinutes(5));
        assertError(decide(asked.id(), alice, body), 409, "access_denied", "approval is expired");
    }
}
