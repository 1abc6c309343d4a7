package run.caracal.platform;

import java.net.InetSocketAddress;
import java.net.SocketAddress;
import reactor.core.publisher.Mono;
import reactor.netty.http.client.HttpClient;
import reactor.netty.http.server.HttpServer;
import reactor.netty.resources.LoopResources;

/** The loopback interface of this machine. */
final class Sockets implements Network {

    private final LoopResources loops = LoopResources.create("local-platform", 2, true);

    @Override
    public HttpServer listening(HttpServer server, int port) {
        return server.runOn(loops).host("127.0.0.1").port(port);
    }

    @Override
    public int port(SocketAddress bound) {
        return ((InetSocketAddress) bound).getPort();
    }

    @Override
    public HttpClient reaching(HttpClient client) {
        return client.runOn(loops);
    }

    @Override
    public Mono<Void> close() {
        return loops.disposeLater(QUIET_TIME, CLOSE_TIMEOUT);
    }
}
