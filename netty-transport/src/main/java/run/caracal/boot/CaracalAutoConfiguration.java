package run.caracal.boot;

import org.springframework.beans.factory.ObjectProvider;
import org.springframework.beans.factory.SmartInitializingSingleton;
import org.springframework.beans.factory.config.ConfigurableListableBeanFactory;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBooleanProperty;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnProperty;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.boot.ssl.SslBundles;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.ImportRuntimeHints;
import org.springframework.core.env.Environment;
import run.caracal.Caracal;
import run.caracal.config.CaracalConfig;
import run.caracal.config.ClientSecretResolver;
import run.caracal.config.TraceSource;
import run.caracal.http.HttpTransport;
import run.caracal.micrometer.MicrometerTraceSource;

/**
 * Creates the client from properties. A {@link CaracalConfig}, {@link ClientSecretResolver}, {@link HttpTransport}, {@link
 * TraceSource} or {@link Caracal} bean of the application replaces the default.
 *
 * <p>All clients of a context are closed when it stops, the application's own too: after the web server, before connections.
 */
@AutoConfiguration(afterName = "org.springframework.boot.autoconfigure.ssl.SslAutoConfiguration")
@ConditionalOnBooleanProperty(name = "caracal.enabled", matchIfMissing = true)
@EnableConfigurationProperties(CaracalProperties.class)
@ImportRuntimeHints(CaracalRuntimeHints.class)
public final class CaracalAutoConfiguration {

    /** Declared before the configuration, which its condition would take for the application's own. */
    @Bean
    @ConditionalOnProperty("caracal.ssl.bundle")
    @ConditionalOnMissingBean({HttpTransport.class, CaracalConfig.class, Caracal.class})
    HttpTransport caracalTransport(CaracalProperties properties, SslBundles bundles) {
        return BundledTransport.create(String.valueOf(properties.ssl().bundle()), bundles);
    }

    @Bean
    @ConditionalOnMissingBean({CaracalConfig.class, Caracal.class})
    CaracalConfig caracalConfig(
            CaracalProperties properties,
            Environment environment,
            ObjectProvider<ClientSecretResolver> secret,
            ObjectProvider<HttpTransport> transport,
            ObjectProvider<TraceSource> traces,
            ObjectProvider<CaracalConfigCustomizer> customizers) {
        CaracalConfig.Builder builder = PropertyOverrides.load(properties, environment, secret.getIfUnique());
        transport.ifUnique(given -> {
            var unused = builder.transport(given);
        });
        traces.ifUnique(given -> {
            var unused = builder.traceSource(given);
        });
        customizers.orderedStream().forEach(customizer -> customizer.customize(builder));
        return builder.build();
    }

    /** With Micrometer Tracing, a session joins the trace of the request that opens it. */
    @Configuration(proxyBeanMethods = false)
    @ConditionalOnClass(name = {"io.micrometer.observation.Observation", "io.micrometer.tracing.Span"})
    static class Tracing {

        @Bean
        @ConditionalOnMissingBean
        TraceSource caracalTraceSource() {
            return MicrometerTraceSource.create();
        }
    }

    /** Disposed by {@link CaracalLifecycle}, or by Spring if the start fails. */
    @Bean(destroyMethod = "dispose")
    @ConditionalOnMissingBean
    Caracal caracal(CaracalConfig config) {
        return Caracal.create(config);
    }

    @Bean
    @ConditionalOnMissingBean
    CaracalLifecycle caracalLifecycle(ConfigurableListableBeanFactory beans) {
        return new CaracalLifecycle(beans);
    }

    @Bean
    @ConditionalOnBooleanProperty("caracal.fail-fast")
    SmartInitializingSingleton caracalStartCheck(ObjectProvider<Caracal> clients) {
        return () -> clients.stream().forEach(StartCheck::check);
    }
}
