package run.caracal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.params.provider.Arguments.argumentSet;
import static run.caracal.test.FakePlatform.LIMIT;

import java.util.function.Function;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import reactor.core.Disposable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;
import reactor.test.StepVerifier;
import reactor.test.publisher.TestPublisher;
import reactor.test.publisher.TestPublisher.Violation;
import run.caracal.error.TransportException;
import run.caracal.http.HttpRequest;
import run.caracal.http.HttpResponse;
import run.caracal.http.TransportOptions;
import run.caracal.test.FakePlatform;
import run.caracal.test.Hygiene;

/** Errors that arrive after a cancellation must not be dropped, because Reactor logs dropped errors. */
class LateErrorsTest {
    private static final String RESOURCE = "resource://billing-api";

    @RegisterExtension
    private final FakePlatform platform = new FakePlatform();

    private final Caracal caracal = platform.client();

    private static Arguments call(String name, Predicate<HttpRequest> held, Function<Caracal, ? extends Mono<?>> call) {
        return argumentSet(name, held, call);
    }

    static Stream<Arguments> calls() {
        FetchRequest scoped = FetchRequest.builder(RESOURCE, "/x").scopes("a").build();
        String idToken = FakePlatform.jwt(
                "{\"alg\":\"RS256\",\"kid\":\"k\"}",
                "{\"iss\":\"https://idp.example.com\",\"sub\":\"ann\",\"exp\":4102444800}");
        return Stream.of(
                call("fetch", FakePlatform::isGateway, caracal -> caracal.fetch(scoped)),
                call("fetch, while it mints", FakePlatform::isMint, caracal -> caracal.fetch(scoped)),
                call(
                        "a decorated client, while it mints",
                        FakePlatform::isMint,
                        caracal -> Calls.resolve(
                                caracal.outbound(TransportOptions.defaults().withScopes("a")),
                                FakePlatform.BILLING + "/x",
                                null)),
                call("mintMandate", FakePlatform::isMint, caracal -> caracal.mintMandate(RESOURCE, "a")),
                call("waitForApproval", FakePlatform::isApproval, caracal -> caracal.waitForApproval("approval-1")),
                call("federateSubject", FakePlatform::isToken, caracal -> caracal.federateSubject(idToken)),
                call("revokeDelegation", FakePlatform::isRevoke, caracal -> caracal.revokeDelegation("edge-1")),
                call(
                        "acceptDelegation",
                        FakePlatform::isInbound,
                        caracal -> caracal.acceptDelegation("edge-1", Acceptance.VALIDATED, context -> Mono.just(1))),
                call("check", FakePlatform::isInbound, Caracal::check));
    }

    @ParameterizedTest
    @MethodSource("calls")
    void ofACancelledCallAreNotDropped(Predicate<HttpRequest> held, Function<Caracal, Mono<?>> call) {
        TestPublisher<HttpResponse> answer = TestPublisher.createNoncompliant(Violation.DEFER_CANCELLATION);
        StepVerifier.create(caracal.spawn(context -> Mono.deferContextual(view -> {
                    platform.next(held, real -> answer.mono());
                    Disposable waiting = call.apply(caracal).contextWrite(view).subscribe();
                    answer.assertWasSubscribed();
                    waiting.dispose();
                    answer.error(new TransportException(TransportException.Kind.IO, "late", null));
                    return Mono.just("done");
                })))
                .expectNext("done")
                .expectComplete()
                .verify(LIMIT);
        assertThat(Hygiene.takeDroppedErrors()).isEmpty();
    }

    /**
     * Beyond the reach of a call: flatMap cancels its calls one by one, and drops an error of one that it has not yet
     * cancelled.
     */
    @Test
    void ofCallsThatFailWhileFlatMapCancelsTheOthersAreDroppedByIt() {
        Sinks.Empty<Void> first = Sinks.empty();
        Sinks.Empty<Void> third = Sinks.empty();
        Mono<Void> second = Mono.<Void>never()
                .doOnCancel(() ->
                        third.tryEmitError(new IllegalStateException("third")).orThrow());
        StepVerifier.create(Flux.just(first.asMono(), second, third.asMono()).flatMap(Function.identity()))
                .then(() ->
                        first.tryEmitError(new IllegalStateException("first")).orThrow())
                .expectErrorMessage("first")
                .verify(LIMIT);
        assertThat(Hygiene.takeDrops()).singleElement().satisfies(drop -> {
            assertThat(drop.error()).hasMessage("third");
            assertThat(drop.by()).startsWith("reactor.core.publisher.FluxFlatMap");
        });
    }

    /** To avoid the log line, materialize the errors until one of them ends the flow. */
    @Test
    void ofCallsWhoseErrorsAreValuesAreNotDropped() {
        Sinks.Empty<Void> first = Sinks.empty();
        Sinks.Empty<Void> third = Sinks.empty();
        Mono<Void> second = Mono.<Void>never()
                .doOnCancel(() ->
                        third.tryEmitError(new IllegalStateException("third")).orThrow());
        StepVerifier.create(Flux.just(first.asMono(), second, third.asMono())
                        .flatMap(Mono::materialize)
                        .<Void>dematerialize())
                .then(() ->
                        first.tryEmitError(new IllegalStateException("first")).orThrow())
                .expectErrorMessage("first")
                .verify(LIMIT);
        assertThat(Hygiene.takeDrops()).isEmpty();
    }
}
