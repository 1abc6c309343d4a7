package run.caracal.internal.lifecycle;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.reactivestreams.Subscription;
import reactor.core.CoreSubscriber;
import reactor.core.Disposable;
import reactor.core.Disposables;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;
import reactor.core.scheduler.Scheduler;
import reactor.core.scheduler.Schedulers;
import reactor.test.StepVerifier;
import reactor.test.scheduler.VirtualTimeScheduler;
import reactor.util.context.Context;
import run.caracal.error.ClosedException;
import run.caracal.internal.lifecycle.Scope.Lifecycle;

class ScopeTest {
    private static final Duration LIMIT = Duration.ofSeconds(10);

    private final AtomicInteger opened = new AtomicInteger();
    private final AtomicInteger ended = new AtomicInteger();
    private final ConcurrentLinkedQueue<Throwable> reported = new ConcurrentLinkedQueue<>();
    private final Scope scope = new Scope("closed", Schedulers::immediate, Schedulers::parallel);

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

    /** Receives a handle, and runs an action meanwhile. */
    private static final class Owner implements CoreSubscriber<String> {
        final List<String> signals = new CopyOnWriteArrayList<>();
        private final Consumer<Subscription> whileReceiving;
        private @Nullable Subscription subscription;

        Owner(Consumer<Subscription> whileReceiving) {
            this.whileReceiving = whileReceiving;
        }

        Subscription subscription() {
            return Objects.requireNonNull(subscription);
        }

        @Override
        public Context currentContext() {
            return Context.of("user", "u0");
        }

        @Override
        public void onSubscribe(Subscription s) {
            subscription = s;
        }

        @Override
        public void onNext(String s) {
            signals.add(s);
            whileReceiving.accept(subscription());
        }

        @Override
        public void onError(Throwable error) {
            signals.add("error " + error.getMessage());
        }

        @Override
        public void onComplete() {
            signals.add("complete");
        }
    }

    /** What comes behind an end is code of users, and the rest of an end is not to wait for it. */
    @Test
    void aCallerGoesOnOnItsOwnThreadBehindAnEndAndAFailedOpening() {
        Scheduler callers = Schedulers.newSingle("callers");
        Scheduler apart = Schedulers.newSingle("apart");
        Scope hopping = new Scope("closed", () -> callers, Schedulers::parallel);
        List<String> threads = new CopyOnWriteArrayList<>();
        Lifecycle<String> lifecycle = new Lifecycle<>(
                abandoned -> Mono.just("r"),
                r -> Mono.<Void>empty()
                        .subscribeOn(apart)
                        .doFinally(end -> threads.add(Thread.currentThread().getName())),
                error -> Duration.ofMinutes(1),
                failure -> null,
                failure -> {});
        Lifecycle<String> failing = new Lifecycle<>(
                abandoned ->
                        Mono.<String>error(new IllegalStateException("refused")).subscribeOn(apart),
                r -> Mono.empty(),
                error -> Duration.ofMinutes(1),
                failure -> null,
                failure -> {});
        Mono<String> name = Mono.fromSupplier(() -> Thread.currentThread().getName());
        StepVerifier.create(Flux.concat(
                        hopping.one(lifecycle, r -> Mono.just(r)).then(name),
                        hopping.many(lifecycle, r -> Flux.just(r)).then(name),
                        hopping.handOver(lifecycle, (r, end) -> end)
                                .flatMap(end -> end)
                                .then(name),
                        hopping.one(failing, r -> Mono.just(r)).then(name).onErrorResume(refused -> name)))
                .recordWith(ArrayList::new)
                .expectNextCount(4)
                .consumeRecordedWith(names -> assertThat(names).allMatch(it -> it.startsWith("callers")))
                .expectComplete()
                .verify(LIMIT);
        assertThat(threads).hasSize(3).allMatch(it -> it.startsWith("apart"));
        assertThat(hopping.count()).isZero();
        callers.dispose();
        apart.dispose();
    }

    @Nested
    class Using {
        @Test
        void opensOnSubscriptionOnly() {
            Mono<String> work = scope.one(prompt(), Mono::just);
            assertThat(opened).hasValue(0);
            StepVerifier.create(work).expectNext("s").expectComplete().verify(LIMIT);
            StepVerifier.create(work).expectNext("s").expectComplete().verify(LIMIT);
            assertThat(opened).hasValue(2);
            assertThat(ended).hasValue(2);
        }

