package run.caracal.redis;

import io.lettuce.core.ClientOptions;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import io.lettuce.core.SslOptions;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.api.sync.RedisCommands;
import io.lettuce.core.resource.ClientResources;
import io.lettuce.core.resource.Delay;
import io.lettuce.core.sentinel.api.sync.RedisSentinelCommands;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import redis.embedded.RedisServer;
import redis.embedded.core.RedisServerBuilder;

/**
 * A Redis for tests, and connections to it: its own server, or for {@link #any()} the one at {@code REDIS_URL}, if set, whose
 * database is wiped.
 */
public final class TestRedis implements AutoCloseable {
    private static final int ATTEMPTS = 5;

    private final ClientResources resources;
    private final RedisClient client;
    private final RedisURI uri;
    private final int port;
    private final List<String> settings;
    private @Nullable RedisServer server;

    private TestRedis(RedisURI uri, int port, List<String> settings, boolean start) {
        this.uri = uri;
        this.port = port;
        this.settings = settings;
        if (start) {
            start();
        }
        this.resources = ClientResources.builder()
                .ioThreadPoolSize(2)
                .computationThreadPoolSize(2)
                .reconnectDelay(Delay.constant(Duration.ofMillis(50)))
                .build();
        this.client = RedisClient.create(resources);
        if (!start) {
            commands().flushdb();
        }
    }

    static TestRedis any() {
        String url = System.getenv("REDIS_URL");
        return url == null ? own() : new TestRedis(RedisURI.create(url), 0, List.of(), false);
    }

    /** Starts on a free port, or on another one if that was taken meanwhile. */
    public static TestRedis own(String... settings) {
        return own(ATTEMPTS, settings);
    }

    private static TestRedis own(int attempts, String... settings) {
        try {
            return on(freePort(), settings);
        } catch (UncheckedIOException e) {
            if (attempts == 1) {
                throw e;
            }
            return own(attempts - 1, settings);
        }
    }

    static TestRedis on(int port, String... settings) {
        return new TestRedis(RedisURI.create("127.0.0.1", port), port, List.of(settings), true);
    }

    public static int freePort() {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Starts an empty server on the same port. */
    void start() {
        try {
            RedisServerBuilder builder = RedisServer.newRedisServer()
                    .port(port)
                    .bind("127.0.0.1")
                    .setting("save \"\"")
                    .setting("appendonly no");
            for (String setting : settings) {
                builder = builder.setting(setting);
            }
            RedisServer started = builder.build();
            started.start();
            server = started;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    public void stop() {
        RedisServer running = server;
        try {
            if (running != null) {
                running.stop();
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The address of its own server; Lettuce's form masks the password. */
    public String url() {
        return "redis://127.0.0.1:" + port;
    }

    public int port() {
        return port;
    }

    StatefulRedisConnection<String, String> connect() {
        return connect(uri);
    }

    StatefulRedisConnection<String, String> connect(RedisURI other) {
        return client.connect(other);
    }

    /** A connection over TLS to a server whose settings have a TLS port. */
    StatefulRedisConnection<String, String> connectOverTls(
            int tlsPort, X509Certificate trusted, String user, String password) {
        client.setOptions(ClientOptions.builder()
                .sslOptions(SslOptions.builder()
                        .sslContext(context -> context.trustManager(trusted))
                        .build())
                .build());
        return connect(RedisURI.builder()
                .withHost("localhost")
                .withPort(tlsPort)
                .withSsl(true)
                .withAuthentication(user, password.toCharArray())
                .build());
    }

    StatefulRedisConnection<String, String> connectTo(RedisProxy proxy) {
        return connect(RedisURI.create("127.0.0.1", proxy.port()));
    }

    /** The commands of a Sentinel. */
    RedisSentinelCommands<String, String> sentinel(int sentinelPort) {
        return client.connectSentinel(RedisURI.create("127.0.0.1", sentinelPort))
                .sync();
    }

    StatefulRedisConnection<String, String> connect(String user, String password) {
        return client.connect(RedisURI.builder(uri)
                .withAuthentication(user, password.toCharArray())
                .build());
    }

    /** Blocking; for the test's thread. */
    public RedisCommands<String, String> commands() {
        return connect().sync();
    }

    @Override
    public void close() {
        client.shutdown(Duration.ZERO, Duration.ofSeconds(2));
        resources.shutdown(0, 2, TimeUnit.SECONDS).awaitUninterruptibly();
        stop();
    }
}
