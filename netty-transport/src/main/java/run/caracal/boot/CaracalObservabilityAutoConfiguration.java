package run.caracal.boot;

import io.micrometer.context.ContextRegistry;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tag;
import io.micrometer.core.instrument.binder.MeterBinder;
import io.micrometer.observation.ObservationRegistry;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.beans.factory.SmartInitializingSingleton;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBooleanProperty;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import run.caracal.Caracal;
import run.caracal.config.CaracalConfig;
import run.caracal.micrometer.CaracalContextAccessor;
import run.caracal.micrometer.CaracalMetrics;
import run.caracal.micrometer.CaracalObservations;
import run.caracal.redis.RevocationMetrics;

/** Meters, observations, and the bound context in imperative code, if Micrometer is present. */
@AutoConfiguration(
        after = {CaracalAutoConfiguration.class, CaracalInboundAutoConfiguration.class},
        afterName = "org.springframework.boot.micrometer.observation.autoconfigure.ObservationAutoConfiguration")
@ConditionalOnBooleanProperty(name = "caracal.enabled", matchIfMissing = true)
@ConditionalOnBean(Caracal.class)
public final class CaracalObservabilityAutoConfiguration {

    @Configuration(proxyBeanMethods = false)
    @ConditionalOnClass(MeterRegistry.class)
    static class Meters {

        /** Several clients are tagged with the names of their beans. */
        @Bean
        @ConditionalOnMissingBean(name = "caracalMetrics")
        MeterBinder caracalMetrics(Map<String, Caracal> clients, ObjectProvider<CaracalConfig> config) {
            CaracalConfig known = config.getIfUnique();
            Collection<String> resources = known == null ? List.of() : known.resourceIds();
            return registry -> clients.forEach((name, caracal) -> {
                CaracalMetrics metrics = CaracalMetrics.of(caracal).withResources(resources);
                (clients.size() == 1 ? metrics : metrics.withTags(Tag.of("client", name))).bindTo(registry);
            });
        }

        @Configuration(proxyBeanMethods = false)
        @ConditionalOnClass(name = "io.lettuce.core.RedisClient")
        static class OfRevocations {

            @Bean
            @ConditionalOnBean(RedisRevocations.class)
            @ConditionalOnMissingBean(name = "caracalRevocationMetrics")
            MeterBinder caracalRevocationMetrics(RedisRevocations redis) {
                return RevocationMetrics.of(redis.consumer());
            }
        }
    }

    @Configuration(proxyBeanMethods = false)
    @ConditionalOnClass(ObservationRegistry.class)
    @ConditionalOnBean(ObservationRegistry.class)
    static class Observations {

        @Bean
        @ConditionalOnMissingBean(name = "caracalObservations")
        SmartInitializingSingleton caracalObservations(ObjectProvider<Caracal> clients, ObservationRegistry registry) {
            return () -> clients.stream().forEach(caracal -> {
                // Never removed, because it ends with the client.
                var unused = CaracalObservations.observe(caracal, registry);
            });
        }
    }

    /** Effective while Boot propagates contexts, see {@code spring.reactor.context-propagation}. */
    @Configuration(proxyBeanMethods = false)
    @ConditionalOnClass(ContextRegistry.class)
    @ConditionalOnBooleanProperty(name = "caracal.context-propagation.enabled", matchIfMissing = true)
    static class Propagation {

        @Bean
        @ConditionalOnMissingBean
        CaracalContextAccessor caracalContextAccessor(CaracalProperties properties) {
            CaracalContextAccessor accessor = properties.contextPropagation().mdc()
                    ? CaracalContextAccessor.withMdc()
                    : new CaracalContextAccessor();
            ContextRegistry.getInstance().registerThreadLocalAccessor(accessor);
            return accessor;
        }
    }
}
