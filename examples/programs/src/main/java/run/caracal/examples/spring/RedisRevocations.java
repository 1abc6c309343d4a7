package run.caracal.examples.spring;

import io.lettuce.core.RedisClient;
import io.lettuce.core.api.StatefulRedisConnection;
import java.time.Duration;
import org.springframework.context.SmartLifecycle;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Primary;
import org.springframework.core.env.Environment;
import run.caracal.redis.RedisRevocationStore;
import run.caracal.redis.RevocationConsumer;
import run.caracal.verify.RevocationStore;

/**
 * An addition to {@link CaracalConfiguration} that reads the platform's revocation streams, so that revocations reach every
 * instance. The properties {@code caracal.redis.uri} and {@code caracal.redis.hmac-key} are the address of the Redis and the
 * platform's signing key; {@code caracal.redis.consumer} names this instance.
 */
@Configuration(proxyBeanMethods = false)
class RedisRevocations {
    private static final Duration POLL_INTERVAL = Duration.ofMillis(100);

    @Bean(destroyMethod = "shutdown")
    RedisClient redisClient(Environment environment) {
        return RedisClient.create(environment.getRequiredProperty("caracal.redis.uri"));
    }

    @Bean
    StatefulRedisConnection<String, String> redis(RedisClient client) {
        return client.connect();
    }

    @Bean
    RedisRevocationStore sharedRevocations(StatefulRedisConnection<String, String> redis) {
        return RedisRevocationStore.create(redis.reactive());
    }

    /** {@link #consumerLifecycle} closes it before its connection. */
    @Bean(destroyMethod = "")
    RevocationConsumer revocationConsumer(RedisRevocationStore shared, Environment environment) {
        return RevocationConsumer.sharing(shared, environment.getRequiredProperty("caracal.redis.consumer"))
                .hmacKey(environment.getRequiredProperty("caracal.redis.hmac-key"))
                .pollInterval(POLL_INTERVAL)
                .start();
    }

    @Bean
    SmartLifecycle consumerLifecycle(RevocationConsumer consumer) {
        return new CaracalLifecycle("The revocation consumer", consumer.disposeLater());
    }

    /**
     * Replaces the in-memory store of the verifier: most lookups are cached, and all fail when the streams could not be read
     * for too long.
     */
    @Bean
    @Primary
    RevocationStore guardedRevocations(RevocationConsumer consumer, RedisRevocationStore shared) {
        return consumer.guard(RevocationStore.cached(shared));
    }
}
