package run.caracal.internal.lifecycle;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import reactor.core.Disposable;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;
import reactor.test.StepVerifier;
import reactor.test.scheduler.VirtualTimeScheduler;
import run.caracal.error.ClosedException;
import run.caracal.internal.lifecycle.Scope.Lifecycle;

class LazyScopeTest {
    private static final Duration LIMIT = Duration.ofSeconds(10);
    private static final Duration GRACE = Duration.ofSeconds(3);

    private final VirtualTimeScheduler time = VirtualTimeScheduler.create();
    private final AtomicInteger made = new AtomicInteger();
    private final AtomicInteger ended = new AtomicInteger();
    private final Scope enclosing = new Scope("closed", Schedulers::immediate, Schedulers::parallel);
    private final LazyScope lazy = new LazyScope(enclosing, () -> "closed inside " + made.incrementAndGet());
    private final Lifecycle<String> lifecycle = new Lifecycle<>(
            abandoned -> Mono.just("s"),
            s -> Mono.fromRunnable(ended::incrementAndGet),
            error -> LIMIT,
            failure -> null,
            error -> {});

    private Mono<Void> end(boolean atOnce) {
        return atOnce ? lazy.endAll(GRACE, time) : lazy.close(GRACE, time);
    }

    @Test
    void isMadeOnceInsideTheEnclosingOne() {
        assertThat(made).hasValue(0);
        assertThat(lazy.get()).isSameAs(lazy.get());
        assertThat(made).hasValue(1);
        Disposable work = lazy.get().one(lifecycle, s -> Mono.never()).subscribe();
        assertThat(enclosing.count()).isEqualTo(1);
        work.dispose();
        assertThat(enclosing.count()).isZero();
    }

    @Nested
    class Ended {
        @ParameterizedTest
        @ValueSource(booleans = {true, false})
        void beforeItIsMadeIsMadeClosed(boolean atOnce) {
            StepVerifier.create(end(atOnce)).expectComplete().verify(LIMIT);
            assertThat(made).as("not for its end").hasValue(0);
            StepVerifier.create(lazy.get().one(lifecycle, Mono::just))
                    .expectErrorMatches(e -> e instanceof ClosedException && "closed inside 1".equals(e.getMessage()))
                    .verify(LIMIT);
        }

        @ParameterizedTest
        @ValueSource(booleans = {true, false})
        void bySubscribingAlone(boolean atOnce) {
            Mono<Void> end = end(atOnce);
            StepVerifier.create(lazy.get().one(lifecycle, Mono::just))
                    .expectNext("s")
                    .expectComplete()
                    .verify(LIMIT);
            StepVerifier.create(end).expectComplete().verify(LIMIT);
            assertThat(lazy.get().isClosed()).isTrue();
        }

        @Test
        void waitsForWorkUntilItsGraceIsOver() {
            assertWorkEndsAfter(scope -> scope.close(GRACE, time), GRACE);
        }

        @Test
        void atOnceWaitsForNoWork() {
            assertWorkEndsAfter(scope -> scope.endAll(GRACE, time), Duration.ZERO);
        }

        private void assertWorkEndsAfter(Function<LazyScope, Mono<Void>> end, Duration wait) {
            Disposable work = lazy.get().one(lifecycle, s -> Mono.never()).subscribe();
            StepVerifier.create(end.apply(lazy))
                    .then(() -> {
                        assertThat(ended).hasValue(wait.isZero() ? 1 : 0);
                        time.advanceTimeBy(wait);
                        assertThat(ended).hasValue(1);
                    })
                    .expectComplete()
                    .verify(LIMIT);
            work.dispose();
        }
    }
}
