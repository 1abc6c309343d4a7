package run.caracal.examples.spring;

import org.springframework.beans.factory.ObjectProvider;
import org.springframework.context.SmartLifecycle;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.core.Ordered;
import org.springframework.core.annotation.Order;
import org.springframework.core.env.Environment;
import org.springframework.web.reactive.function.client.WebClient;
import run.caracal.Boundary;
import run.caracal.Caracal;
import run.caracal.config.CaracalConfig;
import run.caracal.verify.InMemoryRevocationStore;
import run.caracal.verify.JwksMandateVerifier;
import run.caracal.verify.MandateRequirements;
import run.caracal.verify.MandateVerifier;
import run.caracal.verify.RevocationStore;
import run.caracal.webflux.CaracalExchangeFilter;
import run.caracal.webflux.CaracalWebFilter;

/**
 * The beans of a WebFlux application that agents call and that acts as one, without auto-configuration. Copy and adapt it: the
 * client is configured by {@code CARACAL_CONFIG} or the environment unless there is a {@link CaracalConfig} bean, and {@code
 * caracal.protected-resource} names the resource that this application serves.
 */
@Configuration(proxyBeanMethods = false)
class CaracalConfiguration {
    private static final String PROTECTED_RESOURCE = "caracal.protected-resource";

    /**
     * The client, one for the whole application. {@link #caracalLifecycle} closes it, so Spring does not.
     *
     * @param config the configuration; without one it is loaded from files, so call it at start-up
     * @return the client
     */
    @Bean(destroyMethod = "")
    Caracal caracal(ObjectProvider<CaracalConfig> config) {
        return Caracal.create(config.getIfAvailable(CaracalConfig::load));
    }

    /**
     * Closes the client and its sessions when the application stops: after the web server, which has the higher phase and
     * completes in-flight requests first. Spring waits no longer than the timeout of a phase ({@code
     * spring.lifecycle.timeout-per-shutdown-phase} in Boot).
     *
     * @param caracal the client
     * @return the lifecycle
     */
    @Bean
    SmartLifecycle caracalLifecycle(Caracal caracal) {
        return new CaracalLifecycle("The Caracal client", caracal.disposeLater());
    }

    /**
     * The revocation store. Feed it from the platform's revocation streams, or import {@link RedisRevocations} to share it with
     * other instances.
     *
     * @return an empty store
     */
    @Bean
    RevocationStore revocations() {
        return InMemoryRevocationStore.create();
    }

    /**
     * Verifies the mandates of incoming requests with the zone's public keys.
     *
     * @param caracal the client
     * @param revocations the revocation store
     * @param environment names the resource
     * @return the verifier
     */
    @Bean
    JwksMandateVerifier mandateVerifier(Caracal caracal, RevocationStore revocations, Environment environment) {
        return caracal.mandateVerifier()
                .audience(environment.getRequiredProperty(PROTECTED_RESOURCE))
                .revocations(revocations)
                .build();
    }

    /**
     * Accepts only requests with a mandate of a delegated session for this resource, and binds the caller.
     *
     * @param caracal the client
     * @param verifier verifies the mandates
     * @param environment names the resource
     * @return the filter, which runs first
     */
    @Bean
    @Order(Ordered.HIGHEST_PRECEDENCE)
    CaracalWebFilter caracalWebFilter(Caracal caracal, MandateVerifier verifier, Environment environment) {
        MandateRequirements requirements = MandateRequirements.builder()
                .targets(environment.getRequiredProperty(PROTECTED_RESOURCE))
                .session(true)
                .delegation(true)
                .build();
        return CaracalWebFilter.create(caracal, Boundary.verified(verifier).requiring(requirements))
                .except(exchange -> exchange.getRequest().getPath().value().equals("/health"));
    }

    /**
     * Calls protected resources with the bound identity. In a Boot application add the filter to Boot's {@code
     * WebClient.Builder} instead.
     *
     * @param caracal the client
     * @return the WebClient
     */
    @Bean
    WebClient webClient(Caracal caracal) {
        return WebClient.builder().filter(CaracalExchangeFilter.create(caracal)).build();
    }
}
