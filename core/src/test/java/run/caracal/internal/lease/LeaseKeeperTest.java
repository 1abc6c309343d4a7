package run.caracal.internal.lease;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.reactivestreams.Subscription;
import reactor.core.Disposable;
import reactor.core.Disposables;
import reactor.core.publisher.BaseSubscriber;
import reactor.core.publisher.Mono;
import reactor.core.publisher.SignalType;
import reactor.core.scheduler.Scheduler;
import reactor.core.scheduler.Schedulers;
import reactor.test.StepVerifier;
import reactor.test.scheduler.VirtualTimeScheduler;
import run.caracal.error.ClosedException;
import run.caracal.error.LeaseLostException;
import run.caracal.error.LeaseLostException.Reason;
import run.caracal.internal.lease.LeaseKeeper.Granted;

class LeaseKeeperTest {
    private static final Duration LIMIT = Duration.ofSeconds(10);

    private VirtualTimeScheduler time;
    private final Disposable.Composite subscriptions = Disposables.composite();
    private final List<Double> beats = new ArrayList<>();
    private final List<Double> cancelled = new ArrayList<>();
    private final List<LeaseLostException> losses = new CopyOnWriteArrayList<>();
    private final AtomicInteger inFlight = new AtomicInteger();
    private final AtomicInteger mostInFlight = new AtomicInteger();

    @BeforeEach
    void virtualTime() {
        // Also replaces Schedulers.parallel(), on which listeners hear.
        time = VirtualTimeScheduler.getOrSet();
    }

    @AfterEach
    void realTime() {
        subscriptions.dispose();
        VirtualTimeScheduler.reset();
    }

    private double now() {
        return time.now(TimeUnit.MILLISECONDS) / 1000.0;
    }

    private void pass(Duration duration) {
        for (long i = 0; i < duration.toMillis(); i += 250) {
            time.advanceTimeBy(Duration.ofMillis(250));
        }
    }

    private final List<Duration> lags = new CopyOnWriteArrayList<>();

    /** A lease of a length; the answer to its k-th renewal. */
    private LeaseKeeper<String> keeper(@Nullable Duration length, IntFunction<Mono<String>> answer) {
        LeaseKeeper.Holder<String> holder = new LeaseKeeper.Holder<>() {
            @Override
            public String agentSessionId() {
                return "svc";
            }

            @Override
            public Mono<Granted<String>> renew(@Nullable Long generation, Duration lag) {
                return Mono.defer(() -> {
                    beats.add(now());
                    lags.add(lag);
                    mostInFlight.accumulateAndGet(inFlight.incrementAndGet(), Math::max);
                    return answer.apply(beats.size())
                            .map(value -> new Granted<>(value, null, length))
                            .doFinally(signal -> {
                                inFlight.decrementAndGet();
                                if (signal == SignalType.CANCEL) {
                                    cancelled.add(now());
                                }
                            });
                });
            }

            @Override
            public void lost(LeaseLostException loss) {
                losses.add(loss);
            }
        };
        return new LeaseKeeper<>(holder, new Granted<>("first", 1L, length), time.now(TimeUnit.NANOSECONDS), time);
    }

    private static Mono<String> down() {
        return Mono.error(new IllegalStateException("503"));
    }

    private List<String> listen(LeaseKeeper<String> keeper, @Nullable Duration interval) {
        List<String> heard = new CopyOnWriteArrayList<>();
        subscriptions.add(keeper.renewals(interval)
                .subscribe(heard::add, e -> heard.add("lost " + now()), () -> heard.add("closed")));
        return heard;
    }

    /** The deadline is timed on when the last listener leaves in the middle of a renewal. */
    @Test
    void theLossIsFoundAlsoWhenListenersLeaveDuringARenewal() {
        LeaseKeeper<String> keeper = keeper(Duration.ofSeconds(90), k -> Mono.never());
        List<String> heard = listen(keeper, null);
        while (beats.isEmpty()) {
            pass(Duration.ofSeconds(1));
        }
        assertThat(inFlight).hasValue(1);
        subscriptions.dispose();
        pass(Duration.ofSeconds(120));
        assertThat(losses)
                .singleElement()
                .satisfies(loss -> assertThat(loss.reason()).isEqualTo(LeaseLostException.Reason.EXPIRED));
        assertThat(heard).isEmpty();
    }

