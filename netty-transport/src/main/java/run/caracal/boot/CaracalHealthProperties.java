package run.caracal.boot;

import java.time.Duration;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;

/**
 * How the health of the platform is asked for. Turn it off with {@code management.health.caracal.enabled}.
 *
 * @param timeout How long an answer may take.
 * @param cache How long an answer is kept.
 */
@ConfigurationProperties("caracal.health")
record CaracalHealthProperties(
        @DefaultValue("5s") Duration timeout,
        @DefaultValue("10s") Duration cache) {}
