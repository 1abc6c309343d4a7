package run.caracal.platform;

import java.net.SocketAddress;
import java.time.Duration;
import reactor.core.publisher.Mono;
import reactor.netty.http.client.HttpClient;
import reactor.netty.http.server.HttpServer;

/** The network of a platform: binds its servers, and connects clients to them. */
interface Network {

    /** The timeout of the shutdown of the threads. */
    Duration CLOSE_TIMEOUT = Duration.ofSeconds(2);

    /** Without a quiet period, a loop with pending tasks ends before it has closed its connections. */
    Duration QUIET_TIME = Duration.ofMillis(50);

    /** The server, configured for a port of 127.0.0.1; 0 for a free one. */
    HttpServer listening(HttpServer server, int port);

    /** The port of a bound address. */
    int port(SocketAddress bound);

    /** The client, configured for this network. */
    HttpClient reaching(HttpClient client);

    /** Ends the threads. */
    Mono<Void> close();
}
