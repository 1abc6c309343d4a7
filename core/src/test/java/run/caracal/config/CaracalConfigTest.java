package run.caracal.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.function.BiFunction;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;
import reactor.test.StepVerifier;
import run.caracal.error.ConfigurationException;
import run.caracal.error.ConfigurationException.Problem;
import run.caracal.http.HttpRequest;
import run.caracal.http.HttpResponse;
import run.caracal.http.HttpTransport;
import run.caracal.http.Propagation;

class CaracalConfigTest {
    private static final List<Duration> NO_TIMEOUTS = List.of(
            Duration.ZERO,
            Duration.ofMillis(-1),
            Duration.ofNanos(1),
            Duration.ofDays(292 * 365),
            ChronoUnit.FOREVER.getDuration(),
            ChronoUnit.FOREVER.getDuration().negated());

    private static final String SECRET = "s3cret-value";
    private static final String TOKEN = "t0ken-value";

    private static CaracalConfig.Builder minimal() {
        return CaracalConfig.builder()
                .zoneId("zone-1")
                .applicationId("app-1")
                .clientSecret(SECRET)
                .production(false);
    }

    private static CaracalConfig.Builder full() {
        return CaracalConfig.builder()
                .zoneId("zone-2")
                .applicationId("app-2")
                .stsUrl("https://sts.example.com/")
                .coordinatorUrl("https://coordinator.example.com/")
                .gatewayUrl("http://gateway.example.com/base/")
                .resource("r1", "https://a.example.com", "read", "write")
                .resource("r2", "https://b.example.com/v1")
                .resourceIds("r9")
                .resourceScopes("r9", "admin")
                .defaultTtl(Duration.ofMinutes(10))
                .defaultKind("EPHEMERAL")
                .production(true)
                .allowInsecureUrls(true)
                .propagation(Propagation.resources())
                .transport(new NoTransport())
                .closeTimeout(Duration.ofSeconds(1))
                .disposeTimeout(Duration.ofSeconds(2))
                .failOnCloseError(true)
                .coordinatorTimeout(Duration.ofSeconds(3))
                .stsTimeout(Duration.ofSeconds(4))
                .maxOpenSessions(20)
                .sessionAcquireTimeout(Duration.ofSeconds(5))
                .maxMintsPerMinute(600)
                .traceSource(view -> Optional.empty());
    }

    private static final class NoTransport implements HttpTransport {
        @Override
        public Mono<HttpResponse> exchange(HttpRequest request) {
            return Mono.error(new UnsupportedOperationException());
        }

        @Override
        public Mono<Void> disposeLater() {
            return Mono.empty();
        }

        @Override
        public void dispose() {}
    }

    @Test
    void keepsEveryFieldInACopy() throws IllegalAccessException {
        CaracalConfig plain = minimal().build();
        CaracalConfig secret =
                full().clientSecret(ClientSecretResolver.of(SECRET)).build();
        CaracalConfig token = full().subjectToken(TOKEN).build();
        List<String> fields = new ArrayList<>();
        for (Field field : CaracalConfig.class.getDeclaredFields()) {
            if (Modifier.isStatic(field.getModifiers())) {
                continue;
            }
            field.setAccessible(true);
            fields.add(field.getName());
            CaracalConfig original = field.getName().equals("subjectToken") ? token : secret;
            assertThat(field.get(original))
                    .as("%s is not the default", field.getName())
                    .isNotEqualTo(field.get(plain));
            assertThat(field.get(original.mutate().build())).as(field.getName()).isEqualTo(field.get(original));
        }
        assertThat(fields).hasSizeGreaterThan(20);
        for (CaracalConfig config : List.of(plain, secret, token)) {
            assertThat(config.toString() + config.mutate() + config.clientSecret())
                    .doesNotContain(SECRET)
                    .doesNotContain(TOKEN);
        }
    }