        @Test
        void endsWhatHasNoBudget() {
            Lifecycle<String> broken = new Lifecycle<>(
                    abandoned -> Mono.just("s"),
                    s -> Mono.fromRunnable(ended::incrementAndGet),
                    error -> {
                        throw new ArithmeticException("budget");
                    },
                    failure -> null,
                    reported::add);
            StepVerifier.create(scope.one(broken, Mono::just))
                    .expectNext("s")
                    .expectComplete()
                    .verify(LIMIT);
            StepVerifier.create(scope.one(broken, s -> Mono.error(new IllegalStateException("work"))))
                    .expectErrorMessage("work")
                    .verify(LIMIT);
            assertThat(ended).hasValue(2);
            assertThat(scope.count()).isZero();
        }

        /** flatMap cancels the inner source whose failure it has received. */
        @Test
        void aFailureThatWasToldIsNotReportedWhenItIsCancelled() {
            Lifecycle<String> refused = lifecycle(Mono.error(new IllegalStateException("refused")), Mono.empty());
            for (Mono<String> failing : List.of(
                    scope.one(refused, Mono::just),
                    scope.many(refused, Flux::just).next(),
                    scope.<String, String>handOver(refused, (resource, end) -> resource))) {
                StepVerifier.create(Flux.just(1, 2).hide().flatMap(i -> i == 1 ? failing : Mono.never()))
                        .expectErrorMessage("refused")
                        .verify(LIMIT);
            }
            assertThat(reported).isEmpty();
            assertThat(scope.count()).isZero();
        }

