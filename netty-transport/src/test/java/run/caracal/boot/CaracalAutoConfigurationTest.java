package run.caracal.boot;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.springframework.beans.factory.BeanFactory;
import org.springframework.beans.factory.config.BeanPostProcessor;
import org.springframework.beans.factory.support.DefaultListableBeanFactory;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.boot.diagnostics.FailureAnalysis;
import org.springframework.boot.diagnostics.FailureAnalyzer;
import org.springframework.boot.support.SystemEnvironmentPropertySourceEnvironmentPostProcessor;
import org.springframework.boot.test.context.assertj.AssertableApplicationContext;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.SmartLifecycle;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Import;
import org.springframework.core.env.Environment;
import org.springframework.core.env.StandardEnvironment;
import org.springframework.core.env.SystemEnvironmentPropertySource;
import org.springframework.core.io.support.SpringFactoriesLoader;
import org.springframework.core.io.support.SpringFactoriesLoader.ArgumentResolver;
import org.springframework.core.io.support.SpringFactoriesLoader.FailureHandler;
import reactor.core.publisher.Mono;
import run.caracal.Caracal;
import run.caracal.config.CaracalConfig;
import run.caracal.config.ClientSecretResolver;
import run.caracal.config.ResourceBinding;
import run.caracal.error.ConfigurationException;
import run.caracal.error.ConfigurationException.Problem;
import run.caracal.http.HttpTransport;
import run.caracal.test.FakePlatform;

/** The client of a Boot application. */
class CaracalAutoConfigurationTest {
    private static final Duration LIMIT = Duration.ofSeconds(10);

    private final ApplicationContextRunner context = Contexts.plain();

    private static CaracalConfig config(AssertableApplicationContext context) {
        assertThat(context).hasNotFailed();
        return context.getBean(CaracalConfig.class);
    }

    private static Throwable failure(AssertableApplicationContext context) {
        assertThat(context).hasFailed();
        return Objects.requireNonNull(context.getStartupFailure());
    }

    private static ConfigurationException fault(AssertableApplicationContext context) {
        for (Throwable e = failure(context); e != null; e = e.getCause()) {
            if (e instanceof ConfigurationException faulty) {
                return faulty;
            }
        }
        throw new AssertionError("failed otherwise", context.getStartupFailure());
    }

    private static FailureAnalysis analysis(AssertableApplicationContext context) {
        return Objects.requireNonNull(new CaracalFailureAnalyzer().analyze(failure(context)));
    }

    @Test
    void threePropertiesAreEnough() {
        context.run(started -> {
            assertThat(started).hasSingleBean(Caracal.class).hasSingleBean(CaracalConfig.class);
            assertThat(started.getBean(Caracal.class).zoneId()).isEqualTo("zone-test");
        });
    }

    @Test
    void everyPropertyArrives() {
        context.withPropertyValues(
                        "caracal.sts-url=https://sts.example/",
                        "caracal.coordinator-url=https://coordinator.example",
                        "caracal.gateway-url=https://gateway.example",
                        "caracal.bindings[0].resource=resource://billing",
                        "caracal.bindings[0].upstream-prefix=https://billing.example",
                        "caracal.bindings[0].scopes=billing:read,billing:write",
                        "caracal.propagation=https://one.example,https://two.example",
                        "caracal.production=true",
                        "caracal.default-ttl=2m",
                        "caracal.max-open-sessions=7",
                        "caracal.session-acquire-timeout=9s",
                        "caracal.max-mints-per-minute=500",
                        "caracal.close-timeout=1s",
                        "caracal.dispose-timeout=2s",
                        "caracal.coordinator-timeout=3s",
                        "caracal.sts-timeout=4s",
                        "caracal.fail-on-close-error=true")
                .run(started -> {
                    CaracalConfig config = config(started);
                    assertThat(config.stsUrl()).hasToString("https://sts.example");
                    assertThat(config.coordinatorUrl()).hasToString("https://coordinator.example");
                    assertThat(config.gatewayUrl()).hasToString("https://gateway.example");
                    assertThat(config.resources())
                            .containsExactly(new ResourceBinding(
                                    "resource://billing",
                                    "https://billing.example",
                                    List.of("billing:read", "billing:write")));
                    assertThat(config.propagation().orElseThrow().names("https://two.example"))
                            .isTrue();
                    assertThat(config.production()).isTrue();
                    assertThat(config.defaultTtl()).hasValue(Duration.ofMinutes(2));
                    assertThat(config.maxOpenSessions()).hasValue(7);
                    assertThat(config.sessionAcquireTimeout()).hasSeconds(9);
                    assertThat(config.maxMintsPerMinute()).hasValue(500);
                    assertThat(config.closeTimeout()).hasSeconds(1);
                    assertThat(config.disposeTimeout()).hasSeconds(2);
                    assertThat(config.coordinatorTimeout()).hasSeconds(3);
                    assertThat(config.stsTimeout()).hasSeconds(4);
                    assertThat(config.failOnCloseError()).isTrue();
                });
    }

