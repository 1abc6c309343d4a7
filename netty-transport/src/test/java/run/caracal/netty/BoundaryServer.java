package run.caracal.netty;

import java.time.Duration;
import java.util.function.BiFunction;
import org.reactivestreams.Publisher;
import reactor.core.publisher.Mono;
import reactor.netty.DisposableServer;
import reactor.netty.http.server.HttpServer;
import reactor.netty.http.server.HttpServerRequest;
import reactor.netty.http.server.HttpServerResponse;
import reactor.netty.resources.LoopResources;

/** A server at the loopback address. */
public final class BoundaryServer implements AutoCloseable {
    private final LoopResources loops = LoopResources.create("boundary", 2, true);
    private final DisposableServer server;

    public BoundaryServer(
            BiFunction<? super HttpServerRequest, ? super HttpServerResponse, ? extends Publisher<Void>> handler) {
        server = HttpServer.create()
                .host("127.0.0.1")
                .port(0)
                .httpRequestDecoder(spec -> spec.maxHeaderSize(1 << 20))
                .runOn(loops)
                .handle((request, response) ->
                        EchoServer.later(request, Mono.defer(() -> Mono.from(handler.apply(request, response)))))
                .bindNow();
    }

    public int port() {
        return server.port();
    }

    public String url() {
        return "http://localhost:" + port();
    }

    @Override
    public void close() {
        server.disposeNow();
        Await.done(loops.disposeLater(Duration.ZERO, Duration.ofSeconds(5)));
    }
}
