package run.caracal.internal.lease;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.reactivestreams.Subscription;
import reactor.core.Disposable;
import reactor.core.Disposables;
import reactor.core.publisher.BaseSubscriber;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.publisher.SignalType;
import reactor.core.publisher.Sinks;
import reactor.core.scheduler.Scheduler;
import reactor.core.scheduler.Schedulers;
import reactor.test.StepVerifier;
import reactor.test.scheduler.VirtualTimeScheduler;
import run.caracal.error.ClosedException;
import run.caracal.error.LeaseLostException;
import run.caracal.error.LeaseLostException.Reason;
import run.caracal.error.TransportException;
import run.caracal.internal.wire.LeaseTerms;
import run.caracal.test.Logged;
import run.caracal.test.MovableTime;

class LeaseKeeperTest {
    private static final Duration LIMIT = Duration.ofSeconds(10);

    private VirtualTimeScheduler time;
    private MovableTime clocks;
    private final Disposable.Composite subscriptions = Disposables.composite();
    private final List<Duration> lags = new CopyOnWriteArrayList<>();
    private final List<Double> beats = new ArrayList<>();
    private final List<Double> cancelled = new ArrayList<>();
    private final List<LeaseLostException> losses = new CopyOnWriteArrayList<>();
    private final AtomicInteger inFlight = new AtomicInteger();
    private final AtomicInteger mostInFlight = new AtomicInteger();

