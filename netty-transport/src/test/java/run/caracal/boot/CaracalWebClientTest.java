package run.caracal.boot;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.springframework.beans.factory.annotation.Qualifier;
import org.springframework.beans.factory.config.BeanDefinition;
import org.springframework.boot.test.context.FilteredClassLoader;
import org.springframework.boot.webclient.WebClientCustomizer;
import org.springframework.context.ApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.http.client.reactive.ClientHttpConnector;
import org.springframework.web.reactive.function.client.ExchangeFilterFunction;
import org.springframework.web.reactive.function.client.WebClient;
import reactor.core.publisher.Mono;
import reactor.test.StepVerifier;
import run.caracal.Caracal;
import run.caracal.error.ForeignContextException;
import run.caracal.http.HttpTransport;
import run.caracal.netty.Await;
import run.caracal.netty.EchoServer;
import run.caracal.test.FakePlatform;
import run.caracal.webflux.CaracalExchangeFilter;

/** Boot's {@code WebClient.Builder}. */
class CaracalWebClientTest {
    private final EchoServer gateway = new EchoServer();
    private final EchoServer other = new EchoServer();
    private final FakePlatform platform = new FakePlatform();

    @AfterEach
    void close() {
        gateway.close();
        other.close();
    }

    private void run(Consumer<ApplicationContext> test, String... properties) {
        Contexts.reactive()
                .withBean(HttpTransport.class, () -> platform)
                .withPropertyValues(
                        "caracal.gateway-url=" + gateway.url(),
                        "caracal.bindings[0].resource=resource://billing",
                        "caracal.bindings[0].upstream-prefix=https://billing.example")
                .withPropertyValues(properties)
                .run(started -> {
                    assertThat(started).hasNotFailed();
                    test.accept(started);
                });
    }

    private static void call(ApplicationContext context, WebClient client, String url) {
        call(context.getBean(Caracal.class), client, url);
    }

    private static void call(Caracal caracal, WebClient client, String url) {
        Mono<Void> call = client.get().uri(url).retrieve().toBodilessEntity().then();
        StepVerifier.create(caracal.spawn(session -> call)).expectComplete().verify(Await.BOUND);
    }

    @Test
    void itsRequestsToAResourceCarryTheSession() {
        run(context -> {
            call(context, context.getBean(WebClient.Builder.class).build(), "https://billing.example/charge");
            assertThat(gateway.only().header("X-Caracal-Resource")).isEqualTo("resource://billing");
            assertThat(gateway.only().header("Authorization")).startsWith("Bearer ");
        });
    }

    /** The builder is shared, so third parties must not get an identity, inside and outside of a session. */
    @Test
    void itsRequestsToOthersPassUntouched() {
        run(context -> {
            WebClient client = context.getBean(WebClient.Builder.class).build();
            call(context, client, other.url() + "/inside");
            StepVerifier.create(client.get()
                            .uri(other.url() + "/outside")
                            .retrieve()
                            .toBodilessEntity())
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(Await.BOUND);
            assertThat(other.arrivals)
                    .hasSize(2)
                    .allSatisfy(arrival ->
                            assertThat(arrival.header("Authorization")).isNull())
                    .allSatisfy(arrival -> assertThat(arrival.header("baggage")).isNull());
        });
    }

    @Test
    void theConnectorBelowItIsDecoratedToo() {
        run(context -> {
            WebClient plain = WebClient.builder()
                    .clientConnector(context.getBean(ClientHttpConnector.class))
                    .build();
            call(context, plain, "https://billing.example/charge");
            assertThat(gateway.only().header("Authorization")).startsWith("Bearer ");
        });
    }

    @Test
    void switchedOffItIsLeftAlone() {
        run(
                context -> assertThat(context.getBeansOfType(WebClientCustomizer.class))
                        .doesNotContainKey("caracalWebClientCustomizer"),
                "caracal.web-client.enabled=false");
    }

