package run.caracal.platform;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.group.ChannelGroup;
import io.netty.channel.group.DefaultChannelGroup;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaders;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.util.concurrent.ImmediateEventExecutor;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;
import reactor.core.scheduler.Schedulers;
import reactor.netty.DisposableServer;
import reactor.netty.FutureMono;
import reactor.netty.http.server.HttpServer;
import reactor.netty.http.server.HttpServerRequest;
import reactor.netty.http.server.HttpServerResponse;

/**
 * The console: a page that shows the platform live, and lets an operator decide, end and revoke. It requires no credentials, so
 * it serves only 127.0.0.1, under its own name, and its own page.
 */
final class Console {

    private static final int BODY_BYTES = 1024;
    private static final int ID_LENGTH = 128;
    private static final Duration IDLE = Duration.ofSeconds(60);

    /** Sent with every answer, against caching, MIME sniffing, framing, and reads by other pages. */
    private static final Map<String, String> HEADERS = Map.of(
            "Cache-Control", "no-store",
            "X-Content-Type-Options", "nosniff",
            "X-Frame-Options", "DENY",
            "Referrer-Policy", "no-referrer",
            "Cross-Origin-Opener-Policy", "same-origin",
            "Cross-Origin-Resource-Policy", "same-origin");

    private final ConsolePage page;
    private final ConsoleState.Source source;
    private final ConsoleFeed feed;
    private final Sinks.Empty<Void> closing = Sinks.empty();
    private final ChannelGroup connections = new DefaultChannelGroup(ImmediateEventExecutor.INSTANCE);

    private Console(ConsolePage page, ConsoleState.Source source) {
        this.page = page;
        this.source = source;
        this.feed = new ConsoleFeed(source);
    }

    /** A listening console. */
    record Bound(Console console, DisposableServer server, int port) {

        String url() {
            return "http://127.0.0.1:" + port;
        }

        /** Ends the streams, stops listening and closes the connections. */
        Mono<Void> close() {
            return Mono.defer(() -> {
                var unused = console.closing.tryEmitEmpty();
                server.dispose();
                return server.onDispose().then(Mono.defer(() -> FutureMono.from(console.connections.close())));
            });
        }
    }

    /** Listens on a port of 127.0.0.1; 0 for a free one. */
    static Mono<Bound> open(int port, ConsoleState.Source source, Network network) {
        return Mono.fromCallable(ConsolePage::load)
                .subscribeOn(Schedulers.boundedElastic())
                .map(page -> new Console(page, source))
                .flatMap(console -> network.listening(HttpServer.create(), port)
                        .channelGroup(console.connections)
                        .idleTimeout(IDLE)
                        .handle(console::handle)
                        .bind()
                        .map(server -> new Bound(
                                console, server, network.port(server.channel().localAddress()))));
    }

    private Mono<Void> handle(HttpServerRequest request, HttpServerResponse response) {
        Mono<Void> handled =
                Body.read(request.receive(), BODY_BYTES).flatMap(body -> Mono.from(route(request, response, body)));
        // Never within the task that reads the request, see Endpoint.
        return handled.subscribeOn(Call.loop(request));
    }

    private Mono<Void> route(HttpServerRequest request, HttpServerResponse response, Body body) {
        String path = "/" + request.path();
        boolean isPage = path.equals("/");
        Answer answer;
        if (!isOwn(request, isPage)) {
            answer = refused(403, "foreign_origin", "the console answers to its own page only");
        } else if (isPage) {
            answer = allowing(
                    request,
                    HttpMethod.GET,
                    () -> new Answer(200, Map.of("Content-Type", "text/html; charset=utf-8"), page.html())
                            .with("Content-Security-Policy", page.policy()));
        } else if (path.equals("/events") && request.method().equals(HttpMethod.GET)) {
            return stream(request, response);
        } else if (path.equals("/explain")) {
            answer = allowing(request, HttpMethod.GET, () -> explain(request));
        } else if (path.equals("/actions")) {
            answer = allowing(request, HttpMethod.POST, () -> act(request, body));
        } else {
            answer = refused(404, "not_found", "there is nothing at " + path);
        }
        return send(response, answer);
    }

    /**
     * Whether a request comes from the console's own page, or from a program other than a browser. Checks the host, because
     * other names may resolve to 127.0.0.1, and the origin, because any page may send requests here; without an origin,
     * browsers send {@code Sec-Fetch-Site}. Any page may link to the console.
     */
    private static boolean isOwn(HttpServerRequest request, boolean isPage) {
        HttpHeaders headers = request.requestHeaders();
        InetSocketAddress own = request.hostAddress();
        List<String> hosts = headers.getAll(HttpHeaderNames.HOST);
        if (own == null
                || hosts.size() != 1
                || !Set.of("127.0.0.1:" + own.getPort(), "localhost:" + own.getPort())
                        .contains(hosts.get(0))) {
            return false;
        }
        String origin = headers.get(HttpHeaderNames.ORIGIN);
        String site = headers.get("Sec-Fetch-Site");
        return (origin == null || origin.equals("http://" + hosts.get(0)))
                && (isPage || site == null || Set.of("same-origin", "none").contains(site));
    }

