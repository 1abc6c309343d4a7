package run.caracal.internal;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import reactor.core.publisher.Mono;
import reactor.test.StepVerifier;
import reactor.test.publisher.TestPublisher;
import reactor.test.scheduler.VirtualTimeScheduler;
import run.caracal.error.CallbackException;

/** Functions of the application that are called with a timeout. */
class SuppliedTest {
    private static final Duration LIMIT = Duration.ofSeconds(5);

    private final VirtualTimeScheduler timer = VirtualTimeScheduler.create();

    @AfterEach
    void close() {
        timer.dispose();
    }

    private <T> Mono<T> ask(Mono<T> answer) {
        return Supplied.ask("The function", () -> answer, LIMIT, timer);
    }

    static Stream<Mono<String>> atOnce() {
        return Stream.of(Mono.just("a"), Mono.empty(), Mono.fromSupplier(() -> "a"), Mono.fromRunnable(() -> {}));
    }

    @ParameterizedTest
    @MethodSource("atOnce")
    void whatIsThereOrComputedAtOnceGetsNoTimer(Mono<String> answer) {
        StepVerifier.create(ask(answer)).thenConsumeWhile(value -> true).verifyComplete();
        assertThat(timer.getScheduledTaskCount()).isZero();
    }

    @Test
    void whatComesLaterGetsOneForEachSubscription() {
        TestPublisher<String> answer = TestPublisher.createCold();
        Mono<String> asked = ask(answer.next("a").mono());
        StepVerifier.create(asked).expectNext("a").verifyComplete();
        StepVerifier.create(asked).expectNext("a").verifyComplete();
        assertThat(timer.getScheduledTaskCount()).isEqualTo(2);
    }

    @Test
    void whatIsTooLateIsCancelled() {
        TestPublisher<String> answer = TestPublisher.create();
        StepVerifier.create(ask(answer.mono()))
                .then(() -> timer.advanceTimeBy(LIMIT))
                .expectErrorSatisfies(error -> assertThat(error)
                        .isInstanceOf(CallbackException.class)
                        .hasMessageContaining("did not end within 5000 ms"))
                .verify();
        answer.assertWasCancelled();
    }

    @Test
    void anotherErrorMayTakeThePlaceOfItsOwn() {
        Mono<String> asked = Supplied.ask(
                "The function", Mono::never, LIMIT, Mono.error(() -> new IllegalStateException("late")), timer);
        StepVerifier.create(asked).then(() -> timer.advanceTimeBy(LIMIT)).verifyErrorMessage("late");
    }
}
