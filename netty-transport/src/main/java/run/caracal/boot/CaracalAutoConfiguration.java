package run.caracal.boot;

import org.springframework.beans.factory.ObjectProvider;
import org.springframework.beans.factory.SmartInitializingSingleton;
import org.springframework.beans.factory.config.ConfigurableListableBeanFactory;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBooleanProperty;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnProperty;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.boot.ssl.SslBundles;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.ImportRuntimeHints;
import org.springframework.core.env.Environment;
import run.caracal.Caracal;
import run.caracal.config.CaracalConfig;
import run.caracal.config.ClientSecretResolver;
import run.caracal.http.HttpTransport;

/**
 * The client, from properties. A {@link CaracalConfig}, {@link ClientSecretResolver}, {@link HttpTransport} or {@link Caracal}
 * of the application takes the place of what the properties say.
 *
 * <p>Whoever makes the clients of a context, they are closed when it stops: after the web server, before connections.
 */
@AutoConfiguration(afterName = "org.springframework.boot.autoconfigure.ssl.SslAutoConfiguration")
@ConditionalOnBooleanProperty(name = "caracal.enabled", matchIfMissing = true)
@EnableConfigurationProperties(CaracalProperties.class)
@ImportRuntimeHints(CaracalRuntimeHints.class)
public final class CaracalAutoConfiguration {

    /** Before the configuration, whose being there it would take for one of the application. */
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
            ObjectProvider<CaracalConfigCustomizer> customizers) {
        CaracalConfig.Builder builder = PropertyOverrides.load(properties, environment, secret.getIfUnique());
        transport.ifUnique(given -> {
            var unused = builder.transport(given);
        });
        customizers.orderedStream().forEach(customizer -> customizer.customize(builder));
        return builder.build();
    }

    /** Disposed of by {@link CaracalLifecycle}; by Spring only where a start ends before it was complete. */
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