    @Test
    void renewsAtAThirdOfWhatRemains() {
        LeaseKeeper<String> keeper = keeper(Duration.ofSeconds(90), k -> Mono.just("r" + k));
        List<String> heard = listen(keeper, null);
        pass(Duration.ofSeconds(300));
        assertThat(beats).hasSizeBetween(9, 11);
        for (int i = 1; i < beats.size(); i++) {
            assertThat(beats.get(i) - beats.get(i - 1)).isBetween(26.5, 33.5);
        }
        assertThat(heard).hasSize(beats.size());
        assertThat(losses).isEmpty();
    }

    @Test
    void unknownDeadline_renewsEveryThirtySecondsAndIsNeverLostLocally() {
        LeaseKeeper<String> keeper = keeper(null, k -> Mono.just("r" + k));
        List<String> heard = listen(keeper, null);
        pass(Duration.ofSeconds(300));
        assertThat(heard).hasSizeBetween(9, 11);
        assertThat(keeper.isKept()).isTrue();
    }

    /** A renewal much slower than the period neither ends the stream, nor overlaps, nor bursts. */
    @Test
    void aSlowRenewalSkipsTicks() {
        LeaseKeeper<String> keeper = keeper(
                Duration.ofSeconds(90),
                k -> k == 2 ? Mono.delay(Duration.ofMillis(9_500), time).thenReturn("slow") : Mono.just("r" + k));
        List<String> heard = listen(keeper, Duration.ofSeconds(1));
        pass(Duration.ofSeconds(30));
        assertThat(mostInFlight).hasValue(1);
        assertThat(heard).contains("slow").hasSizeGreaterThan(15);
        for (int i = 1; i < beats.size(); i++) {
            assertThat(beats.get(i) - beats.get(i - 1)).as("no burst").isGreaterThan(0.4);
        }
        assertThat(losses).isEmpty();
    }

    /** What is on time has no lag; what waited for the renewal before it has, against its own tick. */
    @Test
    void aRenewalKnowsHowLateItBegins() {
        LeaseKeeper<String> keeper = keeper(Duration.ofSeconds(90), k -> Mono.just("r" + k));
        assertThat(listen(keeper, null)).isEmpty();
        pass(Duration.ofSeconds(100));
        assertThat(lags).hasSizeGreaterThan(2).allMatch(Duration.ZERO::equals);
        keeper.close();
        lags.clear();
        // Every renewal takes longer than the interval: those ticks are skipped, and what begins begins at its tick.
        LeaseKeeper<String> slow = keeper(
                Duration.ofSeconds(90),
                k -> Mono.delay(Duration.ofMillis(2_500), time).thenReturn("r" + k));
        assertThat(listen(slow, Duration.ofSeconds(1))).isEmpty();
        pass(Duration.ofSeconds(20));
        assertThat(lags).hasSizeGreaterThan(3).allMatch(lag -> lag.compareTo(Duration.ofMillis(1)) < 0);
        lags.clear();
        // Asked for by hand: due when it is asked for.
        StepVerifier.create(slow.beat())
                .then(() -> pass(Duration.ofSeconds(5)))
                .expectNextCount(1)
                .expectComplete()
                .verify(LIMIT);
        assertThat(lags).allMatch(lag -> lag.compareTo(Duration.ofMillis(1)) < 0);
    }

