package run.caracal.boot;

import static org.assertj.core.api.Assertions.assertThat;

import io.micrometer.context.ContextRegistry;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.micrometer.observation.ObservationRegistry;
import java.time.Duration;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.actuate.info.Info;
import org.springframework.boot.actuate.info.InfoContributor;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.boot.health.contributor.CompositeReactiveHealthContributor;
import org.springframework.boot.health.contributor.Health;
import org.springframework.boot.health.contributor.ReactiveHealthContributor;
import org.springframework.boot.health.contributor.ReactiveHealthIndicator;
import org.springframework.boot.health.contributor.Status;
import org.springframework.boot.test.context.FilteredClassLoader;
import org.springframework.boot.test.context.runner.ReactiveWebApplicationContextRunner;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.support.GenericApplicationContext;
import org.springframework.test.web.reactive.server.WebTestClient;
import reactor.core.publisher.Mono;
import reactor.test.StepVerifier;
import run.caracal.Caracal;
import run.caracal.config.CaracalConfig;
import run.caracal.config.TraceSource;
import run.caracal.http.HttpTransport;
import run.caracal.micrometer.CaracalContextAccessor;
import run.caracal.micrometer.MicrometerTraceSource;
import run.caracal.netty.Await;
import run.caracal.test.FakePlatform;

/** Health, info, meters and traces of a Boot application. */
class CaracalActuatorTest {
    private static final String[] BINDING = {
        "caracal.bindings[0].resource=resource://billing", "caracal.bindings[0].upstream-prefix=https://billing.example"
    };

    @AfterEach
    void nothingIsPropagatedAfterwards() {
        ContextRegistry.getInstance().removeThreadLocalAccessor(CaracalContextAccessor.KEY);
    }

    @Nested
    class OfHealth {
        private Health health(Object contributor) {
            return Objects.requireNonNull(
                    ((ReactiveHealthIndicator) contributor).health().block(Await.BOUND));
        }

        @Test
        void itIsUpWhenThePlatformCanBeUsed() {
            FakePlatform platform = new FakePlatform();
            Contexts.reactive()
                    .withPropertyValues(BINDING)
                    .withBean(HttpTransport.class, () -> platform)
                    .run(started -> {
                        Health health = health(started.getBean("caracalHealthContributor"));
                        assertThat(health.getStatus()).isEqualTo(Status.UP);
                        assertThat(health.getDetails()).containsEntry("zone", "zone-test");
                    });
        }

        @Test
        void itIsDownWithTheReasonWhenNot() {
            Contexts.reactive()
                    .withPropertyValues(BINDING)
                    .withBean(HttpTransport.class, Unreachable::new)
                    .run(started -> {
                        Health health = health(started.getBean("caracalHealthContributor"));
                        assertThat(health.getStatus()).isEqualTo(Status.DOWN);
                        assertThat(health.getDetails().get("message"))
                                .asString()
                                .contains("unreachable");
                        assertThat(health.toString()).doesNotContain("hidden-value");
                    });
        }

        @Test
        void aFaultOfTheApplicationsOwnIsNotQuoted() {
            CaracalHealthIndicator indicator = new CaracalHealthIndicator(
                    Mono.error(new IllegalStateException("hidden-value")),
                    Health.up().build(),
                    Duration.ofSeconds(1),
                    Duration.ofSeconds(1));
            assertThat(health(indicator).toString())
                    .contains("IllegalStateException")
                    .doesNotContain("hidden-value");
        }

        @Test
        void oneAnswerServesAllForAMoment() {
            AtomicInteger asked = new AtomicInteger();
            StepVerifier.withVirtualTime(() -> {
                        CaracalHealthIndicator indicator = new CaracalHealthIndicator(
                                Mono.fromRunnable(asked::incrementAndGet),
                                Health.up().build(),
                                Duration.ofSeconds(5),
                                Duration.ofSeconds(10));
                        return Mono.zip(indicator.health(), indicator.health())
                                .then(indicator.health())
                                .delaySubscription(Duration.ofSeconds(1))
                                .then(Mono.delay(Duration.ofSeconds(11)))
                                .then(indicator.health());
                    })
                    .thenAwait(Duration.ofSeconds(12))
                    .expectNextCount(1)
                    .verifyComplete();
            assertThat(asked).hasValue(2);
        }

        @Test
        void anAnswerThatDoesNotComeIsOne() {
            StepVerifier.withVirtualTime(() -> new CaracalHealthIndicator(
                                    Mono.never(), Health.up().build(), Duration.ofSeconds(5), Duration.ofSeconds(10))
                            .health())
                    .thenAwait(Duration.ofSeconds(5))
                    .assertNext(health ->
                            assertThat(health.getDetails()).containsEntry("error", "no answer within 5000 ms"))
                    .verifyComplete();
        }

        @Test
        void severalClientsHaveAPlaceOfTheirOwn() {
            Contexts.reactive()
                    .withBean("one", Caracal.class, () -> Unreachable.client("zone-one"))
                    .withBean("other", Caracal.class, () -> Unreachable.client("zone-other"))
                    .run(started -> assertThat(
                                    started.getBean("caracalHealthContributor", ReactiveHealthContributor.class))
                            .isInstanceOfSatisfying(
                                    CompositeReactiveHealthContributor.class,
                                    composite -> assertThat(composite.stream().map(entry -> entry.name()))
                                            .containsExactlyInAnyOrder("one", "other")));
        }

