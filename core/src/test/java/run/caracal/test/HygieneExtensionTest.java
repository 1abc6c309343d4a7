package run.caracal.test;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
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
    void aLockOfOursThatIsHeldFailsTheTest() {
        ReentrantLock lock = new ReentrantLock();
        lock.lock();
        try {
            StepVerifier.create(Mono.fromRunnable(() -> {
                                lock.lock();
                                try {
                                    assertThat(lock.isHeldByCurrentThread()).isTrue();
                                } finally {
                                    lock.unlock();
                                }
                            })
                            .subscribeOn(Schedulers.parallel()))
                    .expectError(BlockingOperationError.class)
                    .verify(Duration.ofSeconds(5));
        } finally {
            lock.unlock();
        }
        assertThat(Hygiene.takeBlockingCalls()).hasSize(1);
    }

    @Test
    void aLockInALibraryIsWaitedFor() {
        // Its iteration holds the lock of the queue.
        ArrayBlockingQueue<Integer> queue = new ArrayBlockingQueue<>(2, false, List.of(1));
        AtomicReference<Thread> offering = new AtomicReference<>();
        Mono<Boolean> offered = Mono.fromCallable(() -> {
                    offering.set(Thread.currentThread());
                    return queue.offer(2);
                })
                .subscribeOn(Schedulers.parallel());
        queue.forEach(item -> {
            var unused = offered.subscribe();
            while (offering.get() == null || offering.get().getState() != Thread.State.WAITING) {
                LockSupport.parkNanos(100_000);
            }
        });
        StepVerifier.create(Mono.fromSupplier(queue::size)
                        .filter(size -> size == 2)
                        .repeatWhenEmpty(rounds -> rounds.delayElements(Duration.ofMillis(1))))
                .expectNext(2)
                .expectComplete()
                .verify(Duration.ofSeconds(5));
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
