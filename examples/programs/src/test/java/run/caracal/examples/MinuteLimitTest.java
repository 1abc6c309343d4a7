package run.caracal.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.params.provider.Arguments.argumentSet;

import java.time.Duration;
import java.util.function.BiFunction;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import reactor.core.Exceptions;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.netty.http.client.HttpClient;
import reactor.test.StepVerifier;
import run.caracal.Caracal;
import run.caracal.FetchRequest;
import run.caracal.error.CaracalException;
import run.caracal.netty.CaracalHttp;
import run.caracal.platform.LocalPlatform;
import run.caracal.platform.PlatformLimits;
import run.caracal.test.Effort;
import run.caracal.test.Hygiene;

/** A thousand calls in one session, 32 at a time, exceed the limit of a minute, so that many fail together. */
@Tag("soak")
class MinuteLimitTest {
    private static final Duration LIMIT = Duration.ofSeconds(60);
    private static final int ROUNDS = Effort.of(3, 50);

    private final LocalPlatform platform = LocalPlatform.builder()
            .limits(PlatformLimits.builder()
                    .mintsPerMinute(300)
                    .coordinatorRequestsPerMinute(Integer.MAX_VALUE)
                    .build())
            .start();
    private final Caracal caracal = Caracal.create(Deployment.connected(platform)
            .resource(platform.resourceId(), platform.upstreamUrl(), "billing:charge")
            .build());

    @AfterEach
    void close() {
        StepVerifier.create(caracal.disposeLater()).expectComplete().verify(LIMIT);
        assertThat(platform.openSessionCount()).isZero();
        StepVerifier.create(platform.disposeLater()).expectComplete().verify(LIMIT);
    }

    private static Arguments call(String name, BiFunction<Caracal, LocalPlatform, Mono<?>> call) {
        return argumentSet(name, call);
    }

    static Stream<Arguments> calls() {
        return Stream.of(
                call("fetch", (caracal, platform) -> caracal.fetch(FetchRequest.of(platform.resourceId(), "/echo"))),
                call(
                        "a decorated client",
                        (caracal, platform) -> CaracalHttp.decorate(HttpClient.create(), caracal)
                                .get()
                                .uri(platform.upstreamUrl() + "/echo")
                                .responseSingle((response, body) -> body.asString())),
                call("mintMandate", (caracal, platform) -> caracal.mintMandate(platform.resourceId())));
    }

    private void assertMeetsTheLimit(Flux<?> calls) {
        StepVerifier.create(caracal.spawn(session -> calls.then()))
                // Errors that arrive while flatMap ends are combined.
                .expectErrorSatisfies(e -> assertThat(Exceptions.unwrapMultiple(e))
                        .isNotEmpty()
                        .allSatisfy(MinuteLimitTest::assertMayBeTheLimit))
                .verify(LIMIT);
    }

    private static void assertMayBeTheLimit(Throwable e) {
        assertThat(e)
                .isInstanceOfSatisfying(
                        CaracalException.class,
                        refused -> assertThat(refused.isRetryable()).isTrue())
                .hasMessageContaining("policy denied")
                .hasMessageContaining("maxMintsPerMinute");
    }

    /** The documented way to avoid the log line of Reactor. */
    @ParameterizedTest
    @MethodSource("calls")
    void dropsNoErrorWhereErrorsAreValues(BiFunction<Caracal, LocalPlatform, Mono<?>> made) {
        Mono<?> call = made.apply(caracal, platform);
        for (int round = 0; round < ROUNDS; round++) {
            assertMeetsTheLimit(
                    Flux.range(0, 1_000).flatMap(n -> call.materialize(), 32).dematerialize());
        }
        assertThat(Hygiene.takeDrops()).isEmpty();
    }

    /** Of two calls that fail at the same time, flatMap may drop one error; no operator of a call does. */
    @ParameterizedTest
    @MethodSource("calls")
    void leavesNothingToDropToOthersThanFlatMap(BiFunction<Caracal, LocalPlatform, Mono<?>> made) {
        Mono<?> call = made.apply(caracal, platform);
        for (int round = 0; round < ROUNDS; round++) {
            assertMeetsTheLimit(Flux.range(0, 1_000).flatMap(n -> call, 32));
        }
        assertThat(Hygiene.takeDrops())
                .extracting(Hygiene.Drop::by)
                .allMatch(by -> by.startsWith("reactor.core.publisher.FluxFlatMap"));
    }
}