        @Test
        void itCanBeSwitchedOff() {
            Contexts.reactive()
                    .withPropertyValues("management.health.caracal.enabled=false")
                    .run(started -> assertThat(started).doesNotHaveBean("caracalHealthContributor"));
        }
    }

    @Test
    void theInfoHoldsNoSecret() {
        Contexts.reactive().withPropertyValues(BINDING).run(started -> {
            Info.Builder info = new Info.Builder();
            started.getBean("caracalInfoContributor", InfoContributor.class).contribute(info);
            assertThat(info.build().getDetails().get("caracal"))
                    .asString()
                    .contains("zone-test", "app-test", "resource://billing")
                    .doesNotContain("hidden-value");
        });
    }

    @Test
    void operationsAreMeteredAndObserved() {
        FakePlatform platform = new FakePlatform();
        Contexts.reactive()
                .withPropertyValues(BINDING)
                .withBean(HttpTransport.class, () -> platform)
                .withBean(SimpleMeterRegistry.class)
                .run(started -> {
                    StepVerifier.create(started.getBean(Caracal.class).spawn(session -> Mono.just(1)))
                            .expectNext(1)
                            .expectComplete()
                            .verify(Await.BOUND);
                    MeterRegistry meters = started.getBean(MeterRegistry.class);
                    assertThat(started).hasSingleBean(ObservationRegistry.class).hasBean("caracalObservations");
                    assertThat(meters.find("caracal.operation").timers()).isNotEmpty();
                });
    }

    @Test
    void metersOfSeveralClientsAreToldApart() {
        Contexts.reactive()
                .withBean(SimpleMeterRegistry.class)
                .withBean("one", Caracal.class, () -> Unreachable.client("zone-one"))
                .withBean("other", Caracal.class, () -> Unreachable.client("zone-other"))
                .run(started -> assertThat(started.getBean(MeterRegistry.class)
                                .get("caracal.sessions.active")
                                .gauges())
                        .hasSize(2));
    }

    @Test
    void theContextIsShownUnlessSwitchedOff() {
        Contexts.reactive()
                .withPropertyValues("caracal.context-propagation.enabled=false")
                .run(started -> assertThat(started).doesNotHaveBean(CaracalContextAccessor.class));
        assertThat(ContextRegistry.getInstance().getThreadLocalAccessors())
                .noneMatch(accessor -> accessor.key().equals(CaracalContextAccessor.KEY));
        Contexts.reactive().run(started -> {
            assertThat(started.getBean(CaracalContextAccessor.class)).hasToString("CaracalContextAccessor[mdc=true]");
            assertThat(ContextRegistry.getInstance().getThreadLocalAccessors())
                    .anyMatch(accessor -> accessor.key().equals(CaracalContextAccessor.KEY));
        });
    }

    @Nested
    class Traces {
        private Optional<TraceSource> source(ReactiveWebApplicationContextRunner context) {
            AtomicReference<Optional<TraceSource>> source = new AtomicReference<>(Optional.empty());
            context.run(
                    started -> source.set(started.getBean(CaracalConfig.class).traceSource()));
            return Objects.requireNonNull(source.get());
        }

        @Test
        void thoseOfMicrometerAreJoined() {
            assertThat(source(Contexts.ours())).containsInstanceOf(MicrometerTraceSource.class);
        }

        @Test
        void aSourceOfTheApplicationTakesItsPlace() {
            TraceSource mine = context -> Optional.empty();
            assertThat(source(Contexts.ours().withBean(TraceSource.class, () -> mine)))
                    .containsSame(mine);
        }

        @Test
        void withoutMicrometerTracingEachSessionHasItsOwn() {
            assertThat(source(Contexts.ours().withClassLoader(new FilteredClassLoader("io.micrometer.tracing"))))
                    .isEmpty();
        }
    }

    @Test
    void itIsReadOverHttp() {
        try (ConfigurableApplicationContext started = new SpringApplicationBuilder(Contexts.Application.class)
                .web(WebApplicationType.REACTIVE)
                .initializers(context ->
                        ((GenericApplicationContext) context).registerBean(HttpTransport.class, Unreachable::new))
                .run(
                        "--server.port=0",
                        "--caracal.zone-id=zone-test",
                        "--caracal.application-id=app-test",
                        "--caracal.client-secret=hidden-value",
                        "--" + BINDING[0],
                        "--" + BINDING[1],
                        "--spring.autoconfigure.exclude=" + Contexts.WEB_SECURITY,
                        "--management.endpoints.web.exposure.include=health,metrics,info",
                        "--management.endpoint.health.show-details=always")) {
            WebTestClient http = WebTestClient.bindToServer()
                    .baseUrl("http://localhost:" + started.getEnvironment().getRequiredProperty("local.server.port"))
                    .build();
            assertThat(read(http, "/actuator/health", 503))
                    .contains("\"caracal\":{", "\"status\":\"DOWN\"", "unreachable");
            assertThat(read(http, "/actuator/metrics/caracal.sessions.active", 200))
                    .contains("\"value\":0.0");
            assertThat(read(http, "/actuator/info", 200)).contains("\"application\":\"app-test\"");
            assertThat(started.getBean(CaracalConfig.class).toString()).doesNotContain("hidden-value");
        }
    }

    private static String read(WebTestClient http, String path, int status) {
        return String.valueOf(http.get()
                .uri(path)
                .exchange()
                .expectStatus()
                .isEqualTo(status)
                .expectBody(String.class)
                .returnResult()
                .getResponseBody());
    }
}