    /** A timer that somebody holds up makes the renewal late, and the renewal says by how much. */
    @Test
    void aRenewalThatBeginsLateSaysSo() throws InterruptedException {
        ScheduledExecutorService one = Executors.newSingleThreadScheduledExecutor();
        Scheduler held = Schedulers.fromExecutorService(one);
        try {
            CountDownLatch gate = new CountDownLatch(1);
            CountDownLatch begun = new CountDownLatch(1);
            one.execute(() -> {
                try {
                    gate.await();
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
            });
            LeaseKeeper.Holder<String> holder = new LeaseKeeper.Holder<>() {
                @Override
                public String agentSessionId() {
                    return "svc";
                }

                @Override
                public Mono<Granted<String>> renew(@Nullable Long generation, Duration lag) {
                    lags.add(lag);
                    begun.countDown();
                    return Mono.just(new Granted<>("renewed", null, null));
                }

                @Override
                public void lost(LeaseLostException loss) {}
            };
            LeaseKeeper<String> keeper = new LeaseKeeper<>(
                    holder, new Granted<>("first", 1L, Duration.ofSeconds(90)), held.now(TimeUnit.NANOSECONDS), held);
            keeper.renewInBackground(Duration.ofMillis(100));
            long free = held.now(TimeUnit.MILLISECONDS) + 400;
            while (held.now(TimeUnit.MILLISECONDS) < free) {
                Thread.onSpinWait();
            }
            gate.countDown();
            assertThat(begun.await(10, TimeUnit.SECONDS)).isTrue();
            keeper.close();
            assertThat(lags.get(0)).isBetween(Duration.ofMillis(290), LIMIT);
        } finally {
            one.shutdownNow();
        }
    }

    /** A listener at a fixed interval hears at its ticks, also after one that a slow renewal has made it skip. */
    @Test
    void aFixedIntervalKeepsItsTicks() {
        LeaseKeeper<String> keeper = keeper(
                Duration.ofSeconds(90),
                k -> k == 3 ? Mono.delay(Duration.ofMillis(7_250), time).thenReturn("slow") : Mono.just("r" + k));
        List<String> heard = listen(keeper, Duration.ofSeconds(5));
        pass(Duration.ofSeconds(60));
        assertThat(heard).contains("slow").hasSizeBetween(10, 11);
        assertThat(beats.get(0)).isBetween(0.0, 5.25);
        for (int i = 1; i < beats.size(); i++) {
            assertThat(beats.get(i) - beats.get(i - 1)).isCloseTo(i == 3 ? 10.0 : 5.0, within(0.002));
        }
    }

    /** An error that cannot even be logged. */
    private static final class Untellable extends IllegalStateException {
        private static final long serialVersionUID = 1;

        @Override
        public String getMessage() {
            throw new IllegalStateException("no words");
        }
    }

    @Test
    void aFailureThatCannotBeLoggedEndsNeitherTheRenewalsNorTheWatch() {
        untellable(null);
        untellable(Duration.ofSeconds(20));
    }

    private void untellable(@Nullable Duration interval) {
        beats.clear();
        losses.clear();
        LeaseKeeper<String> recovering =
                keeper(Duration.ofSeconds(90), k -> k == 1 ? Mono.error(new Untellable()) : Mono.just("r" + k));
        List<String> heard = listen(recovering, interval);
        pass(Duration.ofSeconds(200));
        assertThat(heard).startsWith("r2").hasSizeGreaterThan(4);
        assertThat(losses).isEmpty();
        recovering.close();

        LeaseKeeper<String> failing = keeper(Duration.ofSeconds(90), k -> Mono.error(new Untellable()));
        failing.renewInBackground(interval);
        pass(Duration.ofSeconds(91));
        assertThat(losses)
                .singleElement()
                .satisfies(loss -> assertThat(loss.reason()).isEqualTo(Reason.EXPIRED));
    }

    @Test
    void transientFailuresDoNotEndTheRenewals() {
        LeaseKeeper<String> keeper = keeper(Duration.ofSeconds(90), k -> k <= 3 ? down() : Mono.just("r" + k));
        List<String> heard = listen(keeper, Duration.ofSeconds(20));
        pass(Duration.ofSeconds(200));
        assertThat(heard).startsWith("r4").hasSizeGreaterThan(4);
        assertThat(losses).isEmpty();
        assertThat(keeper.isKept()).isTrue();
    }

    /** Lost at the deadline, without a word from the Coordinator, once. */
    @Test
    void withoutRenewalTheLeaseIsLostAtTheDeadline() {
        for (boolean hanging : new boolean[] {false, true}) {
            beats.clear();
            losses.clear();
            cancelled.clear();
            double start = now();
            LeaseKeeper<String> keeper = keeper(Duration.ofSeconds(90), k -> hanging ? Mono.never() : down());
            List<String> heard = listen(keeper, null);
            StepVerifier.create(keeper.end())
                    .then(() -> pass(Duration.ofSeconds(200)))
                    .expectErrorSatisfies(e -> assertThat(e)
                            .isInstanceOfSatisfying(
                                    LeaseLostException.class,
                                    lost -> assertThat(lost.reason()).isEqualTo(Reason.EXPIRED)))
                    .verify(LIMIT);
            assertThat(losses).hasSize(1);
            assertThat(heard).singleElement().asString().startsWith("lost");
            assertThat(Double.parseDouble(heard.get(0).substring(5)) - start).isBetween(89.9, 91.0);
            assertThat(inFlight).as("nothing is left in flight").hasValue(0);
            assertThat(beats).hasSizeLessThan(25);
        }
    }

    @Test
    void theDeadlineIsWatchedWithoutAnyListener() {
        LeaseKeeper<String> keeper = keeper(Duration.ofSeconds(90), k -> Mono.just("r" + k));
        pass(Duration.ofSeconds(60));
        StepVerifier.create(keeper.beat()).expectNext("r1").expectComplete().verify(LIMIT);
        pass(Duration.ofSeconds(89));
        assertThat(losses).isEmpty();
        pass(Duration.ofSeconds(2));
        assertThat(losses).hasSize(1);
        StepVerifier.create(keeper.beat()).expectError(LeaseLostException.class).verify(LIMIT);
        assertThat(beats).as("nothing is sent for a lost lease").hasSize(1);
    }

    /** What the Coordinator says for good is signalled at once, and once. */
    @Test
    void aTerminalRefusalEndsEverythingOnce() {
        for (Reason reason : Reason.values()) {
            beats.clear();
            losses.clear();
            LeaseKeeper<String> keeper = keeper(
                    Duration.ofSeconds(90),
                    k -> k < 3 ? Mono.just("r" + k) : Mono.error(new LeaseLostException(reason, "svc", null)));
            List<String> first = listen(keeper, null);
            List<String> second = listen(keeper, null);
            pass(Duration.ofSeconds(200));
            assertThat(losses)
                    .singleElement()
                    .extracting(LeaseLostException::reason)
                    .isEqualTo(reason);
            assertThat(beats).hasSize(3);
            assertThat(first).hasSize(3).last().asString().startsWith("lost");
            assertThat(second).hasSize(3).last().asString().startsWith("lost");
        }
    }

    /** Two lost renewals in a row leave time for a third. */
    @Test
    void twoLostRenewalsLeaveTimeForAThird() {
        for (int seconds : new int[] {3, 4, 5, 7, 10, 30, 60, 120, 300, 900, 3600}) {
            for (int round = 0; round < 20; round++) {
                beats.clear();
                losses.clear();
                LeaseKeeper<String> keeper =
                        keeper(Duration.ofSeconds(seconds), k -> k <= 2 ? down() : Mono.just("r" + k));
                Disposable listening = keeper.renewals(null).subscribe(x -> {}, e -> {});
                for (int i = 0; i < seconds * 8; i++) {
                    time.advanceTimeBy(Duration.ofMillis(125));
                }
                assertThat(losses).as("lease of %d s", seconds).isEmpty();
                assertThat(beats).hasSizeGreaterThanOrEqualTo(3);
                listening.dispose();
                keeper.close();
            }
        }
    }

    /** Closing is not loss, and nothing is sent afterwards. */
    @Test
    void closeCompletesListenersAndStopsTheRenewals() {
        LeaseKeeper<String> keeper = keeper(Duration.ofSeconds(90), k -> k == 2 ? Mono.never() : Mono.just("r" + k));
        List<String> heard = listen(keeper, Duration.ofSeconds(10));
        while (beats.size() < 2) {
            pass(Duration.ofMillis(250));
        }
        assertThat(inFlight).hasValue(1);
        keeper.close();
        keeper.close();
        pass(Duration.ofSeconds(300));
        assertThat(inFlight).hasValue(0);
        assertThat(beats).hasSize(2);
        assertThat(heard).containsExactly("r1", "closed");
        assertThat(losses).isEmpty();
        StepVerifier.create(keeper.end())
                .then(() -> pass(Duration.ofSeconds(1)))
                .expectComplete()
                .verify(LIMIT);
        StepVerifier.create(keeper.beat()).expectError(ClosedException.class).verify(LIMIT);
    }

    @Test
    void aTerminalAnswerDuringTheCloseIsNoLoss() {
        reactor.core.publisher.Sinks.One<String> answer = reactor.core.publisher.Sinks.one();
        LeaseKeeper<String> keeper = keeper(Duration.ofSeconds(90), k -> answer.asMono());
        StepVerifier.create(keeper.beat())
                .then(keeper::close)
                .then(() -> answer.tryEmitError(new LeaseLostException(Reason.GONE, "svc", null))
                        .orThrow())
                .then(() -> pass(Duration.ofMillis(250)))
                .expectError(ClosedException.class)
                .verify(LIMIT);
        assertThat(losses).isEmpty();
        assertThat(keeper.loss()).isNull();
    }

    /** An outage costs one request for each tick. */
    @Test
    void anOutageMakesNoMoreRequestsThanTicks() {
        LeaseKeeper<String> keeper = keeper(Duration.ofSeconds(90), k -> down());
        List<String> heard = listen(keeper, Duration.ofSeconds(1));
        pass(Duration.ofSeconds(10));
        assertThat(beats).hasSizeLessThanOrEqualTo(11);
        assertThat(heard).isEmpty();
    }

    @Test
    void oneLoopForAllListeners() {
        LeaseKeeper<String> keeper = keeper(Duration.ofSeconds(90), k -> Mono.just("r" + k));
        List<String> first = listen(keeper, Duration.ofSeconds(10));
        List<String> second = listen(keeper, Duration.ofSeconds(10));
        keeper.renewInBackground(null);
        pass(Duration.ofSeconds(100));
        assertThat(beats).hasSizeBetween(9, 11);
        assertThat(first).hasSize(beats.size());
        assertThat(second).hasSize(beats.size());
    }

    @Test
    void theLoopStopsWithItsLastListener() {
        LeaseKeeper<String> keeper = keeper(Duration.ofSeconds(90), k -> Mono.just("r" + k));
        List<String> heard = listen(keeper, Duration.ofSeconds(10));
        pass(Duration.ofSeconds(25));
        subscriptions.dispose();
        int before = beats.size();
        pass(Duration.ofSeconds(50));
        assertThat(beats).hasSize(before);
        assertThat(heard).hasSize(before);
    }

    @Test
    void renewalsGoOnWithoutDemand() {
        LeaseKeeper<String> keeper = keeper(Duration.ofSeconds(90), k -> Mono.just("r" + k));
        BaseSubscriber<String> silent = new BaseSubscriber<>() {
            @Override
            protected void hookOnSubscribe(Subscription subscription) {
                // Asks for nothing.
            }
        };
        keeper.renewals(Duration.ofSeconds(10)).subscribe(silent);
        pass(Duration.ofSeconds(100));
        assertThat(beats).hasSizeBetween(9, 11);
        silent.cancel();
    }

    @Test
    void anIntervalOfMoreThanAThirdIsShortened() {
        LeaseKeeper<String> keeper = keeper(Duration.ofSeconds(30), k -> Mono.just("r" + k));
        List<String> heard = listen(keeper, Duration.ofSeconds(60));
        pass(Duration.ofSeconds(100));
        assertThat(beats).hasSizeBetween(9, 11);
        assertThat(heard).hasSize(beats.size());
    }

    @Test
    void concurrentBeatsAreOneRenewal() {
        reactor.core.publisher.Sinks.One<String> answer = reactor.core.publisher.Sinks.one();
        LeaseKeeper<String> keeper = keeper(Duration.ofSeconds(90), k -> answer.asMono());
        StepVerifier.create(Mono.zip(keeper.beat(), keeper.beat()))
                .then(() -> answer.tryEmitValue("r").orThrow())
                .expectNextCount(1)
                .expectComplete()
                .verify(LIMIT);
        assertThat(beats).hasSize(1);
    }

    @Test
    void aRenewalMayTakeAThirdOfWhatRemains() {
        LeaseKeeper<String> keeper = keeper(Duration.ofSeconds(15), k -> Mono.never());
        StepVerifier.create(keeper.beat())
                .then(() -> pass(Duration.ofSeconds(6)))
                .expectError(java.util.concurrent.TimeoutException.class)
                .verify(LIMIT);
        assertThat(cancelled).singleElement().satisfies(at -> assertThat(at).isBetween(4.9, 5.3));
        assertThat(keeper.isKept())
                .as("a renewal that failed by hand is no loss")
                .isTrue();
    }

    /** A deadline that comes nearer is watched at once. */
    @Test
    void aLeaseThatGetsShorterIsLostAtItsNewDeadline() {
        Duration[] length = {Duration.ofSeconds(120)};
        LeaseKeeper.Holder<String> holder = new LeaseKeeper.Holder<>() {
            @Override
            public String agentSessionId() {
                return "svc";
            }

            @Override
            public Mono<Granted<String>> renew(@Nullable Long generation, Duration lag) {
                return Mono.just(new Granted<>("r", null, length[0]));
            }

            @Override
            public void lost(LeaseLostException loss) {
                losses.add(loss);
            }
        };
        LeaseKeeper<String> keeper =
                new LeaseKeeper<>(holder, new Granted<>("first", 1L, length[0]), time.now(TimeUnit.NANOSECONDS), time);
        length[0] = Duration.ofSeconds(10);
        StepVerifier.create(keeper.beat())
                .then(() -> pass(Duration.ofMillis(250)))
                .expectNext("r")
                .expectComplete()
                .verify(LIMIT);
        pass(Duration.ofSeconds(9));
        assertThat(losses).isEmpty();
        pass(Duration.ofSeconds(2));
        assertThat(losses).hasSize(1);
    }

    /** What no clock of this world can hold is clamped, not an error that leaves a session open. */
    @Test
    void absurdLengthsAreClamped() {
        LeaseKeeper<String> keeper = keeper(Duration.ofDays(3_000_000), k -> Mono.just("r" + k));
        List<String> heard = listen(keeper, Duration.ofDays(1_000_000));
        pass(Duration.ofSeconds(1));
        assertThat(keeper.isKept()).isTrue();
        assertThat(heard).isEmpty();
    }

    /** A renewal that waits for something before it is sent is not sent after the close. */
    @Test
    void aRenewalThatWaitsIsNotSentAfterTheClose() {
        AtomicInteger sent = new AtomicInteger();
        reactor.core.publisher.Sinks.Empty<Void> health = reactor.core.publisher.Sinks.empty();
        LeaseKeeper<String> keeper = keeper(
                Duration.ofSeconds(90),
                k -> health.asMono().then(Mono.fromSupplier(() -> "r" + sent.incrementAndGet())));
        StepVerifier.create(keeper.beat())
                .then(keeper::close)
                .then(() -> health.tryEmitEmpty().orThrow())
                .then(() -> pass(Duration.ofMillis(250)))
                .expectError(ClosedException.class)
                .verify(LIMIT);
        assertThat(sent).hasValue(0);
    }

    /** Counts the timers that are set on a scheduler, and those that still are. */
    private static final class Timers implements Scheduler {
        final AtomicInteger set = new AtomicInteger();
        final AtomicInteger left = new AtomicInteger();
        private final Scheduler actual;

        Timers(Scheduler actual) {
            this.actual = actual;
        }

        private Disposable ending(Disposable timer) {
            return Disposables.composite(timer, left::decrementAndGet);
        }

        @Override
        public long now(TimeUnit unit) {
            return actual.now(unit);
        }

        @Override
        public Disposable schedule(Runnable task) {
            return actual.schedule(task);
        }

        @Override
        public Disposable schedule(Runnable task, long delay, TimeUnit unit) {
            set.incrementAndGet();
            left.incrementAndGet();
            Disposable.Swap timer = Disposables.swap();
            Disposable ending = ending(timer);
            timer.update(actual.schedule(
                    () -> {
                        ending.dispose();
                        task.run();
                    },
                    delay,
                    unit));
            return ending;
        }

        @Override
        public Worker createWorker() {
            Worker worker = actual.createWorker();
            left.incrementAndGet();
            Disposable ending = ending(worker);
            return new Worker() {
                @Override
                public Disposable schedule(Runnable task) {
                    return worker.schedule(task);
                }

                @Override
                public Disposable schedulePeriodically(Runnable task, long delay, long period, TimeUnit unit) {
                    return worker.schedulePeriodically(task, delay, period, unit);
                }

                @Override
                public void dispose() {
                    ending.dispose();
                }

                @Override
                public boolean isDisposed() {
                    return ending.isDisposed();
                }
            };
        }
    }

    private LeaseKeeper<String> keeperOn(Scheduler timer, IntFunction<Mono<Granted<String>>> answer) {
        return new LeaseKeeper<>(
                new LeaseKeeper.Holder<>() {
                    @Override
                    public String agentSessionId() {
                        return "svc";
                    }

                    @Override
                    public Mono<Granted<String>> renew(@Nullable Long generation, Duration lag) {
                        beats.add(now());
                        return answer.apply(generation == null ? -1 : generation.intValue());
                    }

                    @Override
                    public void lost(LeaseLostException loss) {
                        losses.add(loss);
                    }
                },
                new Granted<>("first", 1L, Duration.ofSeconds(90)),
                time.now(TimeUnit.NANOSECONDS),
                timer);
    }

    private void renewed(LeaseKeeper<String> keeper) {
        StepVerifier.create(keeper.beat())
                .then(() -> pass(Duration.ofMillis(250)))
                .expectNextCount(1)
                .expectComplete()
                .verify(LIMIT);
    }

    @Test
    void noTimerOutlivesTheLease() {
        for (Duration interval : new Duration[] {null, Duration.ofSeconds(10)}) {
            for (boolean lost : new boolean[] {false, true}) {
                Timers timers = new Timers(time);
                LeaseKeeper<String> keeper = keeperOn(timers, k -> Mono.just(new Granted<>("r", null, null)));
                keeper.renewInBackground(interval);
                pass(Duration.ofSeconds(100));
                assertThat(timers.left).hasPositiveValue();
                if (lost) {
                    keeper.declareLost(Reason.GONE, null);
                } else {
                    keeper.close();
                }
                assertThat(timers.left)
                        .as("interval %s, lost %s", interval, lost)
                        .hasValue(0);
                assertThat(keeper.isKept()).isFalse();
            }
        }
    }

    /** A renewal leaves the timer of the deadline where it is; what it finds too early, it looks at again. */
    @Test
    void aRenewalByHandMovesNoTimer() {
        Timers timers = new Timers(time);
        LeaseKeeper<String> keeper = keeperOn(timers, k -> Mono.just(new Granted<>("r", null, Duration.ofSeconds(90))));
        assertThat(timers.set).hasValue(1);
        for (int i = 1; i <= 5; i++) {
            renewed(keeper);
            assertThat(timers.set).as("one for how long the renewal may take").hasValue(1 + i);
        }
        assertThat(timers.left).hasValue(1);
        keeper.close();
    }

    @Test
    void aRenewalCarriesTheGenerationThatWasGivenLast() {
        List<Integer> carried = new ArrayList<>();
        LeaseKeeper<String> keeper = keeperOn(time, generation -> {
            carried.add(generation);
            return Mono.just(new Granted<>("r", generation == 1 ? 7L : null, null));
        });
        assertThat(keeper.generation()).isEqualTo(1);
        renewed(keeper);
        renewed(keeper);
        renewed(keeper);
        assertThat(carried).containsExactly(1, 7, 7);
        assertThat(keeper.generation()).isEqualTo(7);
        keeper.close();
    }

    @Test
    void aRenewalByHandThatFindsTheLossSaysSo() {
        LeaseLostException fenced = new LeaseLostException(Reason.FENCED, "svc", null);
        LeaseKeeper<String> keeper = keeperOn(time, generation -> Mono.error(fenced));
        StepVerifier.create(keeper.beat())
                .then(() -> pass(Duration.ofMillis(250)))
                .expectErrorSatisfies(e -> assertThat(e).isSameAs(fenced))
                .verify(LIMIT);
        assertThat(keeper.isKept()).isFalse();
        assertThat(keeper.loss()).isSameAs(fenced);
        keeper.declareLost(Reason.GONE, null);
        keeper.close();
        assertThat(losses).as("told once").containsExactly(fenced);
        assertThat(keeper.loss()).isSameAs(fenced);
    }

    @Test
    void nothingIsLostAfterTheClose() {
        LeaseKeeper<String> keeper = keeper(Duration.ofSeconds(90), k -> Mono.just("r" + k));
        keeper.close();
        keeper.declareLost(Reason.GONE, null);
        assertThat(losses).isEmpty();
        assertThat(keeper.loss()).isNull();
        assertThat(keeper.isKept()).isFalse();
    }

    /** Also when the timer has not looked yet. */
    @Test
    void atTheDeadlineNothingIsSentAnyMore() {
        List<LeaseKeeper<String>> keepers = new ArrayList<>();
        List<Throwable> errors = new ArrayList<>();
        // At the same instant as the deadline, and before it: set earlier.
        Disposable early = time.schedule(
                () -> subscriptions.add(keepers.get(0).beat().subscribe(value -> {}, errors::add)),
                90,
                TimeUnit.SECONDS);
        keepers.add(keeper(Duration.ofSeconds(90), k -> Mono.just("r" + k)));
        pass(Duration.ofSeconds(91));
        assertThat(beats).isEmpty();
        assertThat(errors).singleElement().isInstanceOf(LeaseLostException.class);
        assertThat(losses).hasSize(1);
        early.dispose();
    }

    @Test
    void aLoopThatBeginsLateRenewsInTime() {
        for (int round = 0; round < 20; round++) {
            LeaseKeeper<String> keeper = keeper(Duration.ofSeconds(90), k -> Mono.just("r" + k));
            pass(Duration.ofSeconds(80));
            keeper.renewInBackground(Duration.ofSeconds(25));
            pass(Duration.ofSeconds(30));
            assertThat(losses).isEmpty();
            keeper.close();
        }
    }

    @Test
    void aRenewalThatBringsNothingIsAnErrorAndLosesNothing() {
        LeaseKeeper<String> keeper = keeper(Duration.ofSeconds(90), k -> Mono.empty());
        StepVerifier.create(keeper.beat()).expectError(ClosedException.class).verify(LIMIT);
        assertThat(keeper.isKept()).isTrue();
    }

    /** A renewal may be given up in the moment in which it fails. */
    @Test
    void aFailureThatMeetsTheTimeoutIsNotDropped() {
        Duration third = Duration.ofMillis(5);
        LeaseKeeper.Holder<String> failing = new LeaseKeeper.Holder<>() {
            @Override
            public String agentSessionId() {
                return "svc";
            }

            @Override
            public Mono<Granted<String>> renew(@Nullable Long generation, Duration lag) {
                return Mono.delay(third, Schedulers.single()).then(Mono.error(new IllegalStateException("503")));
            }

            @Override
            public void lost(LeaseLostException loss) {}
        };
        VirtualTimeScheduler.reset();
        Scheduler timer = Schedulers.newParallel("leases", 1);
        Granted<String> first = new Granted<>("first", 1L, third.multipliedBy(3));
        Mono<Void> all = reactor.core.publisher.Flux.range(0, 20_000)
                .flatMap(
                        i -> Mono.defer(() -> {
                            LeaseKeeper<String> keeper =
                                    new LeaseKeeper<>(failing, first, timer.now(TimeUnit.NANOSECONDS), timer);
                            return keeper.beat().onErrorComplete().doFinally(signal -> keeper.close());
                        }),
                        64)
                .then();
        StepVerifier.create(all).expectComplete().verify(Duration.ofMinutes(1));
        timer.dispose();
    }
}
