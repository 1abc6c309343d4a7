package run.caracal.internal.lifecycle;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import reactor.core.Disposable;
import reactor.core.Disposables;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;
import reactor.core.scheduler.Schedulers;
import reactor.test.StepVerifier;
import reactor.test.scheduler.VirtualTimeScheduler;
import run.caracal.error.ClosedException;
import run.caracal.internal.lifecycle.Scope.Lifecycle;

class ScopeTest {
    private static final Duration LIMIT = Duration.ofSeconds(10);

    private final AtomicInteger opened = new AtomicInteger();
    private final AtomicInteger ended = new AtomicInteger();
    private final ConcurrentLinkedQueue<Throwable> reported = new ConcurrentLinkedQueue<>();
    private final Scope scope = new Scope(null, "closed");

    private Lifecycle<String> lifecycle(Mono<String> open, Mono<Void> end) {
        return lifecycle(open, end, failure -> null);
    }

    private Lifecycle<String> lifecycle(
            Mono<String> open, Mono<Void> end, Function<Throwable, @Nullable RuntimeException> failOnEnd) {
        return new Lifecycle<>(
                abandoned -> open.doOnNext(s -> opened.incrementAndGet()),
                s -> end.doFinally(x -> ended.incrementAndGet()),
                error -> Duration.ofSeconds(5),
                failOnEnd,
                reported::add);
    }

    private Lifecycle<String> prompt() {
        return lifecycle(Mono.just("s"), Mono.empty());
    }

    @Test
    void s1_opensOnSubscriptionOnly() {
        Mono<String> work = scope.one(prompt(), Mono::just);
        assertThat(opened).hasValue(0);
        StepVerifier.create(work).expectNext("s").expectComplete().verify(LIMIT);
        StepVerifier.create(work).expectNext("s").expectComplete().verify(LIMIT);
        assertThat(opened).hasValue(2);
        assertThat(ended).hasValue(2);
    }

    @Test
    void s1_endsOnceOnCompletionErrorAndCancel() {
        StepVerifier.create(scope.many(prompt(), s -> Flux.just(1, 2)))
                .expectNext(1, 2)
                .expectComplete()
                .verify(LIMIT);
        StepVerifier.create(scope.many(prompt(), s -> Flux.error(new IllegalStateException("work"))))
                .expectErrorMessage("work")
                .verify(LIMIT);
        StepVerifier.create(scope.many(prompt(), s -> Flux.never()))
                .thenCancel()
                .verify(LIMIT);
        StepVerifier.create(scope.one(prompt(), s -> Mono.empty()))
                .expectComplete()
                .verify(LIMIT);
        assertThat(opened).hasValue(4);
        assertThat(ended).hasValue(4);
        assertThat(scope.count()).isZero();
    }

    @Test
    void s2_cancelDuringOpeningEndsWhatOpensLater() {
        Sinks.One<String> open = Sinks.one();
        StepVerifier.create(scope.one(lifecycle(open.asMono(), Mono.empty()), Mono::just))
                .thenCancel()
                .verify(LIMIT);
        assertThat(scope.count()).as("the open call goes on").isEqualTo(1);
        open.tryEmitValue("late").orThrow();
        assertThat(ended).hasValue(1);
        assertThat(scope.count()).isZero();
    }

    @Test
    void s2_failureAfterCancelIsReportedNotDropped() {
        Sinks.One<String> open = Sinks.one();
        StepVerifier.create(scope.one(lifecycle(open.asMono(), Mono.empty()), Mono::just))
                .thenCancel()
                .verify(LIMIT);
        open.tryEmitError(new IllegalStateException("late")).orThrow();
        assertThat(reported).singleElement().extracting(Throwable::getMessage).isEqualTo("late");
        assertThat(scope.count()).isZero();
    }

    /** The end of a parent refuses further children; one that begins meanwhile is refused with nobody to hear it. */
    @Test
    void s2_refusalThatRacesWithTheCancelOfItsParentIsNotDropped() {
        Mono<Void> all = Flux.range(0, 20_000)
                .flatMap(
                        i -> {
                            Scope inner = new Scope(scope, "inner closed");
                            Lifecycle<String> parent =
                                    lifecycle(Mono.just("p"), inner.close(LIMIT, Schedulers.parallel()));
                            // A cancelled timeout drops what it is told: the child has to keep its refusal to itself.
                            Mono<String> child = pause(3).then(inner.one(prompt(), Mono::just))
                                    .timeout(Duration.ofMinutes(2));
                            return scope.one(
                                            parent,
                                            s -> Flux.concat(Collections.nCopies(30, child))
                                                    .then())
                                    .timeout(Duration.ofNanos(
                                            ThreadLocalRandom.current().nextInt(100_000, 600_000)))
                                    .onErrorComplete(TimeoutException.class);
                        },
                        64)
                .then();
        StepVerifier.create(all).expectComplete().verify(Duration.ofMinutes(2));
        assertThat(scope.count()).isZero();
        assertThat(ended).hasValue(opened.get());
        assertThat(reported).allMatch(ClosedException.class::isInstance);
    }

