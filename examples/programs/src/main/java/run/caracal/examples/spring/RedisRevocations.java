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
 * What an application adds to {@link CaracalConfiguration} so that a revocation at the platform reaches every instance of it:
 * the platform's streams in a Redis. The properties {@code caracal.redis.uri} and {@code caracal.redis.hmac-key} say where
 * that is and with which key the platform signs, {@code caracal.redis.consumer} names this instance.
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

    /** {@link #consumerLifecycle} ends it, before its connection is closed. */
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
     * For the verifier, in place of the store of the memory: most lookups need no Redis, and all are refused when nothing new
     * was heard for too long.
     */
    @Bean
    @Primary
    RevocationStore guardedRevocations(RevocationConsumer consumer, RedisRevocationStore shared) {
        return consumer.guard(RevocationStore.cached(shared));
    }
}
