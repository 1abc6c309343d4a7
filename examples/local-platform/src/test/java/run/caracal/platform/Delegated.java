package run.caracal.platform;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Instant;
import java.util.List;
import java.util.Map;
import run.caracal.platform.Http.Result;

/** A session of the first application that was given a slice of its authority, to mint mandates for one call with. */
final class Delegated {

    private final LocalPlatform platform;
    private final String session;
    private final String edge;

    private Delegated(LocalPlatform platform, String session, String edge) {
        this.platform = platform;
        this.session = session;
        this.edge = edge;
    }

    /** Opens two sessions and delegates from one to the other, for half an hour. */
    static Delegated on(LocalPlatform platform, List<String> resources, String... scopes) {
        String bearer = Http.token(platform);
        Instant expiry = new Mandate(Http.claims(bearer)).expiresAt().plusSeconds(900);
        String application = platform.applicationId();
        String start = Http.json("application_id", application, "labels", List.of(application));
        String source = Http.agents(platform, bearer, "POST", "", start).text("agent_session_id");
        String target = Http.agents(platform, bearer, "POST", "", start).text("agent_session_id");
        return between(platform, source, target, expiry, resources, scopes);
    }

    /** Delegates from one session of the first application to another, which mints. */
    static Delegated between(
            LocalPlatform platform,
            String source,
            String target,
            Instant expiry,
            List<String> resources,
            String... scopes) {
        String application = platform.applicationId();
        Result result = Http.coordinator(
                platform,
                Http.token(platform),
                "POST",
                "/delegations",
                Http.json(
                        "issuer_application_id",
                        application,
                        "source_session_id",
                        source,
                        "target_session_id",
                        target,
                        "receiver_application_id",
                        application,
                        "scopes",
                        List.of(scopes),
                        "constraints",
                        Map.of("resources", resources),
                        "expires_at",
                        expiry.toString()));
        assertThat(result.status()).as(result.body()).isEqualTo(201);
        return new Delegated(platform, target, result.text("delegation_edge_id"));
    }

    String session() {
        return session;
    }

    /** The form that asks for a mandate for the first resource. */
    Map<String, List<String>> form(String scopes) {
        Map<String, List<String>> form = Http.tokenForm(platform);
        form.put("scope", List.of(scopes));
        form.put("agent_session_id", List.of(session));
        form.put("delegation_edge_id", List.of(edge));
        return form;
    }

    /** A mandate for one call to one of these resources. */
    String mandate(String scopes, String... resources) {
        Map<String, List<String>> form = form(scopes);
        form.put("resource", List.of(resources));
        Result result = Http.form(Http.tokenUrl(platform), form, Map.of());
        assertThat(result.status()).as(result.body()).isEqualTo(200);
        return result.text("access_token");
    }
}
