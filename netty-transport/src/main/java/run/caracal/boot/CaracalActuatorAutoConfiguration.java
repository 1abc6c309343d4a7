package run.caracal.boot;

import java.util.LinkedHashMap;
import java.util.Map;
import org.springframework.beans.factory.config.ConfigurableListableBeanFactory;
import org.springframework.boot.actuate.autoconfigure.info.ConditionalOnEnabledInfoContributor;
import org.springframework.boot.actuate.info.InfoContributor;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBooleanProperty;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnSingleCandidate;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.boot.health.autoconfigure.contributor.CompositeReactiveHealthContributorConfiguration;
import org.springframework.boot.health.autoconfigure.contributor.ConditionalOnEnabledHealthIndicator;
import org.springframework.boot.health.contributor.Health;
import org.springframework.boot.health.contributor.ReactiveHealthContributor;
import org.springframework.boot.health.contributor.ReactiveHealthIndicator;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import reactor.core.publisher.Mono;
import run.caracal.Caracal;
import run.caracal.config.CaracalConfig;
import run.caracal.redis.RevocationStatus;
import run.caracal.verify.JwksMandateVerifier;

/** Actuator endpoints: the health of the platform, and the zone and application of this client. */
@AutoConfiguration(after = {CaracalAutoConfiguration.class, CaracalInboundAutoConfiguration.class})
@ConditionalOnBooleanProperty(name = "caracal.enabled", matchIfMissing = true)
public final class CaracalActuatorAutoConfiguration {

    @Configuration(proxyBeanMethods = false)
    @ConditionalOnClass({ReactiveHealthIndicator.class, ConditionalOnEnabledHealthIndicator.class})
    @ConditionalOnEnabledHealthIndicator("caracal")
    @EnableConfigurationProperties(CaracalHealthProperties.class)
    static class OfHealth {

        /** One contributor for all clients; several clients have an entry each. */
        @Configuration(proxyBeanMethods = false)
        @ConditionalOnBean(Caracal.class)
        static class OfClients
                extends CompositeReactiveHealthContributorConfiguration<CaracalHealthIndicator, Caracal> {

            OfClients(CaracalHealthProperties properties) {
                super(caracal -> new CaracalHealthIndicator(
                        caracal.check(),
                        Health.up()
                                .withDetail("zone", caracal.zoneId())
                                .withDetail("application", caracal.applicationId())
                                .build(),
                        properties.timeout(),
                        properties.cache()));
            }

            @Bean
            @ConditionalOnMissingBean(name = {"caracalHealthIndicator", "caracalHealthContributor"})
            ReactiveHealthContributor caracalHealthContributor(ConfigurableListableBeanFactory beans) {
                return createContributor(beans, Caracal.class);
            }
        }

        /** Up once the zone's keys are loaded; for a readiness group. */
        @Bean
        @ConditionalOnBean(JwksMandateVerifier.class)
        @ConditionalOnMissingBean(name = "caracalVerifierHealthIndicator")
        ReactiveHealthIndicator caracalVerifierHealthIndicator(
                JwksMandateVerifier verifier, CaracalHealthProperties properties) {
            return new CaracalHealthIndicator(
                    verifier.warmup(), Health.up().build(), properties.timeout(), properties.cache());
        }

        @Configuration(proxyBeanMethods = false)
        @ConditionalOnClass(name = "io.lettuce.core.RedisClient")
        static class OfRevocations {

            /** Up while the revocation streams can be read. */
            @Bean
            @ConditionalOnBean(RedisRevocations.class)
            @ConditionalOnMissingBean(name = "caracalRevocationsHealthIndicator")
            ReactiveHealthIndicator caracalRevocationsHealthIndicator(RedisRevocations redis) {
                return () -> Mono.fromSupplier(() -> {
                    RevocationStatus status = redis.consumer().status();
                    Health.Builder health = status.connected() ? Health.up() : Health.down();
                    return health.withDetail("blindFor", status.blindFor().toString())
                            .withDetail("pending", status.pending())
                            .build();
                });
            }
        }
    }

    @Configuration(proxyBeanMethods = false)
    @ConditionalOnClass({InfoContributor.class, ConditionalOnEnabledInfoContributor.class})
    static class OfInfo {

        @Bean
        @ConditionalOnSingleCandidate(CaracalConfig.class)
        @ConditionalOnEnabledInfoContributor("caracal")
        @ConditionalOnMissingBean(name = "caracalInfoContributor")
        InfoContributor caracalInfoContributor(CaracalConfig config) {
            Map<String, Object> details = new LinkedHashMap<>();
            details.put("zone", config.zoneId());
            details.put("application", config.applicationId());
            details.put("production", config.production());
            details.put("resources", config.resourceIds());
            return info -> info.withDetail("caracal", details);
        }
    }
}