    @Test
    void hasTheDocumentedDefaults() {
        CaracalConfig config = minimal().build();
        assertThat(config.coordinatorUrl()).isEqualTo(URI.create("http://localhost:4000"));
        assertThat(config.stsUrl()).isEqualTo(URI.create("http://localhost:8080"));
        assertThat(config.gatewayUrl()).isEqualTo(URI.create("http://localhost:8081"));
        assertThat(config.closeTimeout()).isEqualTo(Duration.ofSeconds(5));
        assertThat(config.disposeTimeout()).isEqualTo(Duration.ofSeconds(10));
        assertThat(config.coordinatorTimeout()).isEqualTo(Duration.ofSeconds(10));
        assertThat(config.stsTimeout()).isEqualTo(Duration.ofSeconds(30));
        assertThat(config.failOnCloseError()).isFalse();
        assertThat(config.propagation()).isEmpty();
        assertThat(config.transport()).isEmpty();
        assertThat(config.defaultTtl()).isEmpty();
        assertThat(config.defaultKind()).isEmpty();
        assertThat(config.resourceIds()).isEmpty();
    }

    @Test
    void ordersResources() {
        CaracalConfig config = full().clientSecret(SECRET).build();
        assertThat(config.resources().stream().map(ResourceBinding::resource)).containsExactly("r2", "r1");
        assertThat(config.resourceIds()).containsExactly("r9", "r2", "r1");
        assertThat(config.scopesOf("r1")).containsExactly("read", "write");
        assertThat(config.scopesOf("r2")).isEmpty();
        assertThat(config.scopesOf("r9")).containsExactly("admin");
        assertThat(config.scopesOf("unknown")).isEmpty();
    }

    @Test
    void reportsAllFaultsOfTheBuilderTogether() {
        CaracalConfig.Builder builder = CaracalConfig.builder()
                .applicationId("..")
                .stsUrl("https://sts.example.com")
                .coordinatorUrl("coordinator.example.com")
                .gatewayUrl("http://gateway.example.com")
                .resource("r 1", "nope", "a b")
                .resourceScopes("unknown", "read")
                .defaultTtl(Duration.ofMillis(1500))
                .defaultKind(" ")
                .propagation(Propagation.origins("http://other.example.com"))
                .production(true)
                .allowInsecureUrls(false);
        assertThatThrownBy(builder::build).isInstanceOfSatisfying(ConfigurationException.class, e -> {
            assertThat(e.problems().stream().map(Problem::setting))
                    .containsExactly(
                            "zoneId",
                            "applicationId",
                            "clientSecret",
                            "coordinatorUrl",
                            "gatewayUrl",
                            "resource",
                            "upstreamPrefix",
                            "scopes",
                            "resourceScopes",
                            "defaultTtl",
                            "defaultKind",
                            "propagation");
            assertThat(e.problems()).allMatch(problem -> problem.source().equals("CaracalConfig.builder()"));
        });
    }

    @Test
    void requiresExplicitAddressesInProduction() {
        assertThatThrownBy(() -> minimal().production(true).build())
                .isInstanceOfSatisfying(
                        ConfigurationException.class,
                        e -> assertThat(e.problems().stream().map(Problem::setting))
                                .containsExactly("coordinatorUrl", "stsUrl", "gatewayUrl"));
    }

    @Test
    void refusesAPlainlyWrongToken() {
        Base64.Encoder encoder = Base64.getUrlEncoder().withoutPadding();
        String none = encoder.encodeToString("{\"alg\":\"none\"}".getBytes(StandardCharsets.UTF_8));
        String past = encoder.encodeToString("{\"exp\":5}".getBytes(StandardCharsets.UTF_8));
        for (Map.Entry<String, String> entry : Map.of(
                        none + ".e30.x",
                        "unsigned",
                        "e30." + past + ".x",
                        "expired",
                        "tok\nen-value",
                        "line break",
                        " tok ",
                        "blank")
                .entrySet()) {
            assertThatThrownBy(() -> minimal().subjectToken(entry.getKey()).build())
                    .isInstanceOf(ConfigurationException.class)
                    .hasMessageContaining("subjectToken")
                    .hasMessageContaining(entry.getValue())
                    .hasMessageNotContaining(entry.getKey());
        }
    }

