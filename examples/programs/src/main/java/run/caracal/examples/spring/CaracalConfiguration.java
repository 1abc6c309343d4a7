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
 * Everything that a Spring Boot application on WebFlux needs to be called by agents and to act as one. Copy it and change
 * what differs: the client comes from {@code CARACAL_CONFIG} or the environment unless there is a {@link CaracalConfig}
 * bean, and the property {@code caracal.protected-resource} names the resource that this application is.
 */
@Configuration(proxyBeanMethods = false)
class CaracalConfiguration {
    private static final String PROTECTED_RESOURCE = "caracal.protected-resource";

    /**
     * The client, one for the whole application. {@link #caracalLifecycle} closes it, so Spring does not.
     *
     * @param config the configuration; without one it is loaded, which reads files and belongs into start-up
     * @return the client
     */
    @Bean(destroyMethod = "")
    Caracal caracal(ObjectProvider<CaracalConfig> config) {
        return Caracal.create(config.getIfAvailable(CaracalConfig::load));
    }

    /**
     * Closes the client in order when the application stops: after the web server, whose phase is higher and which lets
     * requests under way end first. Sessions that are still open then are ended; Spring waits for this stop no longer than
     * its own time for a phase ({@code spring.lifecycle.timeout-per-shutdown-phase} in Boot).
     *
     * @param caracal the client
     * @return the lifecycle
     */
    @Bean
    SmartLifecycle caracalLifecycle(Caracal caracal) {
        return new CaracalLifecycle("The Caracal client", caracal.disposeLater());
    }

    /**
     * The revocation store. Feed it from the platform's revocation events, or import {@link RedisRevocations} to share it with
     * other instances.
     *
     * @return an empty store
     */
    @Bean
    RevocationStore revocations() {
        return InMemoryRevocationStore.create();
    }

    /**
     * Proves the mandates of incoming requests with the zone's public keys.
     *
     * @param caracal the client, whose zone, STS and connections it uses
     * @param revocations what is revoked
     * @param environment names the resource that the mandates have to be for
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
     * Lets in only requests with a mandate of a delegated session, for this resource, and binds who acts.
     *
     * @param caracal the client
     * @param verifier proves the mandates
     * @param environment names the resource
     * @return the filter, before all others
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
     * Calls protected resources as whoever is bound. In a Boot application add the filter to the {@code WebClient.Builder} of
     * Boot instead.
     *
     * @param caracal the client
     * @return the WebClient
     */
    @Bean
    WebClient webClient(Caracal caracal) {
        return WebClient.builder().filter(CaracalExchangeFilter.create(caracal)).build();
    }
}