    @Test
    void ofSeveralClientsThePrimaryOneCounts() {
        Contexts.reactive()
                .withBean("one", Caracal.class, () -> Unreachable.client("zone-one"))
                .withBean("other", Caracal.class, () -> Unreachable.client("zone-other"))
                .run(started -> assertThat(started).hasNotFailed().doesNotHaveBean("caracalWebClientCustomizer"));
        Contexts.reactive()
                .withBean("one", Caracal.class, () -> Unreachable.client("zone-one"), definition -> primary(definition))
                .withBean("other", Caracal.class, () -> Unreachable.client("zone-other"))
                .run(started -> assertThat(started).hasNotFailed().hasBean("caracalWebClientCustomizer"));
    }

    /** Two qualified beans; neither acts in a session of the other. */
    @Test
    void eachOfTwoClientsActsInSessionsOfItsOwn() {
        FakePlatform second = new FakePlatform();
        Contexts.reactive()
                .withBean("one", Caracal.class, () -> client(platform, gateway))
                .withBean("two", Caracal.class, () -> client(second, other))
                .withUserConfiguration(TwoClients.class)
                .run(started -> {
                    assertThat(started).hasNotFailed();
                    WebClient first = started.getBean("firstClient", WebClient.class);
                    call(started.getBean("one", Caracal.class), first, "https://billing.example.com/of-one");
                    call(
                            started.getBean("two", Caracal.class),
                            started.getBean("secondClient", WebClient.class),
                            "https://billing.example.com/of-two");
                    assertThat(gateway.only().uri()).endsWith("/of-one");
                    assertThat(other.only().uri()).endsWith("/of-two");
                    assertThat(platform.opened()).isOne();
                    assertThat(second.opened()).isOne();
                    StepVerifier.create(started.getBean("two", Caracal.class)
                                    .spawn(session -> first.get()
                                            .uri("https://billing.example.com/crossed")
                                            .retrieve()
                                            .toBodilessEntity()))
                            .expectError(ForeignContextException.class)
                            .verify(Await.BOUND);
                    assertThat(gateway.arrivals).hasSize(1);
                });
        assertThat(platform.live()).isEmpty();
        assertThat(second.live()).isEmpty();
    }

    private static Caracal client(FakePlatform platform, EchoServer gateway) {
        return Caracal.create(platform.config().gatewayUrl(gateway.url()).build());
    }

    @Configuration(proxyBeanMethods = false)
    static class TwoClients {
        @Bean
        WebClient firstClient(@Qualifier("one") Caracal caracal, WebClient.Builder builder) {
            return builder.filter(CaracalExchangeFilter.create(caracal)).build();
        }

        @Bean
        WebClient secondClient(@Qualifier("two") Caracal caracal, WebClient.Builder builder) {
            return builder.filter(CaracalExchangeFilter.create(caracal)).build();
        }
    }

    private static void primary(BeanDefinition definition) {
        definition.setPrimary(true);
    }

    @Test
    void aCustomizerOfTheApplicationTakesItsPlace() {
        ExchangeFilterFunction mine = (request, next) -> next.exchange(request);
        Contexts.reactive()
                .withBean(
                        "caracalWebClientCustomizer", WebClientCustomizer.class, () -> builder -> builder.filter(mine))
                .run(started -> started.getBean(WebClient.Builder.class)
                        .filters(filters -> assertThat(filters).containsExactly(mine)));
    }

    /** Servlet applications use WebClient, too. */
    @Test
    void aServletApplicationHasIt() {
        Contexts.servlet().run(started -> assertThat(started).hasNotFailed().hasBean("caracalWebClientCustomizer"));
    }

    @Test
    void withoutWebFluxThereIsNone() {
        Contexts.plain()
                .withClassLoader(new FilteredClassLoader("org.springframework.web.reactive"))
                .run(started -> assertThat(started)
                        .hasNotFailed()
                        .hasSingleBean(Caracal.class)
                        .doesNotHaveBean(WebClientCustomizer.class));
    }

    @Test
    void onAnotherConnectorTheFilterIsEnough() {
        Contexts.plain()
                .withPropertyValues("spring.http.clients.reactive.connector=jdk")
                .run(started -> assertThat(started).hasNotFailed().hasBean("caracalWebClientCustomizer"));
    }
}
