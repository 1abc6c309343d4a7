package run.caracal.netty;

import io.netty.handler.codec.http.HttpHeaders;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import org.reactivestreams.Publisher;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;
import reactor.netty.DisposableServer;
import reactor.netty.http.server.HttpServer;
import reactor.netty.http.server.HttpServerRequest;
import reactor.netty.http.server.HttpServerResponse;
import reactor.netty.resources.LoopResources;

/** A server that records each request and answers {@code METHOD uri length authorization}. */
public final class EchoServer implements AutoCloseable {
    public record Arrival(String method, String uri, HttpHeaders headers, String connection, int length) {
        public @Nullable String header(String name) {
            return headers.get(name);
        }

        public List<String> all(String name) {
            return headers.getAll(name);
        }
    }

    public final Queue<Arrival> arrivals = new ConcurrentLinkedQueue<>();
    private final DisposableServer server;
    private final LoopResources loops = LoopResources.create("echo", 2, true);
    private final String scheme;
    private boolean recording = true;

    public EchoServer() {
        this("http", it -> it);
    }

    public EchoServer(String scheme, UnaryOperator<HttpServer> configuration) {
        this.scheme = scheme;
        server = configuration
                .apply(HttpServer.create().host("127.0.0.1").port(0).runOn(loops))
                .handle((request, response) -> later(request, answer(request, response)))
                .bindNow();
    }

    /**
     * Answers one task later: Reactor Netty up to 1.3.7 reads a kept connection no more when a request that had to wait for
     * the one before it is answered at once (its issue 4361).
     */
    static Mono<Void> later(HttpServerRequest request, Publisher<Void> answer) {
        return Mono.from(answer)
                .subscribeOn(Schedulers.fromExecutor(task -> request.withConnection(
                        connection -> connection.channel().eventLoop().execute(task))));
    }

    private Mono<Void> answer(HttpServerRequest request, HttpServerResponse response) {
        return request.receive()
                .aggregate()
                .asByteArray()
                .defaultIfEmpty(new byte[0])
                .flatMap(body -> {
                    HttpHeaders headers = request.requestHeaders();
                    if (recording) {
                        String connection = String.valueOf(request.remoteAddress());
                        arrivals.add(new Arrival(
                                request.method().name(), request.uri(), headers.copy(), connection, body.length));
                    }
                    if (request.uri().startsWith("/status/")) {
                        return response.status(Integer.parseInt(request.uri().substring("/status/".length())))
                                .sendString(Mono.just("{\"error\":\"teapot\"}".repeat(100)))
                                .then();
                    }
                    if (request.uri().startsWith("/redirect")) {
                        return response.status(307)
                                .header("Location", headers.get("x-to", "/landed"))
                                .send();
                    }
                    if (request.uri().startsWith("/cut")) {
                        return response.header("Trailer", "X-Caracal-Revoked")
                                .header("X-Request-Id", "r-cut")
                                .trailerHeaders(trailers -> trailers.set("X-Caracal-Revoked", "true"))
                                .sendString(Flux.range(0, 100).map(i -> i + "\n"), StandardCharsets.US_ASCII)
                                .then();
                    }
                    if (request.uri().startsWith("/challenge")) {
                        return response.status(401).send();
                    }
                    if (request.uri().startsWith("/hang")) {
                        return Mono.<Void>never();
                    }
                    if (request.uri().startsWith("/big")) {
                        return response.sendByteArray(Flux.range(0, 1000).map(i -> new byte[8192]))
                                .then();
                    }
                    return response.sendString(Mono.just(request.method() + " " + request.uri() + " " + body.length
                                    + " " + headers.get("authorization", "-")))
                            .then();
                });
    }

    /** Stops recording arrivals, for tests with many. */
    public void quiet() {
        recording = false;
    }

    public String url() {
        return scheme + "://localhost:" + server.port();
    }

    public int port() {
        return server.port();
    }

    public Arrival only() {
        if (arrivals.size() != 1) {
            throw new AssertionError("expected one arrival: " + arrivals);
        }
        return arrivals.element();
    }

    @Override
    public void close() {
        server.disposeNow();
        Await.done(loops.disposeLater(Duration.ZERO, Duration.ofSeconds(5)));
    }
}
