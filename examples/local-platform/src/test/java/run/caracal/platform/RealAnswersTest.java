package run.caracal.platform;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.UUID;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.netty.DisposableServer;
import reactor.netty.http.server.HttpServer;
import run.caracal.platform.Recorder.Answered;

/**
 * The platform answers as a real deployment of release 1.0.0 did: replays its requests, valid and invalid, in the same order,
 * and compares each answer with the recorded one in {@code real-platform.json}. Records contain the presence of tokens, ids and
 * times but not their values; the names of applications and zone are mapped.
 */
// Sending a request records it; few answers are needed by the next.
@SuppressWarnings("CheckReturnValue")
final class RealAnswersTest {

    private static final String ZONE = "zone-of-the-replay";
    private static final String APP = "app-of-the-replay";
    private static final String SECRET = "secret-1";
    private static final String PEER = "peer-of-the-replay";
    private static final String PEER_SECRET = "secret-2";
    private static final String BILLING = "resource://billing-api";
    private static final String LEDGER = "resource://ledger";
    private static final String PAYOUT = "resource://payout-api";
    private static final String CHARGE = "billing:charge";
    private static final String EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";
    private static final String ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token";
    private static final String ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token";
    private static final List<String> FORM = List.of("Content-Type", "application/x-www-form-urlencoded");
    private static final List<String> JSON = List.of("Content-Type", "application/json");
    private static final String AGENTS = "/zones/" + ZONE + "/agents";
    private static final String DELEGATIONS = "/zones/" + ZONE + "/delegations";
    private static final String UNKNOWN = "00000000-0000-4000-8000-000000000000";

    private final TestClock clock = new TestClock();
    private final DisposableServer upstream = upstream();
    private final LocalPlatform platform = LocalPlatform.builder()
            .clock(clock)
            .zone(ZONE)
            .application(APP, SECRET)
            .application(PEER, PEER_SECRET)
            .resource(ProtectedResource.of(BILLING, CHARGE, "billing:read").withUpstream(upstreamUrl()))
            .resource(ProtectedResource.of(LEDGER, "ledger:read", "ledger:write")
                    .withOwner(PEER)
                    .withUpstream(upstreamUrl()))
            .resource(ProtectedResource.of(PAYOUT, "payout:send")
                    .withApproval("high")
                    .withUpstream(upstreamUrl()))
            .start();
    private final Recorder recorder = new Recorder();

    @TestFactory
    Stream<DynamicTest> answersAsTheRealPlatformDid() throws Exception {
        try {
            replay();
        } finally {
            platform.disposeLater().block(Duration.ofSeconds(5));
            upstream.disposeNow();
        }
        Map<String, Map<String, @Nullable Object>> real = realRecords();
        Map<String, Map<String, @Nullable Object>> local = recorder.records();
        assertThat(local.keySet()).containsExactlyElementsOf(real.keySet());
        return real.keySet().stream()
                .map(name -> DynamicTest.dynamicTest(
                        name, () -> assertThat(local.get(name)).isEqualTo(real.get(name))));
    }

    private void replay() {
        String token = tokens();
        tokensRefused(token);
        otherRoutesOfTheSts(token);
        Started started = new Started(token);
        started.sessions();
        started.services();
        started.children();
        started.delegations();
        started.mints();
        started.gateway();
        started.revocation();
        started.ends();
        started.approval();
    }

    /** The form of a token request; a null value leaves a field out. */
    private static Map<String, List<String>> form(@Nullable String... changes) {
        Map<String, List<String>> form = new LinkedHashMap<>();
        form.put("grant_type", List.of(EXCHANGE));
        form.put("zone_id", List.of(ZONE));
        form.put("application_id", List.of(APP));
        form.put("client_secret", List.of(SECRET));
        form.put("scope", List.of("agent:lifecycle"));
        form.put("resource", List.of(BILLING));
        for (int i = 0; i < changes.length; i += 2) {
            String name = Objects.requireNonNull(changes[i]);
            String value = changes[i + 1];
            if (value == null) {
                form.remove(name);
            } else {
                form.put(name, List.of(value));
            }
        }
        return form;
    }

    private static Map<String, List<String>> peerForm(String... changes) {
        Map<String, List<String>> form = form(changes);
        form.put("application_id", List.of(PEER));
        form.put("client_secret", List.of(PEER_SECRET));
        return form;
    }

