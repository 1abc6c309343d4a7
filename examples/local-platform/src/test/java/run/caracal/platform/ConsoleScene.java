package run.caracal.platform;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.errorprone.annotations.CanIgnoreReturnValue;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import run.caracal.platform.Http.Result;

/** A platform with a console, and calls for it to show. */
final class ConsoleScene implements AutoCloseable {

    static final String ORDERS = "orders";
    static final String LEDGER = "ledger";
    static final String BILLING = "resource://billing-api";
    static final String BOOKS = "resource://ledger-api";

    final LocalPlatform platform;

    ConsoleScene() {
        platform = LocalPlatform.builder()
                .application(ORDERS, "secret-of-orders")
                .application(LEDGER, "secret-of-ledger")
                .resource(ProtectedResource.of(BILLING, "billing:charge", "billing:read", "billing:refund")
                        .withRole("billing")
                        .withApproval("extreme", "billing:refund"))
                .resource(ProtectedResource.of(BOOKS, "ledger:append", "ledger:read")
                        .withOwner(LEDGER))
                .console(0)
                .start();
    }

    /** The state of a console without servers, for sessions that are opened without a client. */
    static ConsoleState.Source withoutClients(PlatformLimits limits) {
        Zone zone = new Zone(
                "zone",
                Map.of(ORDERS, new Zone.Application(ORDERS, "secret")),
                Map.of(),
                limits,
                Clock.systemUTC(),
                ZoneKeys.generate(),
                new TrustedIssuers(List.of()),
                Revocations.NONE);
        DelegationGraph graph = new DelegationGraph(Revocations.NONE);
        Sessions sessions = new Sessions(zone, graph);
        Delegations delegations = new Delegations(zone, sessions, graph);
        Approvals approvals = new Approvals(zone);
        return new ConsoleState.Source(zone, () -> sessions, () -> delegations, () -> approvals);
    }

    /** Opens a session; returns its id. */
    @CanIgnoreReturnValue
    static String opened(Sessions sessions, String label) {
        return sessions.start(new StartRequest(
                        ORDERS, null, "record", "task", List.of(label), Map.of(), 3600L, "none", null, null))
                .session()
                .id();
    }

    String url() {
        return platform.consoleUrl().orElseThrow();
    }

    String bearer(String application) {
        return Http.token(
                platform, application, "secret-of-" + application, application.equals(ORDERS) ? BILLING : BOOKS);
    }

    /** Opens a session; {@code more} are further members of the request. */
    @CanIgnoreReturnValue
    String session(String application, @Nullable String parent, String label, @Nullable Object... more) {
        return session(bearer(application), application, parent, List.of(label), more);
    }

    @CanIgnoreReturnValue
    String session(
            String bearer, String application, @Nullable String parent, List<String> labels, @Nullable Object... more) {
        List<@Nullable Object> members = new ArrayList<>(List.of("application_id", application, "labels", labels));
        if (parent != null) {
            members.addAll(List.of("parent_id", parent));
        }
        members.addAll(List.of(more));
        Result started = Http.agents(platform, bearer, "POST", "", Http.json(members.toArray()));
        assertThat(started.status()).as(started.body()).isEqualTo(201);
        return started.text("agent_session_id");
    }

    /** Delegates scopes of a resource from one session to another, for half an hour. */
    @CanIgnoreReturnValue
    String delegation(String issuer, String source, String receiver, String target, String resource, String... scopes) {
        String body = Http.json(
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
                Map.of("resources", List.of(resource)),
                "expires_at",
                Instant.now().plus(Duration.ofMinutes(30)).toString());
        Result made = Http.coordinator(platform, bearer(issuer), "POST", "/delegations", body);
        assertThat(made.status()).as(made.body()).isEqualTo(201);
        return made.text("delegation_edge_id");
    }

    /** Requests a one-shot mandate. */
    @CanIgnoreReturnValue
    Result mint(String application, String session, String delegation, String resource, String scope) {
        Map<String, List<String>> form = new LinkedHashMap<>(Http.tokenForm(platform));
        form.put("application_id", List.of(application));
        form.put("client_secret", List.of("secret-of-" + application));
        form.put("scope", List.of(scope));
        form.put("resource", List.of(resource));
        form.put("agent_session_id", List.of(session));
        form.put("delegation_edge_id", List.of(delegation));
        return Http.form(Http.tokenUrl(platform), form, Map.of());
    }

    /** Makes one call through the Gateway; the answer carries its request id. */
    @CanIgnoreReturnValue
    Result call(String application, String session, String delegation, String resource, String scope, String path) {
        Result minted = mint(application, session, delegation, resource, scope);
        assertThat(minted.status()).as(minted.body()).isEqualTo(200);
        return Http.send(
                "POST",
                platform.gatewayUrl() + path,
                "{\"amount\":1}",
                Map.of("Authorization", "Bearer " + minted.text("access_token"), "X-Caracal-Resource", resource));
    }

    /** Holds a request; returns its id. */
    @CanIgnoreReturnValue
    String hold(String application, String session, String delegation) {
        Result held = mint(application, session, delegation, BILLING, "billing:refund");
        assertThat(held.status()).as(held.body()).isEqualTo(401);
        return held.text("approval_id");
    }

    @Override
    public void close() {
        platform.disposeLater().block(Duration.ofSeconds(10));
    }
}