    private static Answer allowing(HttpServerRequest request, HttpMethod method, Action action) {
        if (!request.method().equals(method)) {
            return refused(405, "method_not_allowed", "only " + method + " is allowed here")
                    .with("Allow", method.name());
        }
        try {
            return action.answer();
        } catch (Refusal refusal) {
            return refused(refusal.status, refusal.code, refusal.description);
        }
    }

    private interface Action {
        Answer answer();
    }

    private Answer explain(HttpServerRequest request) {
        int query = request.uri().indexOf('?');
        Form fields;
        try {
            fields = Form.parse(query < 0 ? "" : request.uri().substring(query + 1));
        } catch (IllegalArgumentException e) {
            throw new Refusal(400, "invalid_query", "the query is malformed");
        }
        List<Map<String, @Nullable Object>> events = source.zone().audit.ofCall(fields.first("request_id")).stream()
                .map(ConsoleState.Source::event)
                .toList();
        return Answer.json(200, events);
    }

    /** Executes a button of the page. No form or simple cross-origin request can have the required content type. */
    private Answer act(HttpServerRequest request, Body body) {
        if (!"application/json".equals(request.requestHeaders().get(HttpHeaderNames.CONTENT_TYPE))) {
            throw new Refusal(415, "unsupported_media_type", "an action is sent as application/json");
        }
        Fields fields;
        try {
            fields = new Fields(body.tooLarge() ? null : Json.parse(body.bytes()));
        } catch (Json.InvalidJson e) {
            throw new Refusal(400, "invalid_action", "the action is not JSON");
        }
        String action = fields.requiredText("action", ID_LENGTH);
        String id = fields.requiredText("id", ID_LENGTH);
        if (!fields.issues().isEmpty()) {
            throw new Refusal(400, "invalid_action", "an action has the members action and id");
        }
        return switch (action) {
            case "approve" -> decide(id, true);
            case "reject" -> decide(id, false);
            case "end" -> end(id);
            case "revoke" -> revoke(id);
            default -> throw new Refusal(400, "invalid_action", "an action is approve, reject, end or revoke");
        };
    }

    private Answer decide(String approvalId, boolean approved) {
        ApprovalSnapshot decided = source.approvals().decide(approvalId, approved, Ids.random());
        return Answer.json(200, Map.of("state", decided.state()));
    }

    private Answer end(String sessionId) {
        int ended = source.sessions().endAll(List.of(sessionId), "ended_by_operator");
        if (ended == 0) {
            throw new Refusal(404, "session_not_found", "the session is not open");
        }
        return Answer.json(200, Map.of("sessions", ended));
    }

    /** Revokes as the issuing application, which alone may. */
    private Answer revoke(String delegationId) {
        DelegationSnapshot delegation = source.delegations().all().stream()
                .filter(candidate -> candidate.id().equals(delegationId))
                .findFirst()
                .orElseThrow(() -> new Refusal(404, "delegation_not_found", "there is no such delegation"));
        Delegations.Revoked revoked = source.delegations().revoke(delegationId, delegation.issuerApplicationId());
        return Answer.json(200, Map.of("delegations", revoked.edges(), "sessions", revoked.sessions()));
    }

    private Mono<Void> stream(HttpServerRequest request, HttpServerResponse response) {
        Flux<ByteBuf> events = feed.messages(() -> isReady(request))
                .map(message -> Unpooled.wrappedBuffer(
                        "data: ".getBytes(StandardCharsets.UTF_8),
                        Json.write(message),
                        "\n\n".getBytes(StandardCharsets.UTF_8)))
                .takeUntilOther(closing.asMono());
        HEADERS.forEach(response.responseHeaders()::set);
        return response.sse().send(events, event -> true).then();
    }

    /** Whether all messages were written, except for those in the connection's buffers. */
    private static boolean isReady(HttpServerRequest request) {
        boolean[] writable = new boolean[1];
        request.withConnection(connection -> writable[0] = connection.channel().isWritable());
        return writable[0];
    }

    private static Answer refused(int status, String code, @Nullable String description) {
        return Answer.json(status, Map.of("error", code, "message", description == null ? code : description));
    }

    private static Mono<Void> send(HttpServerResponse response, Answer answer) {
        response.status(answer.status());
        HEADERS.forEach(response.responseHeaders()::set);
        answer.headers().forEach(response.responseHeaders()::set);
        return response.sendByteArray(Mono.just(answer.body())).then();
    }
}
