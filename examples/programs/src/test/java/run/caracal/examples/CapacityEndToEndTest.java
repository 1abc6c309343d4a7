package run.caracal.examples;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.Queue;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import reactor.core.Disposable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Scheduler;
import reactor.core.scheduler.Schedulers;
import reactor.test.StepVerifier;
import run.caracal.Caracal;
import run.caracal.FetchRequest;
import run.caracal.event.CaracalEvent;
import run.caracal.event.CaracalEvent.CapacityWaited.Capacity;
import run.caracal.event.Completion.Outcome;
import run.caracal.platform.LocalPlatform;
import run.caracal.test.Effort;

/**
 * More work than the platform's limits admit at once completes without errors, as fast as they allow. Time runs faster than the
 * wall clock on both sides, to shorten the minutes.
 */
@Tag("soak")
class CapacityEndToEndTest {
    /** The Coordinator calls of nearly a minute, or of two and a half. */
    private static final int ITEMS = Effort.of(110, 300);

    /** The mandates of half a minute, or of two. */
    private static final int CALLS = Effort.of(250, 1_000);

    /** The tolerance over the time that the limits allow, because the processor of a build may be busy. */
    private static final double SLOWEST = Effort.of(3, 1) / 0.9;

    private static final int CONCURRENCY = 64;

    /** The limits of the platform: sessions of a zone, calls to the Coordinator and units of mandates in a minute. */
    private static final int SESSIONS = 50;

    private static final int COORDINATOR_CALLS = 600;
    private static final int UNITS = 1000;

    /** The application's own tokens are counted too. */
    private static final int OWN_UNITS = UNITS - 20;

    /** Open a session and its helper, delegate, and end the session with its helper. */
    private static final int CALLS_OF_AN_ITEM = 4;

    /** By the wall clock. */
    private static final Duration LIMIT = Duration.ofMinutes(2);

    private final FastTime time = new FastTime();
    private final Queue<CaracalEvent> failures = new ConcurrentLinkedQueue<>();
    private final AtomicInteger sessionsThatWaited = new AtomicInteger();
    private final AtomicInteger mintsThatWaited = new AtomicInteger();
    private final AtomicInteger openAtMost = new AtomicInteger();
    private LocalPlatform platform;
    private Caracal caracal;

    @BeforeEach
    void fastTime() {
        Schedulers.setFactory(time);
        platform = LocalPlatform.builder().clock(time.clock()).inProcess().start();
        caracal = Caracal.create(platform.config()
                .mutate()
                .maxOpenSessions(SESSIONS)
                .maxMintsPerMinute(OWN_UNITS)
                // The usual timeout by the wall clock.
                .closeTimeout(Duration.ofMinutes(10))
                .disposeTimeout(Duration.ofMinutes(20))
                .build());
        var unused = caracal.onOperation((event, context) -> hear(event));
    }

    @AfterEach
    void realTime() {
        platform.disposeLater().block(Duration.ofSeconds(30));
        Schedulers.resetFactory();
    }

    private void hear(CaracalEvent event) {
        if (event instanceof CaracalEvent.CapacityWaited waited) {
            (waited.capacity() == Capacity.SESSION ? sessionsThatWaited : mintsThatWaited).incrementAndGet();
        } else if (event instanceof CaracalEvent.SessionOpened) {
            openAtMost.accumulateAndGet(platform.openSessionCount(), Math::max);
        }
        // An opening that is cancelled while it waits for the Coordinator ends as closed, and a session may end before
        // its own DELETE.
        if (event.completion().outcome() == Outcome.FAILURE
                && !Set.of("closed", "session_not_found")
                        .contains(String.valueOf(event.completion().code()))) {
            failures.add(event);
        }
    }

    private Mono<Integer> call(int i) {
        return caracal.fetch(FetchRequest.builder(platform.resourceId(), "/charge")
                        .json("{\"amount\": 1}")
                        .build())
                .thenReturn(i);
    }

    /** Measures a pipeline. */
    private Duration run(Mono<?> work) {
        Instant start = time.clock().instant();
        StepVerifier.create(work.then()).expectComplete().verify(LIMIT);
        return Duration.between(start, time.clock().instant());
    }

    private void nothingIsLeft() {
        StepVerifier.create(caracal.disposeLater()).expectComplete().verify(LIMIT);
        assertThat(platform.openSessionCount()).isZero();
        assertThat(caracal.pendingTerminations()).isZero();
    }

