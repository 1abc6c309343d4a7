package run.caracal.platform;

import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaders;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BiFunction;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.reactivestreams.Publisher;
import reactor.core.publisher.Mono;
import reactor.netty.DisposableServer;
import reactor.netty.http.server.HttpServer;
import reactor.netty.http.server.HttpServerRequest;
import reactor.netty.http.server.HttpServerResponse;

/**
 * Lists the state of a platform and resets it, over HTTP on 127.0.0.1. Web pages cannot use it. Shows no token and no secret.
 */
final class Control {

    private final LocalPlatform platform;

    private Control(LocalPlatform platform) {
        this.platform = platform;
    }

    /** The listening server, which the caller disposes. */
    static Mono<? extends DisposableServer> start(LocalPlatform platform, int port) {
        Control control = new Control(platform);
        return HttpServer.create()
                .host("127.0.0.1")
                .port(port)
                .route(routes -> routes.get("/state", guarded(control::state)).post("/reset", guarded(control::reset)))
                .bind();
    }

    private static BiFunction<HttpServerRequest, HttpServerResponse, Publisher<Void>> guarded(
            Function<HttpServerResponse, Publisher<Void>> action) {
        return (request, response) -> isLocal(request.requestHeaders())
                ? action.apply(response)
                : response.status(403).send();
    }

    /** The Host reveals DNS rebinding, the Origin another page. */
    private static boolean isLocal(HttpHeaders headers) {
        String host = headers.get(HttpHeaderNames.HOST, "");
        String name = host.contains(":") ? host.substring(0, host.lastIndexOf(':')) : host;
        String origin = headers.get(HttpHeaderNames.ORIGIN);
        return Set.of("127.0.0.1", "localhost").contains(name) && (origin == null || origin.equals("http://" + host));
    }

    private Publisher<Void> reset(HttpServerResponse response) {
        return Mono.<Void>fromRunnable(platform::reset)
                .then(Mono.from(response.status(204).send()));
    }

    private Publisher<Void> state(HttpServerResponse response) {
        return response.header(HttpHeaderNames.CONTENT_TYPE, "application/json")
                .header(HttpHeaderNames.CACHE_CONTROL, "no-store")
                .sendByteArray(Mono.fromSupplier(() -> Json.write(state())));
    }

    private Map<String, @Nullable Object> state() {
        Map<String, @Nullable Object> state = Json.object();
        state.put("zone_id", platform.zoneId());
        state.put("resources", platform.resourcePrefixes());
        state.put("sessions", platform.sessions().stream().map(Control::json).toList());
        state.put(
                "delegations",
                platform.delegations().stream().map(Control::json).toList());
        state.put("approvals", platform.approvals().stream().map(Control::json).toList());
        List<AuditEvent> events = platform.audit().events();
        state.put("audit", events.stream().map(AuditEvent::toJson).toList());
        return state;
    }

    private static Map<String, @Nullable Object> json(SessionSnapshot session) {
        Map<String, @Nullable Object> json = Json.object();
        json.put("agent_session_id", session.id());
        json.put("application_id", session.applicationId());
        json.put("parent_id", session.parentId());
        json.put("lifecycle", session.lifecycle());
        json.put("status", session.status());
        json.put("labels", session.labels());
        json.put("started_at", Json.timestamp(session.startedAt()));
        return json;
    }

    private static Map<String, @Nullable Object> json(DelegationSnapshot delegation) {
        Map<String, @Nullable Object> json = Json.object();
        json.put("delegation_edge_id", delegation.id());
        json.put("source_session_id", delegation.sourceSessionId());
        json.put("target_session_id", delegation.targetSessionId());
        json.put("resource_id", delegation.resourceId());
        json.put("scopes", delegation.scopes());
        json.put("status", delegation.status());
        return json;
    }

    private static Map<String, @Nullable Object> json(ApprovalSnapshot approval) {
        Map<String, @Nullable Object> json = Json.object();
        json.put("approval_id", approval.id());
        json.put("application_id", approval.applicationId());
        json.put("resources", approval.resources());
        json.put("scopes", approval.scopes());
        json.put("state", approval.state());
        return json;
    }
}