    @Test
    void switchedOffNothingIsMade() {
        context.withPropertyValues("caracal.enabled=false", "caracal.zone-id=..")
                .run(started -> assertThat(started).hasNotFailed().doesNotHaveBean(Caracal.class));
    }

    @Nested
    class Sources {
        @TempDir
        private Path directory = Path.of("");

        /** A profile overrides the environment, whose variables Boot's relaxed binding turns into properties. */
        @Test
        void aVariableOfTheLoaderIsNoProperty() {
            context.withPropertyValues("caracal.zone-id=")
                    .withInitializer(application -> {
                        application
                                .getEnvironment()
                                .getPropertySources()
                                .replace(
                                        "systemEnvironment",
                                        new SystemEnvironmentPropertySource(
                                                "systemEnvironment", Map.of("CARACAL_ZONE_ID", "of-boot")));
                        new SystemEnvironmentPropertySourceEnvironmentPostProcessor()
                                .postProcessEnvironment(application.getEnvironment(), new SpringApplication());
                    })
                    // The loader reads the variables of the process, which has none of this name.
                    .run(started -> assertThat(fault(started).problems())
                            .extracting(Problem::setting)
                            .containsExactly("CARACAL_ZONE_ID"));
        }

        @Test
        void aConfigTreeHoldsTheSecret() throws Exception {
            Files.writeString(directory.resolve("caracal.client-secret"), "of the tree\n");
            try (ConfigurableApplicationContext started = new SpringApplicationBuilder(Client.class)
                    .web(WebApplicationType.NONE)
                    .run(
                            "--spring.config.import=configtree:" + directory + "/",
                            "--caracal.zone-id=zone-test",
                            "--caracal.application-id=app-test")) {
                ClientSecretResolver secret =
                        started.getBean(CaracalConfig.class).clientSecret().orElseThrow();
                assertThat(secret.resolve().block(LIMIT)).isEqualTo("of the tree");
            }
        }

        @Test
        void aSecretFileIsReadAgain() throws Exception {
            Path file = Files.writeString(directory.resolve("secret"), "first");
            Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-------"));
            context.withPropertyValues("caracal.client-secret=", "caracal.client-secret-file=" + file)
                    .run(started -> {
                        ClientSecretResolver secret =
                                config(started).clientSecret().orElseThrow();
                        Files.writeString(file, "second");
                        assertThat(secret.resolve().block(LIMIT)).isEqualTo("second");
                    });
        }
    }

    @Nested
    class Faults {
        @Test
        void eachIsNamedWithItsPropertyAndItsPlace() {
            context.withPropertyValues(
                            "caracal.zone-id=..",
                            "caracal.sts-url=ftp://sts.example",
                            "caracal.default-ttl=90000s",
                            "caracal.sts-timeout=2h",
                            "caracal.max-open-sessions=0",
                            "caracal.max-mints-per-minute=1",
                            "caracal.client-secret-file=/nowhere",
                            "caracal.bindings[0].upstream-prefix=https://billing.example")
                    .run(started -> {
                        ConfigurationException faulty = fault(started);
                        assertThat(faulty.problems())
                                .extracting(Problem::setting)
                                .containsExactlyInAnyOrder(
                                        "caracal.zone-id",
                                        "caracal.sts-url",
                                        "caracal.default-ttl",
                                        "caracal.sts-timeout",
                                        "caracal.max-open-sessions",
                                        "caracal.max-mints-per-minute",
                                        "caracal.client-secret",
                                        "caracal.bindings[0].upstream-prefix");
                        assertThat(faulty.problems())
                                .extracting(Problem::source)
                                .allSatisfy(source -> assertThat(source).contains("from property source \"test\""));
                        assertThat(faulty).hasMessageNotContaining("hidden-value");
                    });
        }

        @Test
        void missingOnesAreNamedByTheirProperty() {
            new ApplicationContextRunner()
                    .withUserConfiguration(Client.class)
                    .withPropertyValues("caracal.gateway-url=gateway")
                    .run(started -> {
                        assertThat(analysis(started).getDescription())
                                .contains("caracal.zone-id, or CARACAL_ZONE_ID (environment variable): is missing")
                                .contains("caracal.application-id, or CARACAL_APPLICATION_ID")
                                .contains("caracal.client-secret, or CARACAL_APP_CLIENT_SECRET")
                                .contains("caracal.gateway-url (\"caracal.gateway-url\" from property source"
                                        + " \"test\"): must be");
                        assertThat(analysis(started).getAction()).contains("caracal.enabled=false");
                    });
        }