    @BeforeEach
    void virtualTime() {
        // Also replaces Schedulers.parallel(), on which listeners hear.
        time = VirtualTimeScheduler.getOrSet();
        clocks = new MovableTime(time);
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

    /** A lease of a length; the answer to its k-th renewal, whose generation is k. */
    private LeaseKeeper keeper(@Nullable Duration length, IntFunction<Mono<?>> answer) {
        return keeper(
                clocks,
                length,
                (generation, lag) -> Mono.defer(() -> {
                    beats.add(now());
                    lags.add(lag);
                    mostInFlight.accumulateAndGet(inFlight.incrementAndGet(), Math::max);
                    int k = beats.size();
                    return answer.apply(k)
                            .<LeaseTerms>map(any -> new LeaseTerms((long) k, null, length))
                            .doFinally(signal -> {
                                inFlight.decrementAndGet();
                                if (signal == SignalType.CANCEL) {
                                    cancelled.add(now());
                                }
                            });
                }));
    }

    private LeaseKeeper keeper(Scheduler timer, @Nullable Duration length, LeaseKeeper.Renewal renewal) {
        return new LeaseKeeper(
                "svc",
                new LeaseTerms(1L, null, length),
                timer.now(TimeUnit.NANOSECONDS),
                renewal,
                losses::add,
                timer,
                new SleepWatch(timer));
    }

    private static <T> Mono<T> down() {
        return Mono.error(new IllegalStateException("503"));
    }

    /** The signals of a listener: the generation of each renewal, and the end of the lease. */
    private List<String> listen(LeaseKeeper keeper, @Nullable Duration interval) {
        List<String> heard = new CopyOnWriteArrayList<>();
        subscriptions.add(keeper.renewals(interval)
                .subscribe(
                        lease -> heard.add("r" + lease.generation()),
                        e -> heard.add("lost " + now()),
                        () -> heard.add("closed")));
        return heard;
    }

    private void renewed(LeaseKeeper keeper) {
        StepVerifier.create(keeper.beat())
                .then(() -> pass(Duration.ofMillis(250)))
                .expectNextCount(1)
                .expectComplete()
                .verify(LIMIT);
    }

    @Nested
    class Cadence {
        @Test
        void renewsAtAThirdOfWhatRemains() {
            LeaseKeeper keeper = keeper(Duration.ofSeconds(90), k -> Mono.just("r" + k));
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
        void aLeaseWithoutADeadlineIsRenewedEveryThirtySecondsAndNeverLostLocally() {
            LeaseKeeper keeper = keeper(null, k -> Mono.just("r" + k));
            List<String> heard = listen(keeper, null);
            pass(Duration.ofSeconds(300));
            assertThat(heard).hasSizeBetween(9, 11);
            assertThat(keeper.isKept()).isTrue();
        }

        /** A renewal much slower than the period neither ends the stream, nor overlaps, nor bursts. */
        @Test
        void aSlowRenewalSkipsTicks() {
            LeaseKeeper keeper = keeper(
                    Duration.ofSeconds(90),
                    k -> k == 2 ? Mono.delay(Duration.ofMillis(9_500), time).thenReturn("slow") : Mono.just("r" + k));
            List<String> heard = listen(keeper, Duration.ofSeconds(1));
            pass(Duration.ofSeconds(30));
            assertThat(mostInFlight).hasValue(1);
            assertThat(heard).contains("r2").hasSizeGreaterThan(15);
            for (int i = 1; i < beats.size(); i++) {
                assertThat(beats.get(i) - beats.get(i - 1)).as("no burst").isGreaterThan(0.4);
            }
            assertThat(losses).isEmpty();
        }

        /** A renewal that begins at its tick, or on request, has no lag, even if earlier renewals were slow. */
        @Test
        void aRenewalKnowsHowLateItBegins() {
            LeaseKeeper keeper = keeper(Duration.ofSeconds(90), k -> Mono.just("r" + k));
            assertThat(listen(keeper, null)).isEmpty();
            pass(Duration.ofSeconds(100));
            assertThat(lags).hasSizeGreaterThan(2).allMatch(Duration.ZERO::equals);
            keeper.close();
            lags.clear();
            // Every renewal takes longer than the interval: ticks during it are skipped, and the next begins at a tick.
            LeaseKeeper slow = keeper(
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

        /** A timer that was held up makes the renewal late, and the renewal says by how much. */
        @Test
        void aRenewalThatBeginsLateSaysSo() {
            LeaseKeeper keeper = keeper(Duration.ofSeconds(90), k -> Mono.just("renewed"));
            keeper.renewInBackground(Duration.ofSeconds(2));
            clocks.holdUp(Duration.ofSeconds(20));
            assertThat(lags)
                    .singleElement()
                    .satisfies(lag -> assertThat(lag).isBetween(Duration.ofSeconds(18), Duration.ofSeconds(20)));
        }

        /** A starved timer delivers all its ticks at once: one of them renews. */
        @Test
        void theTicksOfATimerThatWasHeldUpDoNotBurst() {
            LeaseKeeper keeper = keeper(Duration.ofSeconds(90), k -> Mono.just("renewed"));
            keeper.renewInBackground(Duration.ofSeconds(1));
            pass(Duration.ofSeconds(5));
            for (int i = 0; i < 3; i++) {
                int before = beats.size();
                clocks.holdUp(Duration.ofSeconds(15));
                assertThat(beats).hasSize(before + 1);
                pass(Duration.ofSeconds(5));
                assertThat(beats).as("at its ticks again").hasSize(before + 6);
            }
        }

        /** The ticks that a renewal outlasts may be delivered behind its end. */
        @Test
        void theTicksThatASlowRenewalOutlastsAreDroppedAlsoWhenTheyAreLate() {
            Sinks.One<String> slow = Sinks.one();
            LeaseKeeper keeper = keeper(Duration.ofSeconds(90), k -> k == 2 ? slow.asMono() : Mono.just("renewed"));
            keeper.renewInBackground(Duration.ofSeconds(1));
            while (beats.size() < 2) {
                pass(Duration.ofMillis(250));
            }
            // Before the ticks that were due meanwhile.
            subscriptions.add(time.schedule(() -> slow.tryEmitValue("slow").orThrow(), 1, TimeUnit.MILLISECONDS));
            clocks.holdUp(Duration.ofSeconds(8));
            assertThat(beats).hasSize(2);
            pass(Duration.ofSeconds(3));
            assertThat(beats).hasSize(5);
        }

        /** A listener at a fixed interval keeps its ticks, also after a slow renewal has skipped one. */
        @Test
        void aFixedIntervalKeepsItsTicks() {
            LeaseKeeper keeper = keeper(
                    Duration.ofSeconds(90),
                    k -> k == 3 ? Mono.delay(Duration.ofMillis(7_250), time).thenReturn("slow") : Mono.just("r" + k));
            List<String> heard = listen(keeper, Duration.ofSeconds(5));
            pass(Duration.ofSeconds(60));
            assertThat(heard).contains("r3").hasSizeBetween(10, 11);
            assertThat(beats.get(0)).isBetween(0.0, 5.25);
            for (int i = 1; i < beats.size(); i++) {
                assertThat(beats.get(i) - beats.get(i - 1)).isCloseTo(i == 3 ? 10.0 : 5.0, within(0.002));
            }
        }

        @Test
        void anIntervalOfMoreThanAThirdIsShortened() {
            LeaseKeeper keeper = keeper(Duration.ofSeconds(30), k -> Mono.just("r" + k));
            List<String> heard = listen(keeper, Duration.ofSeconds(60));
            pass(Duration.ofSeconds(100));
            assertThat(beats).hasSizeBetween(9, 11);
            assertThat(heard).hasSize(beats.size());
        }

        @Test
        void anIntervalOfLessThanASecondIsASecond() {
            LeaseKeeper keeper = keeper(Duration.ofSeconds(90), k -> Mono.just("renewed"));
            String log = Logged.during(() -> keeper.renewInBackground(Duration.ofMillis(1)));
            assertThat(log).containsOnlyOnce("WARN").contains("PT0.001S", "svc", "every 1000 ms");
            pass(Duration.ofSeconds(10));
            assertThat(beats).hasSizeBetween(9, 11);
        }

        @Test
        void aThirdOfAShortLeaseIsLessThanASecond() {
            LeaseKeeper keeper = keeper(Duration.ofMillis(1_500), k -> Mono.just("renewed"));
            keeper.renewInBackground(Duration.ofMillis(1));
            pass(Duration.ofSeconds(10));
            assertThat(beats).hasSizeBetween(19, 21);
            assertThat(losses).isEmpty();
        }

        /** Lengths that overflow a clock are clamped, because an error would leave the session open. */
        @Test
        void absurdLengthsAreClamped() {
            LeaseKeeper keeper = keeper(Duration.ofDays(3_000_000), k -> Mono.just("r" + k));
            List<String> heard = listen(keeper, Duration.ofDays(1_000_000));
            pass(Duration.ofSeconds(1));
            assertThat(keeper.isKept()).isTrue();
            assertThat(heard).isEmpty();
        }

        /** An outage costs one request for each tick. */
        @Test
        void anOutageMakesNoMoreRequestsThanTicks() {
            LeaseKeeper keeper = keeper(Duration.ofSeconds(90), k -> down());
            List<String> heard = listen(keeper, Duration.ofSeconds(1));
            pass(Duration.ofSeconds(10));
            assertThat(beats).hasSizeLessThanOrEqualTo(11);
            assertThat(heard).isEmpty();
        }

        @Test
        void oneLoopForAllListeners() {
            LeaseKeeper keeper = keeper(Duration.ofSeconds(90), k -> Mono.just("r" + k));
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
            LeaseKeeper keeper = keeper(Duration.ofSeconds(90), k -> Mono.just("r" + k));
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
            LeaseKeeper keeper = keeper(Duration.ofSeconds(90), k -> Mono.just("r" + k));
            BaseSubscriber<LeaseTerms> silent = new BaseSubscriber<>() {
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
        void aLoopThatBeginsLateRenewsInTime() {
            for (int round = 0; round < 20; round++) {
                LeaseKeeper keeper = keeper(Duration.ofSeconds(90), k -> Mono.just("r" + k));
                pass(Duration.ofSeconds(80));
                keeper.renewInBackground(Duration.ofSeconds(25));
                pass(Duration.ofSeconds(30));
                assertThat(losses).isEmpty();
                keeper.close();
            }
        }
    }

    @Nested
    class Renewing {
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
            LeaseKeeper recovering =
                    keeper(Duration.ofSeconds(90), k -> k == 1 ? Mono.error(new Untellable()) : Mono.just("r" + k));
            List<String> heard = listen(recovering, interval);
            pass(Duration.ofSeconds(200));
            assertThat(heard).startsWith("r2").hasSizeGreaterThan(4);
            assertThat(losses).isEmpty();
            recovering.close();

            LeaseKeeper failing = keeper(Duration.ofSeconds(90), k -> Mono.error(new Untellable()));
            failing.renewInBackground(interval);
            pass(Duration.ofSeconds(91));
            assertThat(losses)
                    .singleElement()
                    .satisfies(loss -> assertThat(loss.reason()).isEqualTo(Reason.EXPIRED));
        }

        @Test
        void transientFailuresDoNotEndTheRenewals() {
            LeaseKeeper keeper = keeper(Duration.ofSeconds(90), k -> k <= 3 ? down() : Mono.just("r" + k));
            List<String> heard = listen(keeper, Duration.ofSeconds(20));
            pass(Duration.ofSeconds(200));
            assertThat(heard).startsWith("r4").hasSizeGreaterThan(4);
            assertThat(losses).isEmpty();
            assertThat(keeper.isKept()).isTrue();
        }

        @Test
        void theRecoveryOfTheRenewalsIsLoggedOnce() {
            LeaseKeeper keeper = keeper(Duration.ofSeconds(90), k -> k <= 2 ? down() : Mono.just("renewed"));
            String log = Logged.during(() -> {
                keeper.renewInBackground(Duration.ofSeconds(20));
                pass(Duration.ofSeconds(200));
            });
            assertThat(beats).hasSizeGreaterThan(5);
            assertThat(log.lines()).hasSize(2);
            assertThat(log.lines().toList().get(0)).contains("WARN", "503", "svc");
            assertThat(log.lines().toList().get(1)).contains("INFO", "svc", "renewed again, after 2 failures");
        }

        @Test
        void concurrentBeatsAreOneRenewal() {
            Sinks.One<String> answer = Sinks.one();
            LeaseKeeper keeper = keeper(Duration.ofSeconds(90), k -> answer.asMono());
            StepVerifier.create(Mono.zip(keeper.beat(), keeper.beat()))
                    .then(() -> answer.tryEmitValue("r").orThrow())
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(beats).hasSize(1);
        }

        @Test
        void aRenewalMayTakeAThirdOfWhatRemains() {
            LeaseKeeper keeper = keeper(Duration.ofSeconds(15), k -> Mono.never());
            StepVerifier.create(keeper.beat())
                    .then(() -> pass(Duration.ofSeconds(6)))
                    .expectError(TransportException.class)
                    .verify(LIMIT);
            assertThat(cancelled).singleElement().satisfies(at -> assertThat(at).isBetween(4.9, 5.3));
            assertThat(keeper.isKept())
                    .as("a renewal that failed by hand is no loss")
                    .isTrue();
        }

        @Test
        void aRenewalCarriesTheGenerationThatWasGivenLast() {
            List<Long> carried = new ArrayList<>();
            LeaseKeeper keeper = keeper(clocks, Duration.ofSeconds(90), (generation, lag) -> {
                carried.add(Objects.requireNonNull(generation));
                return Mono.just(new LeaseTerms(generation == 1 ? 7L : null, null, null));
            });
            assertThat(keeper.generation()).isEqualTo(1);
            renewed(keeper);
            renewed(keeper);
            renewed(keeper);
            assertThat(carried).containsExactly(1L, 7L, 7L);
            assertThat(keeper.generation()).isEqualTo(7);
            keeper.close();
        }

        @Test
        void aRenewalThatBringsNothingIsAnErrorAndLosesNothing() {
            LeaseKeeper keeper = keeper(Duration.ofSeconds(90), k -> Mono.empty());
            StepVerifier.create(keeper.beat())
                    .expectError(ClosedException.class)
                    .verify(LIMIT);
            assertThat(keeper.isKept()).isTrue();
        }

        /** A renewal may be given up in the moment in which it fails. */
        @Test
        void aFailureThatMeetsTheTimeoutIsNotDropped() {
            Duration third = Duration.ofMillis(5);
            LeaseKeeper.Renewal failing = (generation, lag) ->
                    Mono.delay(third, Schedulers.single()).then(Mono.error(new IllegalStateException("503")));
            VirtualTimeScheduler.reset();
            Scheduler timer = Schedulers.newParallel("leases", 1);
            Mono<Void> all = Flux.range(0, 20_000)
                    .flatMap(
                            i -> Mono.defer(() -> {
                                LeaseKeeper keeper = keeper(timer, third.multipliedBy(3), failing);
                                return keeper.beat().onErrorComplete().doFinally(signal -> keeper.close());
                            }),
                            64)
                    .then();
            StepVerifier.create(all).expectComplete().verify(Duration.ofMinutes(1));
            timer.dispose();
        }

        /** Two lost renewals in a row leave time for a third. */
        @Test
        void twoLostRenewalsLeaveTimeForAThird() {
            for (int seconds : new int[] {3, 4, 5, 7, 10, 30, 60, 120, 300, 900, 3600}) {
                for (int round = 0; round < 20; round++) {
                    beats.clear();
                    losses.clear();
                    LeaseKeeper keeper = keeper(Duration.ofSeconds(seconds), k -> k <= 2 ? down() : Mono.just("r" + k));
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
    }

    @Nested
    class Loss {
        /** The deadline is timed on when the last listener leaves in the middle of a renewal. */
        @Test
        void theLossIsFoundAlsoWhenListenersLeaveDuringARenewal() {
            LeaseKeeper keeper = keeper(Duration.ofSeconds(90), k -> Mono.never());
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

        /** Lost at the deadline, without a word from the Coordinator, once. */
        @Test
        void withoutRenewalTheLeaseIsLostAtTheDeadline() {
            for (boolean hanging : new boolean[] {false, true}) {
                beats.clear();
                losses.clear();
                cancelled.clear();
                double start = now();
                LeaseKeeper keeper = keeper(Duration.ofSeconds(90), k -> hanging ? Mono.never() : down());
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
                assertThat(Double.parseDouble(heard.get(0).substring(5)) - start)
                        .isBetween(89.9, 91.0);
                assertThat(inFlight).as("nothing is left in flight").hasValue(0);
                assertThat(beats).hasSizeLessThan(25);
            }
        }

        @Test
        void theDeadlineIsWatchedWithoutAnyListener() {
            LeaseKeeper keeper = keeper(Duration.ofSeconds(90), k -> Mono.just("r" + k));
            pass(Duration.ofSeconds(60));
            StepVerifier.create(keeper.beat())
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(LIMIT);
            pass(Duration.ofSeconds(89));
            assertThat(losses).isEmpty();
            pass(Duration.ofSeconds(2));
            assertThat(losses).hasSize(1);
            StepVerifier.create(keeper.beat())
                    .expectError(LeaseLostException.class)
                    .verify(LIMIT);
            assertThat(beats).as("nothing is sent for a lost lease").hasSize(1);
        }

        /** A terminal refusal of the Coordinator is signalled at once, and once. */
        @Test
        void aTerminalRefusalEndsEverythingOnce() {
            for (Reason reason : Reason.values()) {
                beats.clear();
                losses.clear();
                LeaseKeeper keeper = keeper(
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

        /** A deadline that comes nearer is watched at once. */
        @Test
        void aLeaseThatGetsShorterIsLostAtItsNewDeadline() {
            Duration[] length = {Duration.ofSeconds(120)};
            LeaseKeeper keeper =
                    keeper(clocks, length[0], (generation, lag) -> Mono.just(new LeaseTerms(null, null, length[0])));
            length[0] = Duration.ofSeconds(10);
            StepVerifier.create(keeper.beat())
                    .then(() -> pass(Duration.ofMillis(250)))
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(LIMIT);
            pass(Duration.ofSeconds(9));
            assertThat(losses).isEmpty();
            pass(Duration.ofSeconds(2));
            assertThat(losses).hasSize(1);
        }

        @Test
        void aRenewalByHandThatFindsTheLossSaysSo() {
            LeaseLostException fenced = new LeaseLostException(Reason.FENCED, "svc", null);
            LeaseKeeper keeper = keeper(clocks, Duration.ofSeconds(90), (generation, lag) -> Mono.error(fenced));
            StepVerifier.create(keeper.beat())
                    .then(() -> pass(Duration.ofMillis(250)))
                    .expectErrorSatisfies(e -> assertThat(e).isSameAs(fenced))
                    .verify(LIMIT);
            assertThat(keeper.isKept()).isFalse();
            assertThat(keeper.loss()).isSameAs(fenced);
            keeper.declareLost(Reason.GONE, null);
            keeper.close();
            assertThat(losses).as("signalled once").containsExactly(fenced);
            assertThat(keeper.loss()).isSameAs(fenced);
        }

        /** Also when the timer has not looked yet. */
        @Test
        void atTheDeadlineNothingIsSentAnyMore() {
            List<LeaseKeeper> keepers = new ArrayList<>();
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
    }

    @Nested
    class Closing {
        /** Counts the timers that are still set on a scheduler. */
        private static final class Timers implements Scheduler {
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

        /** Closing is not loss, and nothing is sent afterwards. */
        @Test
        void closeCompletesListenersAndStopsTheRenewals() {
            LeaseKeeper keeper = keeper(Duration.ofSeconds(90), k -> k == 2 ? Mono.never() : Mono.just("r" + k));
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
            StepVerifier.create(keeper.beat())
                    .expectError(ClosedException.class)
                    .verify(LIMIT);
        }

        @Test
        void aTerminalAnswerDuringTheCloseIsNoLoss() {
            Sinks.One<String> answer = Sinks.one();
            LeaseKeeper keeper = keeper(Duration.ofSeconds(90), k -> answer.asMono());
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

        /** A renewal that still waits to be sent at the close is not sent after it. */
        @Test
        void aRenewalThatWaitsIsNotSentAfterTheClose() {
            AtomicInteger sent = new AtomicInteger();
            Sinks.Empty<Void> health = Sinks.empty();
            LeaseKeeper keeper = keeper(
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

        @Test
        void noTimerOutlivesTheLease() {
            for (Duration interval : new Duration[] {null, Duration.ofSeconds(10)}) {
                for (boolean lost : new boolean[] {false, true}) {
                    Timers timers = new Timers(clocks);
                    LeaseKeeper keeper = keeper(
                            timers,
                            Duration.ofSeconds(90),
                            (generation, lag) -> Mono.just(new LeaseTerms(null, null, null)));
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

        /** The deadline has one timer, however often it moves. */
        @Test
        void renewalsLeaveNoTimersBehind() {
            Timers timers = new Timers(clocks);
            LeaseKeeper keeper = keeper(
                    timers,
                    Duration.ofSeconds(90),
                    (generation, lag) -> Mono.just(new LeaseTerms(null, null, Duration.ofSeconds(90))));
            int once = timers.left.get();
            for (int i = 1; i <= 5; i++) {
                renewed(keeper);
                assertThat(timers.left).hasValue(once);
            }
            keeper.close();
            assertThat(timers.left).hasValue(0);
        }

        @Test
        void nothingIsLostAfterTheClose() {
            LeaseKeeper keeper = keeper(Duration.ofSeconds(90), k -> Mono.just("r" + k));
            keeper.close();
            keeper.declareLost(Reason.GONE, null);
            assertThat(losses).isEmpty();
            assertThat(keeper.loss()).isNull();
            assertThat(keeper.isKept()).isFalse();
        }
    }

    /** The wall clock goes on while the monotonic one stands still. */
    @Nested
    class Sleep {
        private static final Duration HOUR = Duration.ofHours(1);
        private static final Duration SECOND = Duration.ofSeconds(1);

        private void sleep(Duration duration) {
            clocks.moveWallClock(duration);
            pass(SECOND);
        }

        private void isLostBy(Reason reason) {
            assertThat(losses)
                    .singleElement()
                    .satisfies(loss -> assertThat(loss.reason()).isEqualTo(reason));
        }

        @Test
        void aRefusalBehindASleepIsFoundWithinASecond() {
            for (@Nullable Duration interval : new Duration[] {null, Duration.ofSeconds(25)}) {
                losses.clear();
                LeaseKeeper keeper = keeper(
                        Duration.ofSeconds(90), k -> Mono.error(new LeaseLostException(Reason.GONE, "svc", null)));
                keeper.renewInBackground(interval);
                sleep(HOUR);
                isLostBy(Reason.GONE);
                assertThat(keeper.isKept()).isFalse();
            }
        }

        @Test
        void aRenewalThatFailsBehindTheDeadlineIsTheLoss() {
            LeaseKeeper keeper = keeper(Duration.ofSeconds(90), k -> down());
            sleep(HOUR);
            isLostBy(Reason.EXPIRED);
            assertThat(keeper.isKept()).isFalse();
        }

        @Test
        void aRenewalThatHangsBehindTheDeadlineIsTheLoss() {
            LeaseKeeper keeper = keeper(Duration.ofSeconds(90), k -> Mono.never());
            sleep(HOUR);
            assertThat(keeper.isKept()).isTrue();
            pass(Duration.ofSeconds(10));
            isLostBy(Reason.EXPIRED);
            assertThat(inFlight).hasValue(0);
        }

        /** The wall clock may have been set: the Coordinator knows. */
        @Test
        void aLeaseThatIsRenewedBehindASleepIsKept() {
            LeaseKeeper keeper = keeper(Duration.ofSeconds(90), k -> Mono.just("renewed"));
            sleep(HOUR);
            assertThat(beats).hasSize(1);
            pass(Duration.ofSeconds(88));
            assertThat(keeper.isKept()).isTrue();
            sleep(HOUR);
            assertThat(beats).as("and again").hasSize(2);
            pass(Duration.ofSeconds(88));
            assertThat(keeper.isKept()).isTrue();
            pass(Duration.ofSeconds(3));
            isLostBy(Reason.EXPIRED);
        }

        @Test
        void aSleepCountsAgainstTheDeadline() {
            LeaseKeeper keeper = keeper(Duration.ofSeconds(90), k -> down());
            sleep(Duration.ofSeconds(60));
            assertThat(beats).hasSize(1);
            pass(Duration.ofSeconds(27));
            assertThat(keeper.isKept()).isTrue();
            pass(Duration.ofSeconds(3));
            isLostBy(Reason.EXPIRED);
        }

        @Test
        void whatFailsBehindAShortSleepIsTriedAgainInTime() {
            for (@Nullable Duration interval : new Duration[] {null, Duration.ofSeconds(30)}) {
                for (int round = 0; round < 20; round++) {
                    beats.clear();
                    LeaseKeeper keeper = keeper(Duration.ofSeconds(90), k -> k == 1 ? down() : Mono.just("renewed"));
                    keeper.renewInBackground(interval);
                    sleep(Duration.ofSeconds(75));
                    pass(Duration.ofSeconds(30));
                    assertThat(losses).isEmpty();
                    keeper.close();
                }
            }
        }

        @Test
        void aRenewalThatTheSleepInterruptedBeginsAnew() {
            LeaseKeeper keeper = keeper(Duration.ofSeconds(90), k -> k == 1 ? Mono.never() : Mono.just("renewed"));
            keeper.renewInBackground(Duration.ofSeconds(10));
            while (beats.isEmpty()) {
                pass(Duration.ofMillis(250));
            }
            sleep(HOUR);
            // The interval begins anew too, so its first tick may follow within the second.
            assertThat(cancelled).singleElement().isEqualTo(beats.get(1));
            assertThat(keeper.isKept()).isTrue();
        }

        @Test
        void aWallClockThatIsCorrectedOrSetBackChangesNothing() {
            LeaseKeeper keeper = keeper(Duration.ofSeconds(90), k -> down());
            for (int seconds : new int[] {4, -4, 4, 4, 4, -3_600}) {
                sleep(Duration.ofSeconds(seconds));
            }
            assertThat(beats).isEmpty();
            assertThat(keeper.isKept()).isTrue();
            sleep(HOUR);
            assertThat(beats).as("no matter where it was before").hasSize(1);
        }

        @Test
        void aSleepDuringTheRenewalsBehindASleepIsNoticed() {
            LeaseKeeper keeper = keeper(Duration.ofDays(1), k -> k == 1 ? Mono.never() : Mono.just("renewed"));
            sleep(HOUR);
            assertThat(inFlight).hasValue(1);
            sleep(HOUR);
            assertThat(beats).hasSize(2);
            assertThat(mostInFlight).hasValue(1);
            assertThat(keeper.isKept()).isTrue();
        }

        @Test
        void aLeaseWithoutADeadlineIsRenewedToo() {
            LeaseKeeper keeper = keeper(null, k -> down());
            sleep(HOUR);
            assertThat(beats).hasSize(1);
            assertThat(keeper.isKept()).isTrue();
        }
    }
}
