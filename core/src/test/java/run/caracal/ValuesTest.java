package run.caracal;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import run.caracal.config.CaracalConfig;
import run.caracal.config.ClientSecretResolver;
import run.caracal.http.Propagation;
import run.caracal.http.TransportOptions;

/** Options and configurations are values: equal if all their settings are equal. */
class ValuesTest {
    private static final String TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    private static CaracalConfig.Builder config() {
        return CaracalConfig.builder()
                .zoneId("zone-1")
                .applicationId("app-1")
                .subjectToken("a-token")
                .stsUrl("https://sts.example.com")
                .coordinatorUrl("https://coordinator.example.com")
                .gatewayUrl("https://gateway.example.com");
    }

    private static CarriedContext carried(String baggage) {
        return CarriedContext.fromMap(Map.of("traceparent", TRACE, "baggage", baggage));
    }

    private static FetchRequest.Builder fetch() {
        return FetchRequest.builder("resource://billing-api", "/charge");
    }

    static Stream<Arguments> values() {
        ClientSecretResolver secret = ClientSecretResolver.of("secret");
        TransportOptions options = TransportOptions.defaults().withScopes("a");
        return Stream.of(
                Arguments.of(
                        config().build(),
                        config().build().mutate().build(),
                        List.of(
                                config().zoneId("zone-2").build(),
                                config().subjectToken("another").build(),
                                config().gatewayUrl("https://other.example.com").build(),
                                config().resource("resource://a", "https://a.example.com")
                                        .build(),
                                config().production(true).build(),
                                config().propagation(Propagation.resources()).build(),
                                config().traceSource(context -> Optional.empty())
                                        .build(),
                                config().failOnCloseError(true).build(),
                                config().stsTimeout(Duration.ofSeconds(1)).build())),
                Arguments.of(
                        CaracalConfig.builder()
                                .zoneId("zone-1")
                                .applicationId("app-1")
                                .clientSecret(secret)
                                .build(),
                        CaracalConfig.builder()
                                .zoneId("zone-1")
                                .applicationId("app-1")
                                .clientSecret(secret)
                                .build(),
                        List.of(CaracalConfig.builder()
                                .zoneId("zone-1")
                                .applicationId("app-1")
                                .clientSecret(ClientSecretResolver.of("another"))
                                .build())),
                Arguments.of(
                        options,
                        TransportOptions.defaults().withScopes("a"),
                        List.of(
                                options.withScopes("b"),
                                options.withLabels("clerk"),
                                options.withAsApplication(),
                                options.withPropagation(Propagation.resources()))),
                Arguments.of(
                        carried("caracal.agent_session=session-1,other=1"),
                        carried("caracal.agent_session=session-1,other=1"),
                        List.of(carried("caracal.agent_session=session-2,other=1"), carried("other=1"), carried(""))),
                Arguments.of(
                        fetch().json("{}").requestId("r-1").build(),
                        fetch().json("{}").requestId("r-1").build(),
                        List.of(
                                fetch().json("[]").requestId("r-1").build(),
                                fetch().json("{}").build(),
                                fetch().json("{}").requestId("r-1").scopes("a").build())));
    }

    @ParameterizedTest
    @MethodSource("values")
    void valuesMadeAlikeAreEqual(Object value, Object same, List<Object> others) {
        assertThat(value).isEqualTo(same).hasSameHashCodeAs(same).isNotEqualTo(null);
        assertThat(others).doesNotContain(value).doesNotHaveDuplicates();
    }
}