    private Answered token(String name, @Nullable String... changes) {
        return token(name, form(changes));
    }

    private Answered token(String name, Map<String, List<String>> form) {
        return tokenBody(name, Http.encode(form), FORM);
    }

    private Answered tokenBody(String name, String body, List<String> headers) {
        return recorder.record(name, "POST", platform.stsUrl() + "/oauth/2/token", body, headers);
    }

    /** An exchange that is not recorded. */
    private String fetched(Map<String, List<String>> form) {
        return recorder.send("POST", platform.stsUrl() + "/oauth/2/token", Http.encode(form), FORM)
                .text("access_token");
    }

    private Answered sts(String name, String method, String path) {
        return recorder.record(name, method, platform.stsUrl() + path, null, List.of());
    }

    private String tokens() {
        String token = token("sts01 application token").text("access_token");
        recorder.noteClaims("sts01c claims of application token", token);
        token("sts02 wrong secret", "client_secret", "nope");
        token("sts03 unknown application", "application_id", "no-such-app");
        token("sts04 blank zone", "zone_id", "");
        token("sts05 unknown zone", "zone_id", "no-such-zone");
        token("sts06 wrong grant type", "grant_type", "client_credentials");
        token("sts07 no grant type", "grant_type", null);
        String good = Http.encode(form());
        tokenBody("sts08 duplicate field", good + "&scope=x", FORM);
        tokenBody("sts09 unknown duplicate field", good + "&foo=1&foo=2", FORM);
        tokenBody("sts10 json content type", "{}", JSON);
        tokenBody("sts11 no content type", good, List.of());
        tokenBody(
                "sts12 charset parameter",
                good,
                List.of("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8"));
        recorder.record("sts13 query string", "POST", platform.stsUrl() + "/oauth/2/token?x=1", good, FORM);
        token("sts14 no resource", "resource", null);
        token("sts15 blank resource", "resource", "  ");
        token("sts16 unknown resource", "resource", "resource://nope");
        token("sts17 resource of the peer", "resource", LEDGER);
        Map<String, List<String>> two = form();
        two.put("resource", List.of(BILLING, LEDGER));
        token("sts18 two resources, one of the peer (partial)", two);
        token("sts19 business scope, no session", "scope", CHARGE);
        token("sts20 lifecycle and business scope", "scope", "agent:lifecycle " + CHARGE);
        token("sts21 no scope", "scope", null);
        token("sts22 scope twice in list", "scope", "agent:lifecycle agent:lifecycle");
        token("sts23 ttl 0", "ttl_seconds", "0");
        token("sts24 ttl 60", "ttl_seconds", "60");
        token("sts25 ttl 3600", "ttl_seconds", "3600");
        token("sts26 ttl 3601", "ttl_seconds", "3601");
        token("sts27 ttl -5", "ttl_seconds", "-5");
        token("sts28 ttl x", "ttl_seconds", "x");
        return token;
    }

    private void tokensRefused(String token) {
        token("sts29 subject_token without type", "subject_token", token);
        token(
                "sts30 subject_token access_token",
                "scope",
                CHARGE,
                "subject_token",
                token,
                "subject_token_type",
                ACCESS_TOKEN);
        token("sts31 subject_token_type unknown", "subject_token", token, "subject_token_type", "urn:x");
        token(
                "sts32 id_token garbage",
                "resource",
                null,
                "scope",
                null,
                "subject_token",
                "a.b.c",
                "subject_token_type",
                ID_TOKEN);
        token("sts33 id_token with resource", "scope", null, "subject_token", "a.b.c", "subject_token_type", ID_TOKEN);
        token("sts34 actor_token", "actor_token", "x");
        token("sts35 client_assertion empty", "client_assertion", "");
        token("sts36 fake session, no edge", "scope", CHARGE, "agent_session_id", UNKNOWN);
        token(
                "sts37 fake session and edge",
                "scope",
                CHARGE,
                "agent_session_id",
                UNKNOWN,
                "delegation_edge_id",
                UNKNOWN);
        token("sts38 edge without session", "scope", CHARGE, "delegation_edge_id", UNKNOWN);
        token("sts39 session_id unknown", "session_id", UNKNOWN);
        String good = Http.encode(form());
        tokenBody("sts40 gateway header without signature", good, plus(FORM, "X-Caracal-Gateway-Timestamp", "1"));
        tokenBody("sts41 empty body", "", FORM);
        tokenBody("sts42 malformed body", "%zz=1", FORM);
        tokenBody("sts43 70 KiB body", good + "&pad=" + "x".repeat(70_000), FORM);
    }