    /** PITFALLS B3. */
    @Test
    void endAllEndsWhatIsHeldAtOnceAndWhatOpensMeanwhile() {
        Sinks.One<String> open = Sinks.one();
        StepVerifier.create(scope.handOver(prompt(), (s, end) -> s))
                .expectNext("s")
                .expectComplete()
                .verify(LIMIT);
        var late = scope.handOver(lifecycle(open.asMono(), Mono.empty()), (s, end) -> s)
                .toFuture();
        var all = scope.endAll(Duration.ofMinutes(1), reactor.core.scheduler.Schedulers.parallel())
                .toFuture();
        assertThat(ended).hasValue(1);
        assertThat(all).isNotDone();
        open.tryEmitValue("late").orThrow();
        assertThat(ended).hasValue(2);
        assertThat(all).isCompleted();
        assertThat(late).isCompletedExceptionally();
        StepVerifier.create(scope.one(prompt(), Mono::just)).expectError().verify(LIMIT);
    }

    @Test
    void s5_failingEndKeepsTheResult() {
        StepVerifier.create(
                        scope.one(lifecycle(Mono.just("s"), Mono.error(new IllegalStateException("end"))), Mono::just))
                .expectNext("s")
                .expectComplete()
                .verify(LIMIT);
        assertThat(reported).singleElement().extracting(Throwable::getMessage).isEqualTo("end");
    }

    @Test
    void s5_failingEndIsSuppressedInTheErrorOfTheWork() {
        StepVerifier.create(scope.one(
                        lifecycle(Mono.just("s"), Mono.error(new IllegalStateException("end"))),
                        s -> Mono.error(new IllegalArgumentException("work"))))
                .expectErrorSatisfies(e -> {
                    assertThat(e).isInstanceOf(IllegalArgumentException.class).hasMessage("work");
                    assertThat(e.getSuppressed())
                            .extracting(Throwable::getMessage)
                            .containsExactly("end");
                })
                .verify(LIMIT);
    }

    @Test
    void s5_suppressedFailuresOfASharedErrorAreBounded() {
        IllegalArgumentException shared = new IllegalArgumentException("work");
        for (int i = 0; i < 100; i++) {
            StepVerifier.create(scope.one(
                            lifecycle(Mono.just("s"), Mono.error(new IllegalStateException("end"))),
                            s -> Mono.error(shared)))
                    .expectError(IllegalArgumentException.class)
                    .verify(LIMIT);
        }
        assertThat(shared.getSuppressed().length).isLessThan(20);
    }

    @Test
    void s5_failingEndReplacesTheResultWhenAsked() {
        StepVerifier.create(scope.one(
                        lifecycle(
                                Mono.just("s"),
                                Mono.error(new IllegalStateException("end")),
                                failure -> new UnsupportedOperationException("typed", failure)),
                        Mono::just))
                .expectErrorSatisfies(e -> assertThat(e)
                        .isInstanceOf(UnsupportedOperationException.class)
                        .hasMessage("typed")
                        .hasRootCauseMessage("end"))
                .verify(LIMIT);
    }

    @Test
    void s5_resultIsDeliveredWhenTheBudgetOfTheEndIsOver() {
        Sinks.Empty<Void> end = Sinks.empty();
        StepVerifier.withVirtualTime(() -> scope.one(lifecycle(Mono.just("s"), end.asMono()), Mono::just))
                .expectSubscription()
                .expectNoEvent(Duration.ofSeconds(5).minusMillis(1))
                .thenAwait(Duration.ofMillis(1))
                .expectNext("s")
                .expectComplete()
                .verify(LIMIT);
        assertThat(scope.count()).as("the end goes on, and is tracked").isEqualTo(1);
        end.tryEmitEmpty().orThrow();
        assertThat(scope.count()).isZero();
        assertThat(reported).isEmpty();
    }

    @Test
    void s6_closeRefusesAndWaits() {
        Sinks.One<String> work = Sinks.one();
        Disposable running = scope.one(prompt(), s -> work.asMono()).subscribe();
        Mono<Void> close = scope.close(LIMIT, Schedulers.parallel());
        assertThat(scope.isClosed()).isFalse();
        StepVerifier.create(close)
                .then(() -> StepVerifier.create(scope.one(prompt(), Mono::just))
                        .expectError(ClosedException.class)
                        .verify(LIMIT))
                .then(() -> assertThat(scope.isClosed()).isTrue())
                .then(() -> work.tryEmitValue("done").orThrow())
                .expectComplete()
                .verify(LIMIT);
        assertThat(running.isDisposed()).isTrue();
        assertThat(opened).hasValue(1);
        StepVerifier.create(close).expectComplete().verify(LIMIT);
    }

