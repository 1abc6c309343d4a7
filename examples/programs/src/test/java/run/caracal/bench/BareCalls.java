package run.caracal.bench;

import io.netty.handler.codec.http.HttpHeaders;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import org.springframework.web.reactive.function.client.WebClient;
import reactor.core.publisher.Mono;
import reactor.netty.NettyOutbound;
import reactor.netty.http.client.HttpClient;
import reactor.netty.resources.ConnectionProvider;
import run.caracal.internal.propagation.TraceParent;
import run.caracal.netty.NettyHttpTransport;

/**
 * The calls to the platform without the SDK, as the minimum to compare with. The bodies are as long as the SDK's, every answer
 * is read to its end, and no connection is closed.
 */
final class BareCalls {
    private static final String BAGGAGE = "caracal.agent_session=01a1ffea-5c1b-7b62-8c02-6a1de7c2a4ce,caracal.hop=1";
    private static final String OPENING =
            "{\"application_id\":\"app-1\",\"lifecycle\":\"task\",\"ttl_seconds\":3600,\"labels\":[]}";
    private static final String CHILD = "{\"application_id\":\"app-1\",\"lifecycle\":\"task\",\"ttl_seconds\":3660,"
            + "\"labels\":[\"app-1\"],\"parent_id\":\"%s\",\"parent_authority\":\"none\"}";
    private static final String DELEGATION = "{\"issuer_application_id\":\"app-1\",\"source_session_id\":\"%s\","
            + "\"target_session_id\":\"%s\",\"receiver_application_id\":\"app-1\",\"scopes\":[\"" + Canned.SCOPE
            + "\"],\"resource_id\":\"" + Canned.RESOURCE + "\",\"ttl_seconds\":3660}";
    private static final String MANDATE = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange"
            + "&zone_id=zone-1&application_id=app-1&client_secret=the-client-secret&scope=billing%3Acharge"
            + "&resource=resource%3A%2F%2Fbilling-api&agent_session_id=";

    private final HttpClient client;
    private final String address;
    private final String sessions;

    BareCalls(HttpClient client, String address) {
        this.client = client;
        this.address = address;
        this.sessions = address + "/zones/zone-1/agents";
    }

    /** A pool like that of the SDK's transport, with this number of connections. */
    static ConnectionProvider pool(int connections) {
        return ConnectionProvider.builder("bench")
                .maxConnections(connections)
                .pendingAcquireMaxCount(-1)
                .maxIdleTime(NettyHttpTransport.MAX_IDLE_TIME)
                .lifo()
                .build();
    }

    /** Opens a session and ends it. */
    Mono<String> session() {
        return open(OPENING).flatMap(this::end);
    }

    /** A mandate for a session, and its call. */
    Mono<Integer> scoped(String session, String edge) {
        return mint(session, edge).flatMap(this::call);
    }

    /** A session with one call: six requests, because the end of a session ends its children. */
    Mono<String> sessionWithCall() {
        return open(OPENING)
                .flatMap(root -> open(CHILD.formatted(root))
                        .flatMap(child -> delegate(root, child).flatMap(edge -> scoped(child, edge)))
                        .flatMap(answer -> end(root)));
    }

    private Mono<String> open(String body) {
        return post(sessions, body).map(answer -> field(answer, "agent_session_id"));
    }

    private Mono<String> delegate(String source, String target) {
        return post(address + "/zones/zone-1/delegations", DELEGATION.formatted(source, target))
                .map(answer -> field(answer, "delegation_edge_id"));
    }

    private Mono<String> post(String url, String body) {
        return client.post()
                .uri(url)
                .send((request, outbound) -> {
                    identify(request.requestHeaders());
                    request.requestHeaders()
                            .set("Content-Type", "application/json")
                            .set("Idempotency-Key", TraceParent.newTraceId())
                            .set("Idempotency-Key-Kind", "generated");
                    return whole(outbound, body);
                })
                .responseSingle((response, content) -> content.asString());
    }

    private Mono<String> end(String session) {
        return client.headers(BareCalls::identify)
                .delete()
                .uri(sessions + "/" + session)
                .responseSingle((response, body) -> body.then(Mono.just(session)));
    }

    Mono<String> mint(String session, String edge) {
        return client.post()
                .uri(address + "/oauth/2/token")
                .send((request, outbound) -> {
                    request.requestHeaders()
                            .set("Accept", "application/json")
                            .set("Content-Type", "application/x-www-form-urlencoded")
                            .set("X-Request-Id", TraceParent.newTraceId());
                    return whole(outbound, MANDATE + session + "&delegation_edge_id=" + edge);
                })
                .responseSingle((response, body) -> body.asString())
                .map(answer -> field(answer, "access_token"));
    }

    private Mono<Integer> call(String mandate) {
        return client.headers(headers -> headers.set("Authorization", "Bearer " + mandate)
                        .set("X-Caracal-Resource", Canned.RESOURCE)
                        .set("traceparent", TraceParent.write(null, null))
                        .set("baggage", BAGGAGE)
                        .set("X-Request-Id", TraceParent.newTraceId()))
                .get()
                .uri(address + ClientBench.PATH)
                .responseSingle((response, body) -> body.asByteArray())
                .map(bytes -> bytes.length);
    }

    Mono<Integer> call(WebClient web, String mandate) {
        return web.get()
                .uri(URI.create(address + ClientBench.PATH))
                .headers(headers -> {
                    headers.set("Authorization", "Bearer " + mandate);
                    headers.set("X-Caracal-Resource", Canned.RESOURCE);
                    headers.set("traceparent", TraceParent.write(null, null));
                    headers.set("baggage", BAGGAGE);
                    headers.set("X-Request-Id", TraceParent.newTraceId());
                })
                .retrieve()
                .bodyToMono(byte[].class)
                .map(bytes -> bytes.length);
    }

    /** One message with its length: a body of several parts would be sent in chunks, each with a write of its own. */
    private static NettyOutbound whole(NettyOutbound outbound, String body) {
        return outbound.sendByteArray(Mono.just(body.getBytes(StandardCharsets.UTF_8)));
    }

    private static void identify(HttpHeaders headers) {
        headers.set("Authorization", "Bearer " + Canned.TOKEN)
                .set("Accept", "application/json")
                .set("traceparent", TraceParent.write(null, null));
    }

    private static String field(String answer, String name) {
        String before = "\"" + name + "\":\"";
        int from = answer.indexOf(before) + before.length();
        return answer.substring(from, answer.indexOf('"', from));
    }
}