    private void otherRoutesOfTheSts(String token) {
        sts("sts44 GET token", "GET", "/oauth/2/token");
        sts("sts45 unknown path", "GET", "/nope");
        sts("sts46 jwks", "GET", "/.well-known/jwks.json?zone_id=" + ZONE);
        sts("sts47 jwks without zone", "GET", "/.well-known/jwks.json");
        sts("sts48 jwks unknown zone", "GET", "/.well-known/jwks.json?zone_id=no-such-zone");
        sts("sts49 approval not uuid", "GET", "/approvals/abc");
        sts("sts50 approval unknown", "GET", "/approvals/" + UNKNOWN);
        sts("sts51 approval bad wait", "GET", "/approvals/" + UNKNOWN + "?wait=x");
        String decide = platform.stsUrl() + "/approvals/" + UNKNOWN + "/decision";
        String decision = Http.json("decision", "approved", "binding", "00");
        recorder.record("sts52 decision without bearer", "POST", decide, decision, JSON);
        recorder.record("sts53 decision with application token", "POST", decide, decision, bearer(token, JSON));
        sts("sts54 health", "GET", "/health");
        String url = platform.stsUrl() + "/oauth/2/token";
        Answered named = recorder.send("POST", url, Http.encode(form()), plus(FORM, "X-Request-Id", "my-own-id-1"));
        recorder.note(
                "sts55 request id echoed",
                "status",
                (long) named.status(),
                "echo",
                named.headers().get("x-request-id"));
        Answered refused = recorder.send(
                "POST", url, Http.encode(form("client_secret", "bad")), plus(FORM, "X-Request-Id", "my-own-id-2"));
        recorder.note(
                "sts56 request id on error",
                "status",
                (long) refused.status(),
                "echo",
                refused.headers().get("x-request-id"),
                "body",
                refused.member("requestId"));
    }

    /** The steps after the first sessions, each with the ids of the previous ones. */
    private final class Started {

        private final String token;
        private final String key = UUID.randomUUID().toString();
        private final List<String> keyed;
        private final String start = Http.json("application_id", APP, "labels", List.of(APP), "ttl_seconds", 600);
        private final String peerToken = fetched(peerForm("resource", LEDGER));
        private String session = "";
        private String second = "";
        private String secondToken = "";
        private String thirdToken = "";
        private String service = "";
        private String child = "";
        private String peerSession = "";
        private String edge = "";
        private String peerEdge = "";
        private String ledgerEdge = "";
        private String mandate = "";

        Started(String token) {
            this.token = token;
            this.keyed = List.of("Idempotency-Key", key, "Idempotency-Key-Kind", "generated");
        }

        /** A request with the first token; a body is JSON. */
        private Answered call(String name, String method, String path, @Nullable String body) {
            return call(name, method, path, body, bearer(token, body == null ? List.of() : JSON));
        }

        private Answered call(String name, String method, String path, @Nullable String body, List<String> headers) {
            return recorder.record(name, method, platform.coordinatorUrl() + path, body, headers);
        }

        private Answered open(String name, @Nullable Object... members) {
            return call(name, "POST", AGENTS, Http.json(members));
        }

