package run.caracal.examples.faults;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.Map;
import java.util.Queue;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import reactor.core.Disposable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.test.StepVerifier;
import run.caracal.Caracal;
import run.caracal.error.CaracalException;
import run.caracal.event.CaracalEvent.TerminationPending;
import run.caracal.event.CaracalEvent.TerminationSettled;
import run.caracal.event.Completion.Outcome;
import run.caracal.platform.LocalPlatform;
import run.caracal.platform.PlatformLimits;
import run.caracal.platform.Service;

/**
 * Sessions are opened, cancelled at random and closed while the Coordinator restarts repeatedly. {@code
 * -Dcaracal.restarts.spawns=2500} is the size of the soak.
 */
class RestartsTest {
    private static final int SPAWNS = Integer.getInteger("caracal.restarts.spawns", 250);
    private static final int RESTARTS = 15;
    private static final int AT_ONCE = 16;
    private static final Duration FROM_THE_LAST_START = Duration.ofMinutes(1);
    private static final Duration LIMIT = Duration.ofMinutes(10);

    private final Random random = new Random(20_260_101);
    private final Map<String, AtomicInteger> outcomes = new ConcurrentHashMap<>();
    private final AtomicInteger takenOver = new AtomicInteger();
    private final Queue<TerminationSettled> settled = new ConcurrentLinkedQueue<>();

    @Test
    void nothingStaysOpenOnceTheCoordinatorIsBackForGood() {
        LocalPlatform platform = LocalPlatform.builder()
                .limits(PlatformLimits.builder()
                        .sessionsPerZone(100_000)
                        .coordinatorRequestsPerMinute(Integer.MAX_VALUE)
                        .idempotencyReceipts(1_000_000)
                        .recordedRequests(10)
                        .build())
                .start();
        Caracal caracal = Caracal.create(platform.config());
        Disposable unused = caracal.onOperation((event, context) -> {
            if (event instanceof TerminationPending) {
                takenOver.incrementAndGet();
            } else if (event instanceof TerminationSettled end) {
                settled.add(end);
            }
        });
        Mono<Void> all = Flux.range(0, RESTARTS)
                .concatMap(restart -> Mono.when(spawns(caracal, restart), restart(platform)))
                .then(Bench.until(() -> platform.openSessionCount() == 0 && caracal.pendingTerminations() == 0)
                        .timeout(FROM_THE_LAST_START));
        StepVerifier.create(all).expectComplete().verify(LIMIT);

        assertThat(platform.openSessionCount()).as("open, %s", outcomes).isZero();
        assertThat(caracal.pendingTerminations()).isZero();
        assertThat(outcomes.values().stream().mapToInt(AtomicInteger::get).sum())
                .isEqualTo(SPAWNS);
        assertThat(outcomes).containsKeys("done", "cancelled");
        assertThat(takenOver).as("the outages were felt").hasPositiveValue();
        assertThat(settled)
                .hasSize(takenOver.get())
                .allSatisfy(end -> assertThat(end.completion().outcome()).isEqualTo(Outcome.SUCCESS));
        StepVerifier.create(caracal.disposeLater().then(platform.disposeLater()))
                .expectComplete()
                .verify(LIMIT);
    }

    /** The spawns per remaining restart. */
    private Flux<Void> spawns(Caracal caracal, int restart) {
        int first = SPAWNS * restart / RESTARTS;
        int end = SPAWNS * (restart + 1) / RESTARTS;
        return Flux.range(first, end - first).flatMap(i -> spawn(caracal), AT_ONCE);
    }

    private Mono<Void> spawn(Caracal caracal) {
        Duration work = millis(100);
        Mono<String> spawn = caracal.spawn(session -> Mono.delay(work).thenReturn("done"));
        Mono<String> ended = random.nextBoolean() ? spawn : spawn.takeUntilOther(Mono.delay(millis(120)));
        return ended.onErrorResume(CaracalException.class, e -> Mono.just(e.code()))
                .defaultIfEmpty("cancelled")
                .doOnNext(outcome -> outcomes.computeIfAbsent(outcome, o -> new AtomicInteger())
                        .incrementAndGet())
                .then();
    }

    /** During the spawns; some outages outlast the attempts of a call. */
    private Mono<Void> restart(LocalPlatform platform) {
        return Mono.delay(millis(100))
                .then(platform.stop(Service.COORDINATOR))
                .then(Mono.delay(millis(1_200)))
                .then(platform.start(Service.COORDINATOR));
    }

    private Duration millis(int bound) {
        synchronized (random) {
            return Duration.ofMillis(random.nextInt(bound));
        }
    }
}