        @Test
        void aPropertyOfAFileIsNamedWithItsLine(@TempDir Path directory) throws Exception {
            Files.writeString(directory.resolve("application.yml"), "caracal:\n  application-id: app\n  zone-id: ..\n");
            SpringApplication application = new SpringApplicationBuilder(Client.class)
                    .web(WebApplicationType.NONE)
                    .build();
            assertThat(catchThrowable(() -> application.run(
                            "--spring.config.location=file:" + directory + "/",
                            "--caracal.client-secret=hidden-value")))
                    .rootCause()
                    .isInstanceOf(ConfigurationException.class)
                    .hasMessageContaining("caracal.zone-id")
                    .hasMessageContaining("application.yml] - 3:12");
        }

        @Test
        void failFastEndsTheStart() {
            context.withPropertyValues(
                            "caracal.fail-fast=true",
                            "caracal.bindings[0].resource=resource://billing",
                            "caracal.bindings[0].upstream-prefix=https://billing.example")
                    .withBean(HttpTransport.class, Unreachable::new)
                    .run(started -> {
                        assertThat(analysis(started).getDescription()).contains("cannot be used");
                        assertThat(analysis(started).getAction()).contains("caracal.fail-fast");
                    });
        }

        @Test
        void failFastTellsAWrongSecret() {
            FakePlatform platform = new FakePlatform();
            platform.always(
                    FakePlatform::isToken,
                    real -> Mono.just(FakePlatform.answer(401, "{\"error\":\"invalid_client\"}")));
            context.withPropertyValues("caracal.fail-fast=true", "caracal.bindings[0].resource=resource://billing")
                    .withBean(HttpTransport.class, () -> platform)
                    .run(started -> assertThat(analysis(started).getDescription())
                            .contains("cannot be used", "invalid_client")
                            .doesNotContain("hidden-value"));
        }

        /** Missing, malformed and contradictory settings are reported together. */
        @Test
        void eachOfAFileIsPrintedWithItsLine(@TempDir Path directory) throws Exception {
            Files.writeString(directory.resolve("application.yml"), """
                    caracal:
                      zone-id: ..
                      client-secret: hidden-value
                      client-secret-file: /nowhere
                      sts-timeout: 2h
                      bindings:
                        - upstream-prefix: https://billing.example
                    """);
            SpringApplication application = new SpringApplicationBuilder(Client.class)
                    .web(WebApplicationType.NONE)
                    .build();
            Throwable failure =
                    catchThrowable(() -> application.run("--spring.config.location=file:" + directory + "/"));
            FailureAnalysis analysis =
                    Objects.requireNonNull(new CaracalFailureAnalyzer().analyze(Objects.requireNonNull(failure)));
            List<String> faults = analysis.getDescription()
                    .lines()
                    .filter(line -> line.startsWith("    "))
                    .toList();
            assertThat(faults)
                    .hasSize(5)
                    .anyMatch(line -> line.contains("caracal.zone-id (") && line.contains(" - 2:12"))
                    .anyMatch(line -> line.contains("caracal.application-id, or CARACAL_APPLICATION_ID"))
                    .anyMatch(line -> line.contains("caracal.client-secret") && line.contains(" - 3:18"))
                    .anyMatch(line -> line.contains("caracal.sts-timeout (") && line.contains(" - 5:16"))
                    .anyMatch(
                            line -> line.contains("caracal.bindings[0].upstream-prefix (") && line.contains(" - 7:24"));
            assertThat(analysis.getDescription()).doesNotContain("hidden-value");
        }

        @Test
        void bootFindsWhatPrintsThem() {
            assertThat(SpringFactoriesLoader.forDefaultResourceLocation()
                            .load(
                                    FailureAnalyzer.class,
                                    ArgumentResolver.of(BeanFactory.class, new DefaultListableBeanFactory())
                                            .and(Environment.class, new StandardEnvironment()),
                                    // Some of Boot's analyzers need libraries that are absent.
                                    FailureHandler.handleMessage((message, failure) -> {})))
                    .hasAtLeastOneElementOfType(CaracalFailureAnalyzer.class);
        }

        @Test
        void withoutItTheApplicationStarts() {
            context.withBean(HttpTransport.class, Unreachable::new)
                    .run(started -> assertThat(started).hasNotFailed());
        }
    }

    @Nested
    class Instead {
        @Test
        void aClientOfTheApplication() {
            context.withBean("mine", Caracal.class, () -> Unreachable.client("zone-mine"))
                    .run(started -> assertThat(started)
                            .hasSingleBean(Caracal.class)
                            .doesNotHaveBean(CaracalConfig.class)
                            .hasBean("mine"));
        }