        void sessions() {
            session = call("co01 start task", "POST", AGENTS, start).text("agent_session_id");
            String bare = Http.json("application_id", APP);
            call("co02 no bearer", "POST", AGENTS, bare, JSON);
            call("co03 garbage bearer", "POST", AGENTS, bare, bearer("a.b.c", JSON));
            call("co04 lower case bearer", "POST", AGENTS, bare, plus(JSON, "Authorization", "bearer " + token));
            call("co05 other zone", "POST", "/zones/other/agents", bare);
            open("co06 other application", "application_id", PEER);
            open("co07 unknown application", "application_id", "nope");
            open("co08 no application");
            call("co09 malformed json", "POST", AGENTS, "{\"a\":");
            call("co10 json type, empty body", "POST", AGENTS, null, bearer(token, JSON));
            call("co11 no content type with body", "POST", AGENTS, null);
            call("co12 form content type", "POST", AGENTS, "a=b", bearer(token, FORM));
            open("co13 service with ttl", "application_id", APP, "lifecycle", "service", "ttl_seconds", 60);
            open("co14 ttl 0", "application_id", APP, "ttl_seconds", 0);
            open("co15 ttl 86401", "application_id", APP, "ttl_seconds", 86_401);
            List<String> labels = IntStream.range(0, 33).mapToObj(i -> "l" + i).toList();
            open("co16 33 labels", "application_id", APP, "labels", labels);
            open("co17 label of 65", "application_id", APP, "labels", List.of("x".repeat(65)));
            open("co18 unknown parent", "application_id", APP, "parent_id", "nope");
            open("co19 bad lifecycle", "application_id", APP, "lifecycle", "ephemeral");
            open("co20 null ttl", "application_id", APP, "ttl_seconds", null);
            open("co21 unknown subject", "application_id", APP, "subject_session_id", "nope");
            open("co22 unknown key", "application_id", APP, "ttl_seconds", 60, "foo", 1);
            List<String> headers = bearer(token, plus(JSON, keyed));
            second = call("co23 idempotent start", "POST", AGENTS, start, headers)
                    .text("agent_session_id");
            Answered replayed = call("co24 replay", "POST", AGENTS, start, headers);
            recorder.note(
                    "co24s same session",
                    "same",
                    replayed.text("agent_session_id").equals(second));
            call(
                    "co25 other body",
                    "POST",
                    AGENTS,
                    Http.json("application_id", APP, "ttl_seconds", 601),
                    bearer(token, plus(JSON, "Idempotency-Key", key)));
            secondToken = fetched(form());
            call("co26 same key, new token", "POST", AGENTS, start, bearer(secondToken, plus(JSON, keyed)));
            call(
                    "co27 key of 300",
                    "POST",
                    AGENTS,
                    bare,
                    bearer(token, plus(JSON, "Idempotency-Key", "k".repeat(300))));
            call(
                    "co28 two keys",
                    "POST",
                    AGENTS,
                    bare,
                    bearer(token, plus(JSON, "Idempotency-Key", "a", "Idempotency-Key", "b")));
            call("co29 get", "GET", AGENTS + "/" + second, null);
            call("co30 get unknown", "GET", AGENTS + "/nope", null);
            call("co31 bad id", "GET", AGENTS + "/a%20b", null);
            call("co32 list", "GET", AGENTS + "?limit=2&status=active", null);
            call("co33 list bad limit", "GET", AGENTS + "?limit=0", null);
            call("co34 children", "GET", AGENTS + "/" + session + "/children", null);
            call("co35 heartbeat of a task", "POST", AGENTS + "/" + session + "/heartbeat", healthy(1));
            call("co36 lease of a task", "POST", AGENTS + "/" + session + "/lease", null);
        }

        private String healthy(int generation) {
            return Http.json("status", "healthy", "lease_generation", generation);
        }

        void services() {
            service = open("co37 start service", "application_id", APP, "lifecycle", "service", "labels", List.of("w"))
                    .text("agent_session_id");
            String path = AGENTS + "/" + service;
            String beat = path + "/heartbeat";
            call("co38 heartbeat", "POST", beat, healthy(1));
            call("co39 heartbeat without generation", "POST", beat, Http.json("status", "healthy"));
            call("co40 heartbeat generation 0", "POST", beat, healthy(0));
            call("co41 heartbeat generation 9", "POST", beat, healthy(9));
            call("co42 heartbeat bad status", "POST", beat, Http.json("status", "great", "lease_generation", 1));
            call("co43 heartbeat no body", "POST", beat, null);
            call("co44 heartbeat unknown", "POST", AGENTS + "/nope/heartbeat", healthy(1));
            call("co45 lease", "POST", path + "/lease", null);
            call("co46 lease with json type", "POST", path + "/lease", null, bearer(token, JSON));
            call("co47 fenced heartbeat", "POST", beat, healthy(1));
            call("co48 get service", "GET", path, null);
            call("co49 delete service without generation", "DELETE", path, null);
            call("co50 delete service fenced", "DELETE", path, Http.json("lease_generation", 1));
            call("co51 lease by the peer", "POST", path + "/lease", null, bearer(peerToken));
            call("co52 get by the peer", "GET", path, null, bearer(peerToken));
            call("co53 delete by the peer", "DELETE", AGENTS + "/" + session, null, bearer(peerToken));
            call("co54 suspend", "PATCH", path + "/suspend", null);
            call("co55 heartbeat while suspended", "POST", beat, healthy(2));
            call("co56 lease while suspended", "POST", path + "/lease", null);
            call("co57 suspend again", "PATCH", path + "/suspend", null);
            call("co58 resume", "PATCH", path + "/resume", null);
            call("co59 resume again", "PATCH", path + "/resume", null);
            call("co60 delete service", "DELETE", path, Http.json("lease_generation", 2));
            call("co61 delete service again", "DELETE", path, Http.json("lease_generation", 2));
            call("co62 heartbeat when ended", "POST", beat, healthy(2));
            call("co63 lease when ended", "POST", path + "/lease", null);
        }

