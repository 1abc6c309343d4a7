package run.caracal.boot;

import io.lettuce.core.RedisClient;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.beans.factory.SmartInitializingSingleton;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.AnyNestedCondition;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBooleanProperty;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnProperty;
import org.springframework.boot.autoconfigure.condition.ConditionalOnWebApplication;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.boot.data.redis.autoconfigure.DataRedisConnectionDetails;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Conditional;
import org.springframework.context.annotation.Configuration;
import org.springframework.core.Ordered;
import org.springframework.core.annotation.Order;
import org.springframework.security.core.context.ReactiveSecurityContextHolder;
import org.springframework.web.reactive.config.WebFluxConfigurer;
import org.springframework.web.reactive.result.method.annotation.ArgumentResolverConfigurer;
import org.springframework.web.server.WebFilter;
import run.caracal.BoundaryRoutes;
import run.caracal.Caracal;
import run.caracal.error.ConfigurationException;
import run.caracal.error.ConfigurationException.Problem;
import run.caracal.verify.InMemoryRevocationStore;
import run.caracal.verify.JwksMandateVerifier;
import run.caracal.verify.MandateVerifier;
import run.caracal.verify.RevocationStore;
import run.caracal.webflux.CaracalWebFilter;

/**
 * Creates the boundary of an application that is itself a protected resource ({@code caracal.protected-resource}) and accepts
 * only requests with a mandate for that resource. A missing prerequisite fails the start, so that no application is unprotected
 * by mistake. A servlet application gets the verifier only.
 */
@AutoConfiguration(
        after = CaracalAutoConfiguration.class,
        afterName = "org.springframework.boot.data.redis.autoconfigure.DataRedisAutoConfiguration")
@ConditionalOnBooleanProperty(name = "caracal.enabled", matchIfMissing = true)
@ConditionalOnProperty("caracal.protected-resource")
@EnableConfigurationProperties(CaracalInboundProperties.class)
public final class CaracalInboundAutoConfiguration {
    private static final Logger log = LoggerFactory.getLogger(CaracalInboundAutoConfiguration.class);

    private static String resource(CaracalProperties properties) {
        return Objects.requireNonNull(properties.protectedResource());
    }

    @Bean
    @ConditionalOnMissingBean(MandateVerifier.class)
    JwksMandateVerifier caracalMandateVerifier(
            Caracal caracal,
            CaracalProperties properties,
            CaracalInboundProperties inbound,
            RevocationStore revocations) {
        JwksMandateVerifier.Builder builder =
                caracal.mandateVerifier().audience(resource(properties)).revocations(revocations);
        if (inbound.issuer() != null) {
            builder = builder.issuer(inbound.issuer());
        }
        if (inbound.jwksUrl() != null) {
            builder = builder.jwksUrl(inbound.jwksUrl());
        }
        return builder.build();
    }

    /** The fallback without {@link Revocations}: Spring registers the beans of nested classes first. */
    @Bean
    @ConditionalOnMissingBean(RevocationStore.class)
    InMemoryRevocationStore caracalRevocations() {
        return InMemoryRevocationStore.create();
    }

    @Bean
    @ConditionalOnMissingBean
    BoundaryRoutes caracalBoundaryRoutes(
            CaracalProperties properties, CaracalInboundProperties inbound, MandateVerifier verifier) {
        return InboundRoutes.of(resource(properties), inbound, verifier);
    }

    /** In the background, so that the start does not wait for an unreachable STS. */
    @Bean
    @ConditionalOnBooleanProperty(name = "caracal.inbound.warmup", matchIfMissing = true)
    SmartInitializingSingleton caracalVerifierWarmup(ObjectProvider<JwksMandateVerifier> verifiers) {
        return () -> verifiers.stream().forEach(verifier -> {
            // Completes within seconds, or with the verifier.
            var unused = verifier.warmup()
                    .subscribe(
                            null,
                            e -> log.warn("The zone's keys were not fetched; the first verification tries again", e));
        });
    }

    /** Reads revocations from the platform's streams. */
    @Configuration(proxyBeanMethods = false)
    @ConditionalOnClass(RedisClient.class)
    @Conditional(OnRedis.class)
    static class Revocations {

