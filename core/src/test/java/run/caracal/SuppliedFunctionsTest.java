package run.caracal;

import static org.assertj.core.api.Assertions.assertThat;
import static run.caracal.test.FakePlatform.LIMIT;

import java.time.Duration;
import java.util.List;
import java.util.function.BiFunction;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.jspecify.annotations.NullUnmarked;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.test.StepVerifier;
import run.caracal.config.CaracalConfig;
import run.caracal.error.CallbackException;
import run.caracal.error.CaracalException;
import run.caracal.http.HttpRequest;
import run.caracal.http.HttpResponse;
import run.caracal.http.HttpTransport;
import run.caracal.test.FakePlatform;

/** Functions of the application that return {@code null}, throw, or are empty: the error names each, and no session stays open. */
@NullUnmarked
class SuppliedFunctionsTest {
    @RegisterExtension
    private final FakePlatform platform = new FakePlatform();

    private final Caracal caracal = platform.client();

    /** An operation that calls a function of the application. */
    private record Operation(String name, BiFunction<Caracal, Supplier<Mono<Object>>, Flux<?>> around) {
        @Override
        public String toString() {
            return name;
        }
    }

    private static Flux<?> inSession(Caracal client, Function<CaracalContext, Mono<Object>> work) {
        return client.spawn(work).flux();
    }

    private static Flux<?> hooked(
            Caracal client, Function<Function<CaracalContext, Mono<Void>>, ?> register, Supplier<Mono<Object>> hook) {
        return Flux.defer(() -> {
            var unused = register.apply(context -> {
                Mono<Object> given = hook.get();
                return given == null ? null : given.then();
            });
            return client.spawn(context -> Mono.just("done")).flux();
        });
    }

    static Stream<Operation> operations() {
        DelegationSpec spec = DelegationSpec.builder()
                .to("session-9", "app-9")
                .scopes("a")
                .resource("resource://billing-api")
                .ttl(Duration.ofMinutes(1))
                .build();
        return Stream.of(
                new Operation("spawn(...)", (client, work) -> inSession(client, context -> work.get())),
                new Operation("spawnMany(...)", (client, work) -> client.spawnMany(context -> work.get())),
                new Operation(
                        "runService(...)",
                        (client, work) -> client.runService(ServiceOptions.defaults(), agent -> work.get())),
                new Operation(
                        "delegate(...)",
                        (client, work) -> inSession(client, context -> client.delegate(spec, derived -> work.get()))),
                new Operation(
                        "delegateMany(...)",
                        (client, work) ->
                                client.spawnMany(context -> client.delegateMany(spec, derived -> work.get()))),
                new Operation(
                        "acceptDelegation(...)",
                        (client, work) ->
                                inSession(client, context -> client.acceptDelegation("edge-9", derived -> work.get()))),
                new Operation(
                        "acceptDelegationMany(...)",
                        (client, work) -> client.spawnMany(context ->
                                client.acceptDelegationMany("edge-9", Acceptance.UNCHECKED, derived -> work.get()))),
                new Operation(
                        "withApproval(...)",
                        (client, work) -> client.withApproval(id -> work.get()).flux()),
                new Operation("session start hook", (client, work) -> hooked(client, client::onSessionStart, work)));
    }

    @ParameterizedTest
    @MethodSource("operations")
    void whatGivesNullIsNamed(Operation operation) {
        StepVerifier.create(operation.around().apply(caracal, () -> null))
                .expectErrorSatisfies(e -> assertThat(e)
                        .isInstanceOf(CallbackException.class)
                        .hasMessageContaining(operation.name())
                        .hasMessageContaining("returned null"))
                .verify(LIMIT);
    }

    @ParameterizedTest
    @MethodSource("operations")
    void whatItThrowsIsSignalledAsItIs(Operation operation) {
        IllegalStateException thrown = new IllegalStateException("mine");
        StepVerifier.create(operation.around().apply(caracal, () -> {
                    throw thrown;
                }))
                .expectErrorSatisfies(e -> assertThat(e).isSameAs(thrown))
                .verify(LIMIT);
    }

    @ParameterizedTest
    @MethodSource("operations")
    void whatIsEmptyIsNoError(Operation operation) {
        StepVerifier.create(operation.around().apply(caracal, Mono::empty).then())
                .expectComplete()
                .verify(LIMIT);
    }

    /** All calls of a client, over a transport that returns {@code null} or an empty {@code Mono}. */
    @Test
    void aTransportWithoutAnAnswerIsNamed() {
        for (Mono<HttpResponse> nothing : java.util.Arrays.<Mono<HttpResponse>>asList(null, Mono.empty())) {
            CaracalConfig config = platform.config().transport(giving(nothing)).build();
            Caracal client = Caracal.create(config);
            for (Mono<?> call : List.<Mono<?>>of(
                    client.spawn(context -> Mono.just(1)),
                    client.check(),
                    client.fetch(FetchRequest.builder("resource://billing-api", "/x")
                            .asApplication()
                            .build()),
                    client.federateSubject(
                            FakePlatform.jwt("{\"alg\":\"ES256\"}", "{\"sub\":\"alice\",\"exp\":9999999999}")))) {
                StepVerifier.create(call)
                        .expectErrorSatisfies(e -> assertThat(e)
                                .isInstanceOf(CaracalException.class)
                                .hasMessageMatching("(?s).*(HttpTransport|HTTP transport).*"))
                        .verify(LIMIT);
            }
            StepVerifier.create(client.disposeLater()).expectComplete().verify(LIMIT);
        }
    }

    private static HttpTransport giving(Mono<HttpResponse> nothing) {
        return new HttpTransport() {
            @Override
            public Mono<HttpResponse> exchange(HttpRequest request) {
                return nothing;
            }

            @Override
            public Mono<Void> disposeLater() {
                return Mono.empty();
            }

            @Override
            public void dispose() {}

            @Override
            public boolean isDisposed() {
                return false;
            }
        };
    }
}