        @Test
        void aConfigurationOfTheApplication() {
            context.withBean(
                            CaracalConfig.class,
                            () -> CaracalConfig.builder()
                                    .zoneId("zone-mine")
                                    .applicationId("app")
                                    .clientSecret("s")
                                    .build())
                    .run(started ->
                            assertThat(started.getBean(Caracal.class).zoneId()).isEqualTo("zone-mine"));
        }

        @Test
        void aSecretResolverAndATransport() {
            Unreachable transport = new Unreachable();
            context.withPropertyValues("caracal.client-secret=")
                    .withBean(ClientSecretResolver.class, () -> () -> Mono.just("of a vault"))
                    .withBean(HttpTransport.class, () -> transport)
                    .run(started -> {
                        CaracalConfig config = config(started);
                        assertThat(config.clientSecret().orElseThrow().resolve().block(LIMIT))
                                .isEqualTo("of a vault");
                        assertThat(config.transport()).containsSame(transport);
                    });
        }

        @Test
        void whatACustomizerSays() {
            context.withBean(CaracalConfigCustomizer.class, () -> builder -> {
                        var unused = builder.zoneId("zone-customized");
                    })
                    .run(started -> assertThat(config(started).zoneId()).isEqualTo("zone-customized"));
        }
    }

    @Nested
    class Closing {
        private final AtomicReference<Caracal> client = new AtomicReference<>();

        private Caracal client() {
            return Objects.requireNonNull(client.get());
        }

        @Test
        void theClientIsClosedWithItsContext() {
            context.run(started -> client.set(started.getBean(Caracal.class)));
            assertThat(client().isDisposed()).isTrue();
        }

        @Test
        void onlyWhatStopsLaterFindsItClosed() {
            Neighbour server = new Neighbour(SmartLifecycle.DEFAULT_PHASE - 2048, client);
            Neighbour connections = new Neighbour(0, client);
            context.withBean("server", Neighbour.class, () -> server)
                    .withBean("connections", Neighbour.class, () -> connections)
                    .run(started -> client.set(started.getBean(Caracal.class)));
            assertThat(server.foundItClosed).isFalse();
            assertThat(connections.foundItClosed).isTrue();
        }

        @Test
        void everyClientOfTheApplicationIsClosed() {
            AtomicReference<Map<String, Caracal>> clients = new AtomicReference<>();
            context.withBean("one", Caracal.class, () -> Unreachable.client("zone-one"))
                    .withBean("other", Caracal.class, () -> Unreachable.client("zone-other"))
                    .run(started -> clients.set(started.getBeansOfType(Caracal.class)));
            assertThat(Objects.requireNonNull(clients.get()).values())
                    .hasSize(2)
                    .allMatch(Caracal::isDisposed);
        }

        @Test
        void aLazyClientIsNotMadeToBeClosed() {
            new ApplicationContextRunner()
                    .withUserConfiguration(Client.class)
                    .withBean(
                            Caracal.class,
                            () -> {
                                client.set(Unreachable.client("zone-lazy"));
                                return client();
                            },
                            definition -> definition.setLazyInit(true))
                    .run(started -> assertThat(started).hasNotFailed());
            assertThat(client.get()).isNull();
        }

        @Test
        void aStartThatFailsLeavesNoClient() {
            context.withUserConfiguration(Noticing.class, Broken.class)
                    .withBean("noticed", AtomicReference.class, () -> client)
                    .run(started -> assertThat(started).hasFailed());
            assertThat(client().isDisposed()).isTrue();
        }
    }

    @Configuration(proxyBeanMethods = false)
    @Import(CaracalAutoConfiguration.class)
    static class Client {}

    @Configuration(proxyBeanMethods = false)
    static class Noticing {
        @Bean
        static BeanPostProcessor noticing(AtomicReference<Caracal> noticed) {
            return new BeanPostProcessor() {
                @Override
                public Object postProcessAfterInitialization(Object bean, String name) {
                    if (bean instanceof Caracal made) {
                        noticed.set(made);
                    }
                    return bean;
                }
            };
        }
    }

    @Configuration(proxyBeanMethods = false)
    static class Broken {
        @Bean
        String broken(Caracal caracal) {
            throw new IllegalStateException("broken after " + caracal);
        }
    }

    /** Records whether the client is closed when this stops. */
    private static final class Neighbour implements SmartLifecycle {
        private final int phase;
        private final AtomicReference<Caracal> client;
        private boolean foundItClosed;
        private volatile boolean running;

        Neighbour(int phase, AtomicReference<Caracal> client) {
            this.phase = phase;
            this.client = client;
        }

        @Override
        public void start() {
            running = true;
        }

        @Override
        public void stop() {
            running = false;
            foundItClosed = Objects.requireNonNull(client.get()).isDisposed();
        }

        @Override
        public boolean isRunning() {
            return running;
        }

        @Override
        public int getPhase() {
            return phase;
        }
    }
}