    @Test
    void throwsArgumentErrorsAtOnce() {
        CaracalConfig.Builder builder = minimal();
        assertThatThrownBy(() -> builder.clientSecret("a\nb"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageNotContaining("a\nb");
    }

    @Test
    void boundsEachTimeWhereItIsSet() {
        Map<String, BiFunction<CaracalConfig.Builder, Duration, CaracalConfig.Builder>> options = Map.of(
                "closeTimeout", CaracalConfig.Builder::closeTimeout,
                "disposeTimeout", CaracalConfig.Builder::disposeTimeout,
                "coordinatorTimeout", CaracalConfig.Builder::coordinatorTimeout,
                "stsTimeout", CaracalConfig.Builder::stsTimeout);
        options.forEach((name, option) -> {
            for (Duration bad : NO_TIMEOUTS) {
                assertThatThrownBy(() -> option.apply(minimal(), bad))
                        .isInstanceOf(IllegalArgumentException.class)
                        .hasMessageContainingAll(name, bad.toString(), "1 millisecond", "1 hour");
            }
            for (Duration good : List.of(Duration.ofMillis(1), Duration.ofHours(1))) {
                assertThat(option.apply(minimal(), good).build().toString()).contains(name + "=" + good);
            }
        });
        for (Duration bad : NO_TIMEOUTS) {
            assertThatThrownBy(() -> minimal().defaultTtl(bad).build())
                    .isInstanceOf(ConfigurationException.class)
                    .hasMessageContainingAll("defaultTtl", bad.toString(), "86400");
        }
    }

    @Test
    void readsTheEnvironmentForWhatWasNotSet() {
        Map<String, String> quoted =
                Map.of("CARACAL_ENV", "\"production\"", "CARACAL_ALLOW_INSECURE_CONFIG_URLS", "yes");
        assertThatThrownBy(() -> complete(quoted).build())
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContainingAll("CARACAL_ENV (environment variable)", "quotes")
                .hasMessageContaining("CARACAL_ALLOW_INSECURE_CONFIG_URLS (environment variable)");
        assertThat(complete(quoted)
                        .production(false)
                        .allowInsecureUrls(false)
                        .build()
                        .production())
                .isFalse();
        assertThatThrownBy(() -> complete(Map.of("CARACAL_ENV", "production")).build())
                .hasMessageContaining("is required in production");
    }

    private static CaracalConfig.Builder complete(Map<String, String> variables) {
        return new CaracalConfig.Builder(variables)
                .zoneId("zone")
                .applicationId("app")
                .clientSecret("s3cret");
    }

    @Test
    void takesAUrlThatOnlyNetworksOfContainersHave() {
        CaracalConfig config = minimal().stsUrl("http://caracal_sts:8080/").build();
        assertThat(config.stsUrl()).hasToString("http://caracal_sts:8080");
        assertThat(config.mutate().build().stsUrl()).isEqualTo(config.stsUrl());
    }

    @Test
    void refusesToReadFilesOnAnEventLoop() {
        Map<String, Callable<CaracalConfig>> readers = Map.of(
                "load", CaracalConfig::load,
                "fromEnvironment", CaracalConfig::fromEnvironment,
                "fromProfile", () -> CaracalConfig.fromProfile(Path.of("caracal.toml")));
        readers.forEach(
                (name, reader) -> StepVerifier.create(Mono.fromCallable(reader).subscribeOn(Schedulers.parallel()))
                        .verifyErrorSatisfies(error -> assertThat(error)
                                .isInstanceOf(IllegalStateException.class)
                                .hasMessageContaining("CaracalConfig." + name)
                                .hasMessageContaining("Caracal.load()")));
    }

    @Test
    void readsAProfileThatIsNotThere() {
        assertThatThrownBy(() -> CaracalConfig.fromProfile(Path.of("no-such-file.toml")))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining(
                        Objects.toString(Path.of("no-such-file.toml").toAbsolutePath()));
    }
}