    @Test
    void s6_closeEndsWhatIsLeftWhenTheGraceIsOver() {
        VirtualTimeScheduler time = VirtualTimeScheduler.create();
        Disposable running = scope.one(prompt(), s -> Mono.never()).subscribe();
        AtomicInteger closed = new AtomicInteger();
        Disposable closing = scope.close(Duration.ofSeconds(10), time)
                .doOnTerminate(closed::incrementAndGet)
                .subscribe();
        time.advanceTimeBy(Duration.ofSeconds(10).minusMillis(1));
        assertThat(ended).hasValue(0);
        time.advanceTimeBy(Duration.ofMillis(1));
        assertThat(ended).hasValue(1);
        assertThat(closed).hasValue(1);
        running.dispose();
        assertThat(ended).as("ended once").hasValue(1);
        assertThat(closing.isDisposed()).isTrue();
    }

    @Test
    void s6_whatOpensBehindTheSweepIsEndedToo() {
        VirtualTimeScheduler time = VirtualTimeScheduler.create();
        Sinks.One<String> open = Sinks.one();
        AtomicReference<Throwable> error = new AtomicReference<>();
        Disposable running =
                scope.one(lifecycle(open.asMono(), Mono.empty()), Mono::just).subscribe(s -> {}, error::set);
        Disposable closing = scope.close(Duration.ofSeconds(10), time).subscribe();
        time.advanceTimeBy(Duration.ofSeconds(11));
        open.tryEmitValue("late").orThrow();
        assertThat(ended).hasValue(1);
        assertThat(error.get()).isInstanceOf(ClosedException.class);
        assertThat(scope.count()).isZero();
        assertThat(running.isDisposed()).isTrue();
        assertThat(closing.isDisposed()).isTrue();
    }

    /** FEASIBILITY D: a cancel between usingWhen's decision and its cleanup must not let close() finish early. */
    @Test
    void s6_closeCountsUntilTheEndOfTheTermination() {
        Disposable.Swap subscription = Disposables.swap();
        Sinks.One<String> work = Sinks.one();
        Sinks.Empty<Void> end = Sinks.empty();
        List<String> order = new ArrayList<>();
        Mono<Void> termination = Mono.defer(() -> {
            subscription.dispose();
            Disposable closing =
                    scope.close(LIMIT, Schedulers.parallel()).subscribe(null, null, () -> order.add("closed"));
            assertThat(closing.isDisposed()).isFalse();
            return end.asMono().then(Mono.fromRunnable(() -> order.add("ended")));
        });
        subscription.update(scope.one(lifecycle(Mono.just("s"), termination), s -> work.asMono())
                .subscribe());
        work.tryEmitValue("x").orThrow();
        end.tryEmitEmpty().orThrow();
        assertThat(order).containsExactly("ended", "closed");
    }

    @Test
    void s7_nestedScopesCountInTheEnclosingOne() {
        Scope inner = new Scope(scope, "inner closed");
        Sinks.One<String> work = Sinks.one();
        Disposable running = inner.one(prompt(), s -> work.asMono()).subscribe();
        assertThat(scope.count()).isEqualTo(1);
        assertThat(inner.count()).isEqualTo(1);
        work.tryEmitValue("x").orThrow();
        assertThat(scope.count()).isZero();
        scope.refuse();
        StepVerifier.create(inner.one(prompt(), Mono::just))
                .expectError(ClosedException.class)
                .verify(LIMIT);
        assertThat(running.isDisposed()).isTrue();
    }

    /** PITFALLS B1 and B5: cancel at random instants. */
    @Test
    void b1_nothingLeaksWhenCancelledAtRandomInstants() {
        int sessions = 30_000;
        Lifecycle<String> slow =
                lifecycle(pause(800).thenReturn("s"), pause(800).then());
        Mono<Void> all = Flux.range(0, sessions)
                .flatMap(
                        i -> {
                            Mono<Void> work = i % 2 == 0
                                    ? scope.one(slow, s -> pause(800)).then()
                                    : scope.many(slow, s -> pause(800).repeat(2))
                                            .then();
                            return work.takeUntilOther(pause(3_000)).onErrorComplete();
                        },
                        256)
                .then(Mono.defer(() -> scope.close(LIMIT, Schedulers.parallel())));
        StepVerifier.create(all).expectComplete().verify(Duration.ofMinutes(2));
        assertThat(scope.count()).isZero();
        assertThat(opened.get()).isPositive();
        assertThat(ended).as("each one once").hasValue(opened.get());
        assertThat(reported).isEmpty();
    }

    private static Mono<Long> pause(int maxMicros) {
        return Mono.defer(() -> {
            long micros = ThreadLocalRandom.current().nextInt(maxMicros);
            return Mono.delay(Duration.ofNanos(micros * 1000));
        });
    }
}