    /** A session for each item. */
    @ParameterizedTest
    @ValueSource(ints = {0, 30})
    void sessionsWithAScopedCallEachRunAsFastAsTheLimitsAllow(int percentCancelled) {
        Random random = new Random(7);
        AtomicInteger done = new AtomicInteger();
        AtomicInteger cancelled = new AtomicInteger();

        Duration took = run(Flux.range(0, ITEMS)
                .flatMap(
                        i -> {
                            Mono<Integer> item =
                                    caracal.spawn(session -> call(i)).doOnNext(n -> done.incrementAndGet());
                            if (random.nextInt(100) >= percentCancelled) {
                                return item;
                            }
                            return item.doOnCancel(cancelled::incrementAndGet)
                                    .takeUntilOther(
                                            Mono.delay(Duration.ofMillis(random.nextInt(Effort.of(5_000, 30_000)))));
                        },
                        CONCURRENCY)
                .then());

        assertThat(failures).isEmpty();
        assertThat(done.get() + cancelled.get()).isGreaterThanOrEqualTo(ITEMS);
        // An item that does not wait may be done before its time.
        assertThat(cancelled.get())
                .isBetween(
                        Math.min(percentCancelled, Effort.of(1, ITEMS * percentCancelled / 200)),
                        ITEMS * percentCancelled / 80);
        assertThat(sessionsThatWaited).hasPositiveValue();
        assertThat(openAtMost.get()).isBetween(SESSIONS / 4, SESSIONS);
        double minutesAllowed = (double) ITEMS * CALLS_OF_AN_ITEM / COORDINATOR_CALLS;
        assertThat(took).isLessThan(Duration.ofSeconds((long) (60 * minutesAllowed * SLOWEST)));
        nothingIsLeft();
    }

    /** All items in one session, limited by the mints of a minute. */
    @Test
    void aThousandScopedCallsInOneSessionRunAsFastAsTheLimitsAllow() {
        Duration took = run(caracal.spawn(
                session -> Flux.range(0, CALLS).flatMap(this::call, 32).then()));

        assertThat(failures).isEmpty();
        assertThat(mintsThatWaited).hasPositiveValue();
        assertThat(took).isLessThan(Duration.ofSeconds((long) (60 * CALLS * 2.0 / UNITS * SLOWEST)));
        nothingIsLeft();
    }

    /** Clock and timers that run faster than the wall clock, for the SDK and the platform. */
    private static final class FastTime implements Schedulers.Factory {
        private static final int SPEED = 6;
        private static final Instant START = Instant.parse("2026-08-01T10:00:00Z");

        private final long begun = System.nanoTime();

        private long nanos() {
            return (System.nanoTime() - begun) * SPEED;
        }

        Clock clock() {
            return new Clock() {
                @Override
                public ZoneId getZone() {
                    return ZoneOffset.UTC;
                }

                @Override
                public Clock withZone(ZoneId zone) {
                    return this;
                }

                @Override
                public Instant instant() {
                    return START.plusNanos(nanos());
                }
            };
        }

        @Override
        public Scheduler newParallel(int parallelism, ThreadFactory threads) {
            Scheduler real = Schedulers.Factory.super.newParallel(parallelism, threads);
            return new Scheduler() {
                @Override
                public Disposable schedule(Runnable task) {
                    return real.schedule(task);
                }

                @Override
                public Disposable schedule(Runnable task, long delay, TimeUnit unit) {
                    return real.schedule(task, unit.toNanos(delay) / SPEED, TimeUnit.NANOSECONDS);
                }

                @Override
                public Disposable schedulePeriodically(Runnable task, long initial, long period, TimeUnit unit) {
                    return real.schedulePeriodically(
                            task, unit.toNanos(initial) / SPEED, unit.toNanos(period) / SPEED, TimeUnit.NANOSECONDS);
                }

                @Override
                public Worker createWorker() {
                    Worker worker = real.createWorker();
                    return new Worker() {
                        @Override
                        public Disposable schedule(Runnable task) {
                            return worker.schedule(task);
                        }

                        @Override
                        public Disposable schedule(Runnable task, long delay, TimeUnit unit) {
                            return worker.schedule(task, unit.toNanos(delay) / SPEED, TimeUnit.NANOSECONDS);
                        }

                        @Override
                        public void dispose() {
                            worker.dispose();
                        }

                        @Override
                        public boolean isDisposed() {
                            return worker.isDisposed();
                        }
                    };
                }

                @Override
                public long now(TimeUnit unit) {
                    return unit == TimeUnit.NANOSECONDS
                            ? nanos()
                            : unit.convert(START.toEpochMilli() + nanos() / 1_000_000, TimeUnit.MILLISECONDS);
                }

                @Override
                public void init() {
                    real.init();
                }

                @Override
                public void dispose() {
                    real.dispose();
                }

                @Override
                public boolean isDisposed() {
                    return real.isDisposed();
                }
            };
        }
    }
}
