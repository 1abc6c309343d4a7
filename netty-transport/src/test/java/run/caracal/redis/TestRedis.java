package run.caracal.redis;

import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.api.sync.RedisCommands;
import io.lettuce.core.resource.ClientResources;
import io.lettuce.core.resource.Delay;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import redis.embedded.RedisServer;

/**
 * A Redis for tests, and connections to it: a server of its own, or for {@link #any()} the one of {@code REDIS_URL} when that
 * is set, whose database is wiped.
 */
final class TestRedis implements AutoCloseable {
    private final ClientResources resources = ClientResources.builder()
            .ioThreadPoolSize(2)
            .computationThreadPoolSize(2)
            .reconnectDelay(Delay.constant(Duration.ofMillis(50)))
            .build();
    private final RedisClient client;
    private final RedisURI uri;
    private final int port;
    private @Nullable RedisServer server;

    private TestRedis(RedisURI uri, int port, boolean start) {
        this.uri = uri;
        this.port = port;
        this.client = RedisClient.create(resources);
        if (start) {
            start();
        } else {
            commands().flushdb();
        }
    }

    static TestRedis any() {
        String url = System.getenv("REDIS_URL");
        return url == null ? own() : new TestRedis(RedisURI.create(url), 0, false);
    }

    static TestRedis own() {
        int port = freePort();
        return new TestRedis(RedisURI.create("127.0.0.1", port), port, true);
    }

    static int freePort() {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Starts an empty server on the port that it always has. */
    void start() {
        try {
            RedisServer started = RedisServer.newRedisServer()
                    .port(port)
                    .bind("127.0.0.1")
                    .setting("save \"\"")
                    .setting("appendonly no")
                    .build();
            started.start();
            server = started;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    void stop() {
        RedisServer running = server;
        try {
            if (running != null) {
                running.stop();
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The address of a server of its own; Lettuce's form of it shows a masked password. */
    String url() {
        return "redis://127.0.0.1:" + port;
    }

    StatefulRedisConnection<String, String> connect() {
        return client.connect(uri);
    }

    StatefulRedisConnection<String, String> connect(String user, String password) {
        return client.connect(RedisURI.builder(uri)
                .withAuthentication(user, password.toCharArray())
                .build());
    }

    /** For the test's own thread. */
    RedisCommands<String, String> commands() {
        return connect().sync();
    }

    @Override
    public void close() {
        client.shutdown(Duration.ZERO, Duration.ofSeconds(2));
        resources.shutdown(0, 2, TimeUnit.SECONDS).awaitUninterruptibly();
        stop();
    }
}