        @Test
        void endsOnceOnCompletionErrorAndCancel() {
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
        void cancelDuringOpeningEndsWhatOpensLater() {
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
        void failureAfterCancelIsReportedNotDropped() {
            Sinks.One<String> open = Sinks.one();
            StepVerifier.create(scope.one(lifecycle(open.asMono(), Mono.empty()), Mono::just))
                    .thenCancel()
                    .verify(LIMIT);
            open.tryEmitError(new IllegalStateException("late")).orThrow();
            assertThat(reported)
                    .singleElement()
                    .extracting(Throwable::getMessage)
                    .isEqualTo("late");
            assertThat(scope.count()).isZero();
        }

        /** The end of a parent refuses further children; one that begins meanwhile has no subscriber for its refusal. */
        @Test
        void refusalThatRacesWithTheCancelOfItsParentIsNotDropped() {
            Mono<Void> all = Flux.range(0, 20_000)
                    .flatMap(
                            i -> {
                                Scope inner = new Scope(scope, "inner closed");
                                Lifecycle<String> parent =
                                        lifecycle(Mono.just("p"), inner.close(LIMIT, Schedulers.parallel()));
                                // A cancelled timeout drops errors, so the child must not emit its refusal.
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
                    .then(allEnded());
            StepVerifier.create(all).expectComplete().verify(Duration.ofMinutes(2));
            assertThat(scope.count()).isZero();
            assertThat(ended).hasValue(opened.get());
            assertThat(reported).allMatch(ClosedException.class::isInstance);
        }

        @Test
        void whatOpensNothingFails() {
            StepVerifier.create(scope.one(lifecycle(Mono.empty(), Mono.empty()), Mono::just))
                    .expectErrorMessage("nothing was opened")
                    .verify(LIMIT);
            assertThat(scope.count()).isZero();
            StepVerifier.create(scope.close(LIMIT, Schedulers.parallel()))
                    .expectComplete()
                    .verify(LIMIT);
        }

        @Test
        void openingIsToldWhenItsCallerHasGone() {
            List<BooleanSupplier> abandoned = new ArrayList<>();
            Lifecycle<String> waiting = new Lifecycle<>(
                    gone -> {
                        abandoned.add(gone);
                        return Mono.never();
                    },
                    s -> Mono.empty(),
                    error -> LIMIT,
                    failure -> null,
                    reported::add);
            List<Disposable> callers = List.of(
                    scope.one(waiting, Mono::just).subscribe(),
                    scope.many(waiting, Flux::just).subscribe(),
                    scope.handOver(waiting, (s, end) -> s).subscribe());
            for (int i = 0; i < callers.size(); i++) {
                assertThat(abandoned.get(i).getAsBoolean()).isFalse();
                callers.get(i).dispose();
                assertThat(abandoned.get(i).getAsBoolean()).isTrue();
            }
        }

        /** Cancel at random instants. */
        @Test
        void nothingLeaksWhenCancelledAtRandomInstants() {
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
                    .then(allEnded());
            StepVerifier.create(all).expectComplete().verify(Duration.ofMinutes(2));
            assertThat(scope.count()).isZero();
            assertThat(opened.get()).isPositive();
            assertThat(ended).as("each one once").hasValue(opened.get());
            assertThat(reported).isEmpty();
        }

        /** An end goes on when its caller has gone. What leaks is waited for longer than these tests last. */
        private Mono<Void> allEnded() {
            return scope.close(Duration.ofMinutes(10), Schedulers.parallel());
        }

        private static Mono<Long> pause(int maxMicros) {
            return Mono.defer(() -> {
                long micros = ThreadLocalRandom.current().nextInt(maxMicros);
                return Mono.delay(Duration.ofNanos(micros * 1000));
            });
        }
    }

    @Nested
    class Ending {
        @Test
        void failingEndKeepsTheResult() {
            StepVerifier.create(scope.one(
                            lifecycle(Mono.just("s"), Mono.error(new IllegalStateException("end"))), Mono::just))
                    .expectNext("s")
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(reported)
                    .singleElement()
                    .extracting(Throwable::getMessage)
                    .isEqualTo("end");
        }

        @Test
        void failingEndIsSuppressedInTheErrorOfTheWork() {
            StepVerifier.create(scope.one(
                            lifecycle(Mono.just("s"), Mono.error(new IllegalStateException("end"))),
                            s -> Mono.error(new IllegalArgumentException("work"))))
                    .expectErrorSatisfies(e -> {
                        assertThat(e)
                                .isInstanceOf(IllegalArgumentException.class)
                                .hasMessage("work");
                        assertThat(e.getSuppressed())
                                .extracting(Throwable::getMessage)
                                .containsExactly("end");
                    })
                    .verify(LIMIT);
        }

        @Test
        void suppressedFailuresOfASharedErrorAreBounded() {
            IllegalArgumentException shared = new IllegalArgumentException("work");
            for (int i = 0; i < 100; i++) {
                StepVerifier.create(scope.one(
                                lifecycle(Mono.just("s"), Mono.error(new IllegalStateException("end"))),
                                s -> Mono.error(shared)))
                        .expectError(IllegalArgumentException.class)
                        .verify(LIMIT);
            }
            assertThat(shared.getSuppressed()).hasSize(8);
        }

        @Test
        void failingEndReplacesTheResultWhenAsked() {
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
        void resultIsDeliveredWhenTheBudgetOfTheEndIsOver() {
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

        /** An end may fail in the moment in which the waiting for it is over. */
        @Test
        void aFailureThatMeetsTheEndOfTheBudgetIsNotDropped() {
            Duration budget = Duration.ofMillis(2);
            Mono<Void> end = Mono.delay(budget, Schedulers.single()).then(Mono.error(new IllegalStateException("end")));
            Lifecycle<String> slow = new Lifecycle<>(
                    abandoned -> Mono.just("s"), s -> end, error -> budget, failure -> null, reported::add);
            Mono<Void> all = Flux.range(0, 20_000)
                    .flatMap(i -> scope.one(slow, Mono::just), 64)
                    .then();
            StepVerifier.create(all).expectComplete().verify(Duration.ofMinutes(1));
        }
    }

    @Nested
    class Closing {
        @Test
        void endAllEndsWhatIsHeldAtOnceAndWhatOpensMeanwhile() {
            Sinks.One<String> open = Sinks.one();
            StepVerifier.create(scope.handOver(prompt(), (s, end) -> s))
                    .expectNext("s")
                    .expectComplete()
                    .verify(LIMIT);
            var late = scope.handOver(lifecycle(open.asMono(), Mono.empty()), (s, end) -> s)
                    .toFuture();
            var all = scope.endAll(Duration.ofMinutes(1), Schedulers.parallel()).toFuture();
            assertThat(ended).hasValue(1);
            assertThat(all).isNotDone();
            open.tryEmitValue("late").orThrow();
            assertThat(ended).hasValue(2);
            assertThat(all).isCompleted();
            assertThat(late).isCompletedExceptionally();
            StepVerifier.create(scope.one(prompt(), Mono::just)).expectError().verify(LIMIT);
        }

        @Test
        void closeRefusesAndWaits() {
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
        void closeEndsWhatIsLeftWhenTheGraceIsOver() {
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
        void whatOpensBehindTheSweepIsEndedToo() {
            VirtualTimeScheduler time = VirtualTimeScheduler.create();
            Sinks.One<String> open = Sinks.one();
            AtomicReference<Throwable> error = new AtomicReference<>();
            Disposable running = scope.one(lifecycle(open.asMono(), Mono.empty()), Mono::just)
                    .subscribe(s -> {}, error::set);
            Disposable closing = scope.close(Duration.ofSeconds(10), time).subscribe();
            time.advanceTimeBy(Duration.ofSeconds(11));
            open.tryEmitValue("late").orThrow();
            assertThat(ended).hasValue(1);
            assertThat(error.get()).isInstanceOf(ClosedException.class);
            assertThat(scope.count()).isZero();
            assertThat(running.isDisposed()).isTrue();
            assertThat(closing.isDisposed()).isTrue();
        }

        /** A cancel between usingWhen's decision and its cleanup must not let close() finish early. */
        @Test
        void closeCountsUntilTheEndOfTheTermination() {
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
        void nestedScopesCountInTheEnclosingOne() {
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

        @Test
        void endAllWaitsNoLongerThanItsLimit() {
            VirtualTimeScheduler time = VirtualTimeScheduler.create();
            Disposable running = scope.one(lifecycle(Mono.just("s"), Mono.never()), s -> Mono.never())
                    .subscribe();
            AtomicInteger done = new AtomicInteger();
            Disposable all =
                    scope.endAll(Duration.ofSeconds(3), time).subscribe(x -> {}, e -> {}, done::incrementAndGet);
            time.advanceTimeBy(Duration.ofSeconds(3).minusMillis(1));
            assertThat(done).hasValue(0);
            time.advanceTimeBy(Duration.ofMillis(1));
            assertThat(done).hasValue(1);
            assertThat(all.isDisposed()).isTrue();
            running.dispose();
        }

        /** The end of a resource closes the scope inside it; in a sweep that takes no grace period, at any depth. */
        @Test
        void insideASweepNothingIsWaitedFor() {
            VirtualTimeScheduler time = VirtualTimeScheduler.create();
            Scope middle = new Scope(scope, "middle closed");
            Scope inner = new Scope(middle, "inner closed");
            Lifecycle<String> parent = lifecycle(Mono.just("p"), inner.close(Duration.ofSeconds(10), time));
            Disposable work = scope.one(parent, p -> inner.one(prompt(), s -> Mono.never()))
                    .subscribe();
            assertThat(scope.count()).isEqualTo(2);
            StepVerifier.create(scope.endAll(Duration.ofSeconds(10), time))
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(ended).hasValue(2);
            work.dispose();
            assertThat(ended).hasValue(2);
        }

        @Test
        void aScopeIsClosedWithItsEnclosingOne() {
            Scope inner = new Scope(scope, "inner closed");
            assertThat(inner.isClosed()).isFalse();
            scope.refuse();
            assertThat(inner.isClosed()).isTrue();
            scope.refuse();
            StepVerifier.create(inner.one(prompt(), Mono::just))
                    .expectErrorMessage("closed")
                    .verify(LIMIT);
        }

        @Test
        void closingInsideAnOpenScopeWaitsForTheWork() {
            VirtualTimeScheduler time = VirtualTimeScheduler.create();
            Scope inner = new Scope(scope, "inner closed");
            Sinks.One<String> work = Sinks.one();
            StepVerifier.create(inner.one(prompt(), s -> work.asMono()))
                    .then(() -> StepVerifier.create(inner.close(Duration.ofSeconds(10), time))
                            .then(() -> time.advanceTimeBy(Duration.ofSeconds(9)))
                            .then(() -> assertThat(ended).as("still at work").hasValue(0))
                            .then(() -> work.tryEmitValue("done").orThrow())
                            .expectComplete()
                            .verify(LIMIT))
                    .expectNext("done")
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(ended).hasValue(1);
        }

        /** A refusal by the inner scope does not count in the enclosing one. */
        @Test
        void aRefusalCountsNowhere() {
            Scope inner = new Scope(scope, "inner closed");
            inner.refuse();
            StepVerifier.create(inner.one(prompt(), Mono::just))
                    .expectErrorMessage("inner closed")
                    .verify(LIMIT);
            assertThat(scope.count()).isZero();
            assertThat(inner.count()).isZero();
            StepVerifier.create(scope.one(prompt(), Mono::just))
                    .expectNext("s")
                    .expectComplete()
                    .verify(LIMIT);
        }
    }

    @Nested
    class Owning {
        private Owner owner(Mono<String> open, Consumer<Subscription> whileReceiving) {
            Owner owner = new Owner(whileReceiving);
            scope.handOver(lifecycle(open, Mono.empty()), (s, end) -> s).subscribe(owner);
            return owner;
        }

        @Test
        void whatWasDeliveredIsTheOwners() {
            Owner owner = owner(Mono.just("s"), subscription -> {});
            assertThat(owner.signals).as("nothing was asked for yet").isEmpty();
            owner.subscription().request(1);
            assertThat(owner.signals).containsExactly("s", "complete");
            owner.subscription().cancel();
            Owner leaving = owner(Mono.just("s"), Subscription::cancel);
            leaving.subscription().request(1);
            assertThat(leaving.signals).first().isEqualTo("s");
            assertThat(ended).hasValue(0);
            assertThat(scope.count()).isEqualTo(2);
        }

        @Test
        void whatArrivesAfterItsOwnerHasGoneIsTakenBack() {
            Sinks.One<String> open = Sinks.one();
            Owner owner = owner(open.asMono(), subscription -> {});
            owner.subscription().request(1);
            owner.subscription().cancel();
            assertThat(scope.count()).as("the open call goes on").isEqualTo(1);
            open.tryEmitValue("late").orThrow();
            assertThat(owner.signals).isEmpty();
            assertThat(ended).hasValue(1);
            assertThat(scope.count()).isZero();
        }

        @Test
        void whatIsCancelledElsewhereWhileItIsDeliveredIsTakenBack() {
            Owner owner = owner(Mono.just("s"), subscription -> {
                Thread elsewhere = new Thread(subscription::cancel);
                elsewhere.start();
                try {
                    elsewhere.join();
                } catch (InterruptedException e) {
                    throw new IllegalStateException(e);
                }
                assertThat(ended).as("the deliverer takes it back, afterwards").hasValue(0);
            });
            owner.subscription().request(1);
            assertThat(owner.signals).containsExactly("s");
            assertThat(ended).hasValue(1);
            assertThat(scope.count()).isZero();
        }

        @Test
        void aFailureThatNobodyWaitsForIsReported() {
            Sinks.One<String> open = Sinks.one();
            Owner owner = owner(open.asMono(), subscription -> {});
            owner.subscription().request(1);
            owner.subscription().cancel();
            open.tryEmitError(new IllegalStateException("late")).orThrow();
            assertThat(owner.signals).isEmpty();
            assertThat(reported)
                    .singleElement()
                    .extracting(Throwable::getMessage)
                    .isEqualTo("late");
            Owner waiting = owner(Mono.error(new IllegalStateException("at once")), subscription -> {});
            waiting.subscription().request(1);
            assertThat(waiting.signals).containsExactly("error at once");
            assertThat(reported).hasSize(1);
        }

        @Test
        void aHandleThatCannotBeMadeIsTakenBack() {
            StepVerifier.create(scope.handOver(prompt(), (s, end) -> {
                        throw new IllegalStateException("no handle");
                    }))
                    .expectErrorMessage("no handle")
                    .verify(LIMIT);
            assertThat(ended).hasValue(1);
            assertThat(scope.count()).isZero();
        }

        @Test
        void openingAndTakingBackSeeTheContextOfTheOwner() {
            Sinks.One<String> open = Sinks.one();
            List<String> seen = new ArrayList<>();
            Owner owner = new Owner(subscription -> {});
            scope.handOver(
                            lifecycle(
                                    Mono.deferContextual(view -> {
                                        seen.add("open " + view.get("user"));
                                        return open.asMono();
                                    }),
                                    Mono.deferContextual(view -> {
                                        seen.add("end " + view.get("user"));
                                        return Mono.empty();
                                    })),
                            (s, end) -> s)
                    .subscribe(owner);
            owner.subscription().request(1);
            owner.subscription().cancel();
            open.tryEmitValue("late").orThrow();
            assertThat(seen).containsExactly("open u0", "end u0");
        }

        @Test
        void closingEndsAtOnceWhatAnOwnerHolds() {
            VirtualTimeScheduler time = VirtualTimeScheduler.create();
            Owner owner = owner(Mono.just("s"), subscription -> {});
            owner.subscription().request(1);
            StepVerifier.create(scope.close(Duration.ofSeconds(10), time))
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(ended).hasValue(1);
        }
    }
}