        void children() {
            child = open("co64 child", child(session)).text("agent_session_id");
            open("co65 child, service", "application_id", APP, "parent_id", session, "lifecycle", "service");
            call(
                    "co66 child by the peer",
                    "POST",
                    AGENTS,
                    Http.json("application_id", PEER, "parent_id", session),
                    bearer(peerToken, JSON));
            open(
                    "co67 inherit edge of none",
                    "application_id",
                    APP,
                    "parent_id",
                    session,
                    "inherit_parent_edge_id",
                    "nope");
            open(
                    "co68 parent_authority none",
                    "application_id",
                    APP,
                    "parent_id",
                    session,
                    "parent_authority",
                    "none",
                    "ttl_seconds",
                    600);
        }

        private Object[] child(String parent) {
            return new Object[] {"application_id", APP, "parent_id", parent, "labels", List.of(APP), "ttl_seconds", 600
            };
        }

        /** A delegation from one session to another for five minutes, with changes; a null value leaves a member out. */
        private String give(String source, String target, String scope, @Nullable Object... changes) {
            Map<String, @Nullable Object> body = new LinkedHashMap<>();
            body.put("issuer_application_id", APP);
            body.put("source_session_id", source);
            body.put("target_session_id", target);
            body.put("receiver_application_id", APP);
            body.put("scopes", List.of(scope));
            body.put("resource_id", BILLING);
            body.put("ttl_seconds", 300);
            for (int i = 0; i < changes.length; i += 2) {
                body.put(String.valueOf(changes[i]), changes[i + 1]);
            }
            body.values().removeIf(Objects::isNull);
            return new String(Json.write(body), StandardCharsets.UTF_8);
        }

        private Answered delegate(String name, @Nullable Object... changes) {
            return call(name, "POST", DELEGATIONS, give(session, child, CHARGE, changes));
        }

        void delegations() {
            Answered given = delegate("de01 delegate");
            edge = given.text("delegation_edge_id");
            recorder.note(
                    "de01s shape",
                    "resource_is_identifier",
                    given.text("resource_id").equals(BILLING),
                    "constraints",
                    given.member("constraints"),
                    "ea",
                    Recorder.shape(given.member("effective_authority"), 2));
            delegate("de02 no expiry", "ttl_seconds", null);
            delegate("de03 no resource", "resource_id", null);
            delegate("de04 unknown resource", "resource_id", "resource://nope");
            delegate("de05 scope of none", "scopes", List.of("billing:nope"));
            delegate("de06 self", "target_session_id", session);
            delegate("de07 unknown target", "target_session_id", "nope");
            delegate("de08 unknown constraint", "constraints", Map.of("foo", 1));
            delegate("de09 max_hops 11", "constraints", Map.of("max_hops", 11));
            delegate("de10 max_hops 0", "constraints", Map.of("max_hops", 0));
            delegate("de11 no scopes", "scopes", List.of());
            delegate("de12 ttl 86401", "ttl_seconds", 86_401);
            delegate("de13 expiry with offset", "ttl_seconds", null, "expires_at", "2030-01-01T00:00:00+00:00");
            delegate("de14 expiry in the past", "ttl_seconds", null, "expires_at", "2020-01-01T00:00:00Z");
            delegate("de15 issuer is the peer", "issuer_application_id", PEER);
            delegate("de16 receiver mismatch", "receiver_application_id", PEER);
            call(
                    "de17 cycle",
                    "POST",
                    DELEGATIONS,
                    give(child, session, CHARGE, "ttl_seconds", 200, "parent_edge_id", edge));
            String grandchild = open(
                            "de18 child of C1",
                            "application_id",
                            APP,
                            "parent_id",
                            child,
                            "labels",
                            List.of(APP),
                            "ttl_seconds",
                            600,
                            "parent_authority",
                            "none")
                    .text("agent_session_id");
            call(
                    "de19 narrow further without hops",
                    "POST",
                    DELEGATIONS,
                    give(child, grandchild, CHARGE, "ttl_seconds", 100));
            call("de20 widen", "POST", DELEGATIONS, give(child, grandchild, "billing:read", "ttl_seconds", 100));
            String inbound = DELEGATIONS + "/inbound/" + child;
            call("de21 inbound list", "GET", inbound, null);
            call("de22 inbound one", "GET", inbound + "/" + edge, null);
            call("de23 inbound one, unknown", "GET", inbound + "/nope", null);
            call("de24 inbound by the peer", "GET", inbound, null, bearer(peerToken));
            open(
                    "de25 child inherits",
                    "application_id",
                    APP,
                    "parent_id",
                    child,
                    "labels",
                    List.of(APP),
                    "ttl_seconds",
                    300);
            peerSession = call(
                            "de26 session of the peer",
                            "POST",
                            AGENTS,
                            Http.json("application_id", PEER, "labels", List.of(PEER), "ttl_seconds", 600),
                            bearer(peerToken, JSON))
                    .text("agent_session_id");
            peerEdge = call(
                            "de27 delegate to the peer, own resource",
                            "POST",
                            DELEGATIONS,
                            give(session, peerSession, CHARGE, "receiver_application_id", PEER))
                    .text("delegation_edge_id");
            ledgerEdge = call(
                            "de28 delegate to the peer, resource of the peer",
                            "POST",
                            DELEGATIONS,
                            give(
                                    session,
                                    peerSession,
                                    "ledger:read",
                                    "receiver_application_id",
                                    PEER,
                                    "resource_id",
                                    LEDGER))
                    .text("delegation_edge_id");
            call(
                    "de29 inbound one for the peer",
                    "GET",
                    DELEGATIONS + "/inbound/" + peerSession + "/" + peerEdge,
                    null,
                    bearer(peerToken));
        }

