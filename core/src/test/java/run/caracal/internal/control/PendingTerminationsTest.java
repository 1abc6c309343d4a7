package run.caracal.internal.control;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import reactor.core.Disposable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;
import reactor.test.StepVerifier;
import reactor.test.scheduler.VirtualTimeScheduler;
import run.caracal.error.TransportException;
import run.caracal.event.CaracalEvent.TerminationSettled;
import run.caracal.event.OperationListener;
import run.caracal.internal.capacity.Place;
import run.caracal.internal.event.EventBus;

/** The bounds of background terminations. */
class PendingTerminationsTest {
    private static final Duration LIMIT = Duration.ofSeconds(30);

    private static TransportException refused() {
        return new TransportException(TransportException.Kind.CONNECT, "refused", null);
    }

    private final EventBus events = new EventBus();
    private final List<TerminationSettled> settled = Collections.synchronizedList(new ArrayList<>());
    private VirtualTimeScheduler time;
    private PendingTerminations pending;

    @BeforeEach
    void start() {
        time = VirtualTimeScheduler.create();
        pending = new PendingTerminations(events, time);
        Disposable unused = events.listen((OperationListener) (event, context) -> {
            if (event instanceof TerminationSettled end) {
                settled.add(end);
            }
        });
    }

    @AfterEach
    void stop() {
        time.dispose();
        StepVerifier.create(events.close()).expectComplete().verify(LIMIT);
    }

    private void takeOver(int n, Mono<Void> attempt) {
        for (int i = 0; i < n; i++) {
            pending.takeOver("session-" + i, null, refused(), Place.UNCOUNTED, entry -> attempt);
        }
    }

    @Test
    void theOldestBeyondTheCapacityAreGivenUpWithTheirIds() {
        takeOver(PendingTerminations.CAPACITY + 2, Mono.error(refused()));
        assertThat(pending.count()).isEqualTo(PendingTerminations.CAPACITY);
        assertThat(settled).extracting(TerminationSettled::agentSessionId).containsExactly("session-0", "session-1");
    }

    @Test
    void allAreEndedOnceTheCoordinatorIsBack() {
        AtomicInteger ended = new AtomicInteger();
        takeOver(PendingTerminations.CAPACITY, Mono.fromRunnable(ended::incrementAndGet));
        time.advanceTimeBy(Duration.ofSeconds(2));
        assertThat(ended).hasValue(PendingTerminations.CAPACITY);
        assertThat(pending.count()).isZero();
        takeOver(1, Mono.fromRunnable(ended::incrementAndGet));
        time.advanceTimeBy(Duration.ofSeconds(2));
        assertThat(pending.count()).isZero();
    }

    @Test
    void anAbsentCoordinatorIsAskedWithFewRequests() {
        AtomicInteger asked = new AtomicInteger();
        takeOver(1_000, Mono.<Void>error(refused()).doOnSubscribe(s -> asked.incrementAndGet()));
        time.advanceTimeBy(Duration.ofMinutes(10));
        // About fifteen sweeps, each of which stops at its first failure.
        assertThat(asked.get()).isLessThan(15 * 5);
        assertThat(pending.count()).isEqualTo(1_000);
    }

    @Test
    void nothingIsLostOrEndedTwiceWhileManyThreadsTakeOverAndItCloses() {
        for (int round = 0; round < 100; round++) {
            PendingTerminations racing = new PendingTerminations(events, Schedulers.parallel());
            settled.clear();
            AtomicInteger ended = new AtomicInteger();
            Mono<Void> storm = Flux.range(0, 8)
                    .flatMap(thread -> Mono.fromRunnable(() -> {
                                for (int i = 0; i < 50; i++) {
                                    racing.takeOver(
                                            thread + "-" + i,
                                            null,
                                            refused(),
                                            Place.UNCOUNTED,
                                            entry -> Mono.fromRunnable(ended::incrementAndGet));
                                }
                            })
                            .subscribeOn(Schedulers.boundedElastic()))
                    .then();
            StepVerifier.create(Mono.when(storm, racing.close(Duration.ofSeconds(5))))
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(racing.count()).isZero();
            assertThat(settled).hasSize(400);
            assertThat(ended).hasValueLessThanOrEqualTo(400);
        }
    }
}
