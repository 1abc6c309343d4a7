package run.caracal.boot;

import java.time.Duration;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;

/**
 * The properties of the health check, which {@code management.health.caracal.enabled=false} disables.
 *
 * @param timeout Timeout of a check.
 * @param cache How long a result is cached.
 */
@ConfigurationProperties("caracal.health")
record CaracalHealthProperties(
        @DefaultValue("5s") Duration timeout,
        @DefaultValue("10s") Duration cache) {}
