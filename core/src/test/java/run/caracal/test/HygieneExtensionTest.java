package run.caracal.test;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import org.junit.jupiter.api.Test;
import reactor.blockhound.BlockingOperationError;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Operators;
import reactor.core.scheduler.Schedulers;
import reactor.test.StepVerifier;
import reactor.util.context.Context;

/** The checks that hold for all tests, themselves: each is provoked once. */
class HygieneExtensionTest {

    private static void blockSomewhereQuietly() {
        Mono<String> blocking = Mono.fromCallable(() -> {
                    Thread.onSpinWait(); // blocking for BlockHound, and takes no time
                    return "never";
                })
                .onErrorComplete(BlockingOperationError.class) // swallowed, and seen nevertheless
                .subscribeOn(Schedulers.parallel());
        StepVerifier.create(blocking).expectComplete().verify(Duration.ofSeconds(5));
    }

    @Test
    void aSwallowedBlockingCallFailsTheTest() {
        blockSomewhereQuietly();
        assertThatThrownBy(() -> HygieneExtension.check("this test"))
                .isInstanceOf(AssertionError.class)
                .hasMessageContaining("this test blocked a thread")
                .hasMessageContaining("onSpinWait");
    }

    @Test
    void aDroppedErrorFailsTheTest() {
        Operators.onErrorDropped(new IllegalStateException("late"), Context.empty());
        assertThatThrownBy(() -> HygieneExtension.check("this test"))
                .isInstanceOf(AssertionError.class)
                .hasMessageContaining("let Reactor drop an error")
                .hasMessageContaining("late");
    }

    @Test
    void itIsKnownWhoDroppedAnError() {
        Operators.onErrorDropped(new IllegalStateException("late"), Context.empty());
        assertThat(Hygiene.takeDrops())
                .singleElement()
                .extracting(Hygiene.Drop::by)
                .isEqualTo(HygieneExtensionTest.class.getName());
    }

    @Test
    void whatATestExpectsDoesNotFailIt() {
        blockSomewhereQuietly();
        Operators.onErrorDropped(new IllegalStateException("late"), Context.empty());
        assertThat(Hygiene.takeBlockingCalls()).hasSize(1);
        assertThat(Hygiene.takeDroppedErrors()).singleElement().isInstanceOf(IllegalStateException.class);
        assertThatCode(() -> HygieneExtension.check("this test")).doesNotThrowAnyException();
    }
}
