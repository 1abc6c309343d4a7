package run.caracal.platform;

import java.net.SocketAddress;
import java.time.Duration;
import reactor.core.publisher.Mono;
import reactor.netty.http.client.HttpClient;
import reactor.netty.http.server.HttpServer;

/** The listeners of a platform's servers, and the way of clients to them. */
interface Network {

    /** How long the threads may take to end. */
    Duration CLOSE_TIMEOUT = Duration.ofSeconds(2);

    /** Without it, a loop that has tasks when it is told to end does so before it closes what is open on it. */
    Duration QUIET_TIME = Duration.ofMillis(50);

    /** The server, to listen on a port of 127.0.0.1; 0 takes a free one. */
    HttpServer listening(HttpServer server, int port);

    /** The port of an address that a server of this network was bound to. */
    int port(SocketAddress bound);

    /** The client, for the servers of this network. */
    HttpClient reaching(HttpClient client);

    /** Ends the threads. */
    Mono<Void> close();
}
