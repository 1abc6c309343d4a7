package run.caracal.platform;

import io.netty.channel.group.ChannelGroup;
import io.netty.channel.group.DefaultChannelGroup;
import io.netty.util.concurrent.ImmediateEventExecutor;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.function.Function;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;
import reactor.netty.DisposableServer;
import reactor.netty.FutureMono;
import reactor.netty.NettyPipeline;
import reactor.netty.http.server.HttpServer;
import reactor.netty.http.server.HttpServerRequest;
import reactor.netty.http.server.HttpServerResponse;

/**
 * One HTTP server of the platform. It listens before it gets its service, because services need each other's addresses. It
 * records its requests, and applies the fault rule to them.
 */
final class Endpoint {

    private record Handling(boolean readsBody, int bodyLimit, Function<Call, Mono<Void>> handler) {}

    private static final Handling NOT_READY = new Handling(false, 0, call -> call.send(Answer.empty(503)));
    private static final Duration IDLE = Duration.ofSeconds(60);

    private final Service service;
    private final Clock clock;
    private final Ring<ReceivedRequest> received;
    private volatile Handling handling = NOT_READY;
    private volatile FaultRule faults = FaultRule.none();

    /** Completes when stalled requests are to be aborted. */
    private volatile Sinks.Empty<Void> stalls = Sinks.empty();

    private Endpoint(Service service, PlatformLimits limits, Clock clock) {
        this.service = service;
        this.clock = clock;
        this.received = new Ring<>(limits.recordedRequests);
    }

    /** An endpoint bound to an address, on which it can be stopped and started again. */
    static final class Bound {
        private final Endpoint endpoint;
        private final Network network;
        private final HttpServer template;
        private final ChannelGroup connections;
        private final int port;
        private volatile DisposableServer server;

        private Bound(
                Endpoint endpoint,
                Network network,
                HttpServer template,
                ChannelGroup connections,
                DisposableServer server) {
            this.endpoint = endpoint;
            this.network = network;
            this.template = template;
            this.connections = connections;
            this.port = network.port(server.channel().localAddress());
            this.server = server;
        }

        Endpoint endpoint() {
            return endpoint;
        }

        String url() {
            return "http://127.0.0.1:" + port;
        }

        boolean isListening() {
            return !server.isDisposed();
        }

        /** Stops listening, then closes the connections. */
        Mono<Void> close() {
            return Mono.defer(() -> {
                DisposableServer current = server;
                current.dispose();
                return current.onDispose().then(Mono.defer(() -> FutureMono.from(connections.close())));
            });
        }

        /** Listens again on the same address, unless it still does. */
        Mono<Void> open() {
            return Mono.defer(() -> isListening()
                    ? Mono.empty()
                    : network.listening(template, port)
                            .bind()
                            .doOnNext(again -> server = again)
                            .then());
        }
    }

    static Mono<Bound> bind(Service service, int port, PlatformLimits limits, Clock clock, Network network) {
        Endpoint endpoint = new Endpoint(service, limits, clock);
        // Go adds a reserve to the configured limit.
        int headerBytes = service == Service.COORDINATOR ? limits.headerBytes : limits.headerBytes + 4096;
        ChannelGroup connections = new DefaultChannelGroup(ImmediateEventExecutor.INSTANCE);
        HttpServer template = HttpServer.create()
                .channelGroup(connections)
                .idleTimeout(IDLE)
                .httpRequestDecoder(
                        decoder -> decoder.maxHeaderSize(headerBytes).maxInitialLineLength(headerBytes))
                .doOnChannelInit((observer, channel, address) -> channel.pipeline()
                        .addAfter(NettyPipeline.HttpCodec, "malformed", new MalformedRequests(service)))
                .handle(endpoint::handle);
        return network.listening(template, port)
                .bind()
                .map(server -> new Bound(endpoint, network, template, connections, server));
    }

    /** Serves requests with buffered bodies. A request is completed even if its client disconnects. */
    void answer(int bodyLimit, Function<Call, Mono<Answer>> answers) {
        handle(
                bodyLimit,
                call -> Mono.fromFuture(
                                answers.apply(call)
                                        .onErrorResume(failure -> Mono.just(panic()))
                                        .toFuture(),
                                true)
                        .flatMap(call::send));
    }

    /** Serves requests with buffered bodies, with answers that may be streamed. */
    void handle(int bodyLimit, Function<Call, Mono<Void>> handler) {
        handling = new Handling(true, bodyLimit, handler);
    }

    /** Serves requests with streamed bodies. */
    void stream(Function<Call, Mono<Void>> handler) {
        handling = new Handling(false, 0, handler);
    }

    /** Removes the recorded requests, ends all faults, and aborts stalled requests. */
    void reset() {
        Sinks.Empty<Void> over = stalls;
        stalls = Sinks.empty();
        faults = FaultRule.none();
        received.clear();
        var unused = over.tryEmitEmpty();
    }

    List<ReceivedRequest> received() {
        return received.snapshot();
    }

    void faults(FaultRule rule) {
        faults = rule;
    }

    private Mono<Void> handle(HttpServerRequest request, HttpServerResponse response) {
        Handling current = handling;
        Mono<Body> body =
                current.readsBody() ? Body.read(request.receive(), current.bodyLimit()) : Mono.just(Body.NONE);
        Mono<Void> handled = body.flatMap(read -> {
            ReceivedRequest seen = remember(request, read);
            Fault fault = Objects.requireNonNull(faults.decide(seen), "a fault rule decided nothing");
            Call call = new Call(request, response, seen, read, fault);
            return switch (fault.kind()) {
                case NONE, DELAY_RESPONSE, DROP_RESPONSE -> current.handler().apply(call);
                case DELAY -> delayed(fault.delay(), current, call);
                case RESPOND -> call.send(scripted(fault));
                case RESET_BEFORE -> call.abort();
                case STALL -> stalls.asMono().then(Mono.defer(call::abort));
            };
        });
        // Never within the task that reads the request: up to 1.3.7 Reactor Netty stops reading a connection if a
        // pipelined request is answered there (its issue 4361).
        return handled.subscribeOn(Call.loop(request));
    }

    private static Mono<Void> delayed(Duration delay, Handling handling, Call call) {
        Mono<Void> late =
                Mono.delay(delay).then(Mono.defer(() -> handling.handler().apply(call)));
        return handling.readsBody() ? Mono.fromFuture(late.onErrorComplete().toFuture(), true) : late;
    }

    private ReceivedRequest remember(HttpServerRequest request, Body body) {
        Map<String, List<String>> headers = new TreeMap<>();
        request.requestHeaders()
                .forEach(header -> headers.computeIfAbsent(
                                header.getKey().toLowerCase(Locale.ROOT), name -> new ArrayList<>())
                        .add(header.getValue()));
        ReceivedRequest seen = new ReceivedRequest(
                service, request.method().name(), request.uri(), headers, body.text(), clock.instant());
        received.add(seen);
        return seen;
    }

    private static Answer scripted(Fault fault) {
        Answer answer = new Answer(
                fault.status(),
                Map.of("Content-Type", "application/json"),
                fault.body().getBytes(StandardCharsets.UTF_8));
        for (Map.Entry<String, String> header : fault.headers().entrySet()) {
            answer = answer.with(header.getKey(), header.getValue());
        }
        return answer;
    }

    private static Answer panic() {
        return Answer.json(500, Map.of("error", "internal_error"));
    }
}