        @Bean
        @ConditionalOnMissingBean(RevocationStore.class)
        RedisRevocations caracalRedisRevocations(
                CaracalInboundProperties inbound, ObjectProvider<RedisRevocations.Address> address) {
            return RedisRevocations.connect(inbound.revocation().redis(), address.getIfAvailable());
        }

        @Bean
        @ConditionalOnMissingBean(RevocationStore.class)
        RevocationStore caracalRevocations(RedisRevocations redis) {
            return redis.guarded();
        }
    }

    /** Fails the start, because revocations that are configured and cannot be read would be ignored silently. */
    @Configuration(proxyBeanMethods = false)
    @ConditionalOnMissingClass("io.lettuce.core.RedisClient")
    @Conditional(OnRedis.class)
    static class WithoutLettuce {

        @Bean
        @ConditionalOnMissingBean(RevocationStore.class)
        RevocationStore caracalRevocations() {
            throw new ConfigurationException(List.of(new Problem(
                    "caracal.inbound.revocation.redis",
                    "class path",
                    "add the artifact io.lettuce:lettuce-core, which reads revocations")));
        }
    }

    /** Enabled by a URL or explicitly. */
    static class OnRedis extends AnyNestedCondition {

        OnRedis() {
            super(ConfigurationPhase.REGISTER_BEAN);
        }

        @ConditionalOnProperty("caracal.inbound.revocation.redis.url")
        static class WithUrl {}

        @ConditionalOnBooleanProperty("caracal.inbound.revocation.redis.enabled")
        static class Enabled {}
    }

    /** The address of Boot's own Redis, for the revocations. */
    @Configuration(proxyBeanMethods = false)
    @ConditionalOnClass({RedisClient.class, DataRedisConnectionDetails.class})
    @ConditionalOnBean(DataRedisConnectionDetails.class)
    static class BootsRedis {

        @Bean
        RedisRevocations.@Nullable Address caracalRedisAddress(DataRedisConnectionDetails details) {
            return RedisAddresses.of(details);
        }
    }

    /** The boundary of a WebFlux application. */
    @Configuration(proxyBeanMethods = false)
    @ConditionalOnWebApplication(type = ConditionalOnWebApplication.Type.REACTIVE)
    @ConditionalOnClass(WebFilter.class)
    static class WebFlux {
        /** After Boot's observation filter, so that rejected requests are observed, and before Spring Security. */
        static final int ORDER = Ordered.HIGHEST_PRECEDENCE + 10;

        @Bean
        @Order(ORDER)
        @ConditionalOnMissingBean
        CaracalWebFilter caracalWebFilter(Caracal caracal, BoundaryRoutes routes) {
            return CaracalWebFilter.create(caracal, routes);
        }

        @Configuration(proxyBeanMethods = false)
        @ConditionalOnClass(WebFluxConfigurer.class)
        static class Arguments {

            @Bean
            @ConditionalOnMissingBean(name = "caracalArgumentConfigurer")
            WebFluxConfigurer caracalArgumentConfigurer() {
                return new WebFluxConfigurer() {
                    @Override
                    public void configureArgumentResolvers(ArgumentResolverConfigurer configurer) {
                        configurer.addCustomResolver(new CurrentCallerResolver());
                    }
                };
            }
        }

        @Configuration(proxyBeanMethods = false)
        @ConditionalOnClass(ReactiveSecurityContextHolder.class)
        static class Security {

            @Bean
            @Order(ORDER + 1)
            @ConditionalOnMissingBean(name = "caracalAuthenticationBridge")
            WebFilter caracalAuthenticationBridge() {
                return new AuthenticationBridge();
            }
        }
    }

    @Configuration(proxyBeanMethods = false)
    @ConditionalOnWebApplication(type = ConditionalOnWebApplication.Type.SERVLET)
    static class Servlet {

        @Bean
        SmartInitializingSingleton caracalServletWarning() {
            return () -> log.warn("caracal.protected-resource is set, but a servlet application has no boundary:"
                    + " call the MandateVerifier in a filter of your own");
        }
    }
}
