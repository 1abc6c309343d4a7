package run.caracal.boot;

import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import io.lettuce.core.api.StatefulRedisConnection;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.beans.factory.DisposableBean;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;
import run.caracal.boot.CaracalInboundProperties.Redis;
import run.caracal.error.ConfigurationException;
import run.caracal.error.ConfigurationException.Problem;
import run.caracal.redis.RedisRevocationStore;
import run.caracal.redis.RevocationConsumer;
import run.caracal.verify.InMemoryRevocationStore;
import run.caracal.verify.RevocationStore;

/** Reads the platform's revocation streams over a connection of its own. */
final class RedisRevocations implements DisposableBean {
    private static final Logger log = LoggerFactory.getLogger(RedisRevocations.class);

    private static final String NOT_CLOSED = "A connection to Redis did not close cleanly";

    private final RedisClient client;
    private final RevocationConsumer consumer;
    private final RevocationStore guarded;

    /**
     * The address of Boot's own connection.
     *
     * @param uri includes the credentials
     */
    record Address(RedisURI uri) {
        /** Omits the credentials. */
        @Override
        public String toString() {
            return "Address[" + uri.getHost() + ":" + uri.getPort() + "]";
        }
    }

    private RedisRevocations(RedisClient client, Redis properties) {
        this.client = client;
        StatefulRedisConnection<String, String> connection = client.connect();
        RevocationStore store;
        RevocationConsumer.Builder builder;
        if (properties.shared()) {
            RedisRevocationStore shared = RedisRevocationStore.create(connection.reactive());
            store = RevocationStore.cached(shared);
            builder = RevocationConsumer.sharing(
                    shared, properties.consumer() == null ? machine() : properties.consumer());
        } else {
            InMemoryRevocationStore memory = InMemoryRevocationStore.create();
            store = memory;
            builder = RevocationConsumer.feeding(memory, connection.reactive());
        }
        builder = builder.hmacKey(properties.hmacKey())
                .pollInterval(properties.pollInterval())
                .blindLimit(properties.blindLimit());
        if (properties.unsigned()) {
            builder = builder.unsigned();
        }
        this.consumer = builder.start();
        this.guarded = consumer.guard(store);
    }

    /**
     * Connects. Blocks until connected, so call it at start-up.
     *
     * @param boots the address of Boot's own connection, if any
     */
    static RedisRevocations connect(Redis properties, @Nullable Address boots) {
        RedisURI uri;
        if (properties.url() != null) {
            uri = RedisURI.create(properties.url());
        } else if (boots != null) {
            uri = boots.uri();
        } else {
            throw new ConfigurationException(List.of(new Problem(
                    "caracal.inbound.revocation.redis.url",
                    "properties",
                    "is missing, and Boot's own settings (spring.data.redis) name no single server: set it")));
        }
        RedisClient client = RedisClient.create(uri);
        try {
            return new RedisRevocations(client, properties);
        } catch (RuntimeException e) {
            var unused = shutdown(client).subscribe(null, failure -> log.warn(NOT_CLOSED, failure));
            throw e;
        }
    }

    private static String machine() {
        try {
            return InetAddress.getLocalHost().getHostName();
        } catch (UnknownHostException e) {
            throw new ConfigurationException(List.of(new Problem(
                    "caracal.inbound.revocation.redis.consumer",
                    "properties",
                    "is missing, and the host name is unknown: set a unique name")));
        }
    }

    RevocationConsumer consumer() {
        return consumer;
    }

    RevocationStore guarded() {
        return guarded;
    }

    /**
     * Ends the consumer first, because it may be processing an entry. Lettuce may block, so not on the thread that closes the
     * context.
     */
    @Override
    public void destroy() {
        var unused = consumer.disposeLater()
                .onErrorComplete()
                .then(shutdown(client))
                .subscribe(null, e -> log.warn(NOT_CLOSED, e));
    }

    /** Closes the client with its connections. */
    private static Mono<Void> shutdown(RedisClient client) {
        return Mono.fromFuture(client::shutdownAsync).subscribeOn(Schedulers.boundedElastic());
    }
}