        /** The form of a mandate of the child, with changes. */
        private Map<String, List<String>> mint(String... changes) {
            Map<String, List<String>> form =
                    form("scope", CHARGE, "agent_session_id", child, "delegation_edge_id", edge);
            for (int i = 0; i < changes.length; i += 2) {
                form.put(changes[i], List.of(changes[i + 1]));
            }
            return form;
        }

        private Map<String, List<String>> byPeer(Map<String, List<String>> form) {
            form.putAll(Map.of("application_id", List.of(PEER), "client_secret", List.of(PEER_SECRET)));
            return form;
        }

        void mints() {
            clock.advance(Duration.ofMillis(950)); // a second of the delegation's lifetime has passed
            mandate = token("mi01 mint", mint()).text("access_token");
            recorder.noteClaims("mi01c claims of a mandate", mandate);
            token("mi02 scope beyond edge", mint("scope", "billing:read"));
            token("mi03 two scopes, one beyond", mint("scope", "billing:charge billing:read"));
            token("mi04 other resource", mint("scope", "ledger:read", "resource", LEDGER));
            token("mi05 undeclared scope", mint("scope", "billing:nope"));
            token("mi06 unlabelled session", mint("agent_session_id", session));
            token("mi07 session only", mint("delegation_edge_id", ""));
            token("mi08 ttl 301 > edge", mint("ttl_seconds", "301"));
            token("mi09 ttl 3601", mint("ttl_seconds", "3601"));
            token("mi10 lifecycle scope", mint("scope", "agent:lifecycle"));
            token("mi11 by the peer with the session of ours", byPeer(mint()));
            token(
                    "mi12 peer, delegated, resource of the issuer",
                    byPeer(mint("agent_session_id", peerSession, "delegation_edge_id", peerEdge)));
            token(
                    "mi13 peer, delegated, own resource",
                    byPeer(mint(
                            "agent_session_id",
                            peerSession,
                            "delegation_edge_id",
                            ledgerEdge,
                            "scope",
                            "ledger:read",
                            "resource",
                            LEDGER)));
        }

        private Answered through(String name, String method, String path, String... headers) {
            return recorder.record(
                    name,
                    method,
                    platform.gatewayUrl() + path,
                    method.equals("GET") ? null : "{}",
                    plus(JSON, headers));
        }

