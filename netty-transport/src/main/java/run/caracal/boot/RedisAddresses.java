package run.caracal.boot;

import io.lettuce.core.RedisURI;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.data.redis.autoconfigure.DataRedisConnectionDetails;
import org.springframework.boot.data.redis.autoconfigure.DataRedisConnectionDetails.Standalone;

/** Reads the address of Boot's connection to Redis. */
final class RedisAddresses {
    private RedisAddresses() {}

    /** The address; {@code null} for Sentinel, clusters and replicas. */
    static RedisRevocations.@Nullable Address of(DataRedisConnectionDetails details) {
        Standalone server = details.getStandalone();
        if (server == null) {
            return null;
        }
        RedisURI.Builder uri = RedisURI.builder()
                .withHost(server.getHost())
                .withPort(server.getPort())
                .withDatabase(server.getDatabase())
                .withSsl(details.getSslBundle() != null);
        String password = details.getPassword();
        if (password != null && details.getUsername() != null) {
            uri.withAuthentication(details.getUsername(), password.toCharArray());
        } else if (password != null) {
            uri.withPassword(password.toCharArray());
        }
        return new RedisRevocations.Address(uri.build());
    }
}
