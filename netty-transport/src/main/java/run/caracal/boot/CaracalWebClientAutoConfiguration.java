package run.caracal.boot;

import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBooleanProperty;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnSingleCandidate;
import org.springframework.boot.http.client.autoconfigure.reactive.ClientHttpConnectorBuilderCustomizer;
import org.springframework.boot.http.client.reactive.ReactorClientHttpConnectorBuilder;
import org.springframework.boot.webclient.WebClientCustomizer;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.core.Ordered;
import org.springframework.core.annotation.Order;
import org.springframework.web.reactive.function.client.WebClient;
import run.caracal.Caracal;
import run.caracal.netty.CaracalHttp;
import run.caracal.webflux.CaracalExchangeFilter;

/**
 * Adds the filter to Boot's {@code WebClient.Builder}, so that its requests carry the identity of the bound session. Backs off
 * if there are several clients and none is primary, or with {@code caracal.web-client.enabled=false}.
 */
@AutoConfiguration(after = CaracalAutoConfiguration.class)
@ConditionalOnClass({WebClient.class, WebClientCustomizer.class})
@ConditionalOnSingleCandidate(Caracal.class)
@ConditionalOnBooleanProperty(
        name = {"caracal.enabled", "caracal.web-client.enabled"},
        matchIfMissing = true)
public final class CaracalWebClientAutoConfiguration {

    /** After other filters, so that each attempt of a retrying filter resolves its own identity. */
    @Bean
    @Order(Ordered.LOWEST_PRECEDENCE)
    @ConditionalOnMissingBean(name = "caracalWebClientCustomizer")
    WebClientCustomizer caracalWebClientCustomizer(Caracal caracal) {
        return builder -> builder.filter(CaracalExchangeFilter.create(caracal));
    }

    /** Below the filter, for requests that a later filter repeats, and for users of the connector without a {@code WebClient}. */
    @Configuration(proxyBeanMethods = false)
    @ConditionalOnClass({ReactorClientHttpConnectorBuilder.class, ClientHttpConnectorBuilderCustomizer.class})
    static class Connector {

        @Bean
        @ConditionalOnMissingBean(name = "caracalConnectorCustomizer")
        ClientHttpConnectorBuilderCustomizer<ReactorClientHttpConnectorBuilder> caracalConnectorCustomizer(
                Caracal caracal) {
            return builder -> builder.withHttpClientCustomizer(client -> CaracalHttp.decorate(client, caracal));
        }
    }
}