        private Answered charge(String name, String bearer, String... headers) {
            List<String> all = new ArrayList<>(List.of("X-Caracal-Resource", BILLING));
            if (!bearer.isEmpty()) {
                all.addAll(List.of("Authorization", bearer));
            }
            all.addAll(List.of(headers));
            return through(name, "POST", "/charge", all.toArray(String[]::new));
        }

        private Answered call(String name, String method, String path, String bearer, boolean fresh) {
            return through(
                    name,
                    method,
                    path,
                    "X-Caracal-Resource",
                    BILLING,
                    "Authorization",
                    "Bearer " + (fresh ? fetched(mint()) : bearer));
        }

        void gateway() {
            charge("gw01 no bearer", "");
            charge("gw02 basic", "Basic eDp5");
            charge("gw03 garbage bearer", "Bearer abc");
            charge("gw04 garbage jwt", "Bearer a.b.c");
            charge("gw05 huge bearer", "Bearer " + "a".repeat(5000));
            through("gw06 no resource header", "POST", "/charge", "Authorization", "Bearer " + mandate);
            charge("gw07 client id header", "Bearer " + mandate, "X-Caracal-Client-ID", "x");
            call("gw08 traversal", "POST", "/a/%2e%2e/b", mandate, false);
            charge("gw09 application token", "Bearer " + token);
            charge(
                    "gw10 good",
                    "Bearer " + mandate,
                    "X-Request-Id",
                    "rid-10",
                    "traceparent",
                    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
            charge("gw11 reused", "Bearer " + mandate);
            through("gw12 wrong resource", "POST", "/charge", to(LEDGER));
            through("gw13 unknown resource", "POST", "/charge", to("resource://nope"));
            String good = fetched(mint());
            charge("gw14 tampered", "Bearer " + good.substring(0, good.length() - 6) + "AAAAAA");
            call("gw15 double slash", "POST", "//charge", "", true);
            call("gw16 upstream 404", "POST", "/x?status=404", "", true);
            call("gw17 upstream 503", "POST", "/x?status=503", "", true);
            call("gw18 get", "GET", "/x", "", true);
            charge("gw19 lower case scheme", "bearer " + fetched(mint()));
            charge("gw20 mandate of 30 s", "Bearer " + fetched(mint("ttl_seconds", "30")));
            through("gw21 row id as resource", "POST", "/charge", to(platform.resourceRowId(BILLING)));
            recorder.record("gw22 health", "GET", platform.gatewayUrl() + "/health", null, List.of());
            charge("gw23 bad request id", "Bearer " + fetched(mint()), "X-Request-Id", "a b");
        }

        private String[] to(String resource) {
            return new String[] {"X-Caracal-Resource", resource, "Authorization", "Bearer " + fetched(mint())};
        }

        void revocation() {
            String late = fetched(mint());
            call("de30 revoke", "PATCH", DELEGATIONS + "/" + edge + "/revoke", null);
            call("de31 revoke again", "PATCH", DELEGATIONS + "/" + edge + "/revoke", null);
            call("de32 revoke by the peer", "PATCH", DELEGATIONS + "/" + peerEdge + "/revoke", null, bearer(peerToken));
            call("de33 revoke unknown", "PATCH", DELEGATIONS + "/nope/revoke", null);
            clock.advance(Duration.ofMillis(1500));
            charge("gw24 revoked delegation", "Bearer " + late);
            call("de34 token after the revocation", "GET", AGENTS + "/" + session, null);
            call("de35 child after the revocation", "GET", AGENTS + "/" + child, null, bearer(secondToken));
            thirdToken = fetched(form());
            token("mi14 mint on a revoked edge", mint());
        }

        void ends() {
            String path = AGENTS + "/" + second;
            call("co70 delete task", "DELETE", path, null, bearer(thirdToken));
            call("co71 delete again", "DELETE", path, null, bearer(thirdToken));
            String first = AGENTS + "/" + session;
            call("co72 delete with json type, no body", "DELETE", first, null, bearer(thirdToken, JSON));
            call("co73 delete S1", "DELETE", first + "?reason=done", null, bearer(thirdToken));
            call("co74 unknown route", "GET", "/nope", null, bearer(thirdToken));
            call("co75 replay when ended", "POST", AGENTS, start, bearer(token, plus(JSON, keyed)));
            call("co76 replay when ended, new token", "POST", AGENTS, start, bearer(thirdToken, plus(JSON, keyed)));
            String verify = "/v1/verify";
            call("co77 verify session token", "POST", verify, Http.json("token", thirdToken, "zone_id", ZONE), JSON);
            call("co78 verify garbage", "POST", verify, Http.json("token", "a.b.c", "zone_id", ZONE), JSON);
            call("cl0", "DELETE", AGENTS + "/" + peerSession, null, bearer(peerToken));
        }

        void approval() {
            List<String> headers = bearer(thirdToken, JSON);
            String parent = call("ap01 parent", "POST", AGENTS, start, headers).text("agent_session_id");
            String target = call("ap02 child", "POST", AGENTS, Http.json(child(parent)), headers)
                    .text("agent_session_id");
            String gated = call(
                            "ap03 edge",
                            "POST",
                            DELEGATIONS,
                            give(parent, target, "payout:send", "resource_id", PAYOUT),
                            headers)
                    .text("delegation_edge_id");
            String[] payout = {
                "scope", "payout:send", "resource", PAYOUT, "agent_session_id", target, "delegation_edge_id", gated
            };
            Answered held = token("ap04 held", mint(payout));
            recorder.note(
                    "ap04s",
                    "approval_type",
                    held.member("approval_type"),
                    "tier",
                    held.member("tier"),
                    "binding_len",
                    (long) held.text("binding").length(),
                    "expires",
                    held.text("approval_expires_at").replaceAll("[0-9]", "9"));
            String id = held.text("approval_id");
            Answered again = token("ap05 again, converges", mint(payout));
            recorder.note("ap05s", "same", again.text("approval_id").equals(id));
            Map<String, List<String>> pending = mint(payout);
            pending.put("approval_id", List.of(id));
            token("ap06 with id, pending", pending);
            Map<String, List<String>> unknown = mint(payout);
            unknown.put("approval_id", List.of(UNKNOWN));
            token("ap07 unknown id", unknown);
            sts("ap08 poll", "GET", "/approvals/" + id);
            call("cl1", "DELETE", AGENTS + "/" + parent, null, bearer(thirdToken));
        }
    }

    private static List<String> bearer(String token, List<String> more) {
        return plus(more, "Authorization", "Bearer " + token);
    }

    private static List<String> bearer(String token) {
        return bearer(token, List.of());
    }

    private static List<String> plus(List<String> headers, String... more) {
        return plus(headers, List.of(more));
    }

    private static List<String> plus(List<String> headers, List<String> more) {
        return Stream.concat(headers.stream(), more.stream()).toList();
    }

    private static Map<String, Map<String, @Nullable Object>> realRecords() throws IOException, Json.InvalidJson {
        try (InputStream in = RealAnswersTest.class.getResourceAsStream("/real-platform.json")) {
            String text = new String(Objects.requireNonNull(in).readAllBytes(), StandardCharsets.UTF_8)
                    .replace("{{app}}", APP)
                    .replace("{{peer}}", PEER)
                    .replace("{{zone}}", ZONE);
            Map<String, Map<String, @Nullable Object>> records = new LinkedHashMap<>();
            for (Object item : (List<?>) Objects.requireNonNull(Json.parse(text.getBytes(StandardCharsets.UTF_8)))) {
                Map<String, @Nullable Object> record = Json.object();
                ((Map<?, ?>) item).forEach((name, value) -> record.put(String.valueOf(name), value));
                records.put(String.valueOf(record.remove("name")), record);
            }
            return records;
        }
    }

    private String upstreamUrl() {
        return "http://127.0.0.1:" + upstream.port();
    }

    /** Echoes the request, with the status in its query, as chunks. */
    private static DisposableServer upstream() {
        return HttpServer.create()
                .host("127.0.0.1")
                .port(0)
                .handle((request, response) -> request.receive().then().then(Mono.defer(() -> {
                    String status = request.uri().replaceAll("^[^?]*\\??(status=)?", "");
                    Map<String, @Nullable Object> got = Json.object();
                    for (String name : List.of("authorization", "baggage", "requestId", "traceparent")) {
                        String header = name.equals("requestId") ? "x-request-id" : name;
                        got.put(name, request.requestHeaders().get(header));
                    }
                    String body = Http.json("ok", true, "path", request.uri(), "got", got);
                    return response.status(status.isEmpty() ? 200 : Integer.parseInt(status))
                            .header("Content-Type", "application/json")
                            .sendString(Flux.just(body.substring(0, 1), body.substring(1)))
                            .then();
                })))
                .bindNow();
    }
}
