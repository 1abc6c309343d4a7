package run.caracal.examples.soak;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import run.caracal.Caracal;
import run.caracal.FetchRequest;
import run.caracal.platform.LocalPlatform;
import run.caracal.test.Progress;

/**
 * A thousand sessions with a scoped call each, on sockets and by the wall clock, against the platform's own limits: about six
 * minutes each. Run with the soak, or alone: {@code mvn -q process-test-classes -Dsoak -Dtest=CapacitySoak}.
 */
class CapacitySoak {
    private static final int ITEMS = Integer.getInteger("soak.capacity.items", 1000);

    /** Four Coordinator calls each, at nine tenths of the limit of 600 a minute. */
    private static final Duration LONGEST = Duration.ofSeconds((long) (ITEMS * 4 / 600.0 * 60 / 0.9));

    /** The first and the last minute are used in part only. */
    private static final Duration MINUTE = Duration.ofMinutes(1);

    @ParameterizedTest
    @ValueSource(ints = {0, 30})
    void aThousandSessionsWithAScopedCallEachRunAsFastAsTheLimitsAllow(int percentCancelled) {
        LocalPlatform platform = LocalPlatform.builder().start();
        Caracal caracal = Caracal.create(platform.config()
                .mutate()
                .maxOpenSessions(50)
                .maxMintsPerMinute(980)
                .build());
        Random random = new Random(7);
        AtomicInteger done = new AtomicInteger();
        AtomicInteger cancelled = new AtomicInteger();
        Progress progress = new Progress("items", ITEMS);
        long start = System.nanoTime();
        Flux.range(0, ITEMS)
                .flatMap(
                        i -> {
                            Mono<Integer> item = caracal.spawn(
                                    session -> caracal.fetch(FetchRequest.builder(platform.resourceId(), "/charge")
                                                    .json("{\"amount\": 1}")
                                                    .build())
                                            .map(answer -> done.incrementAndGet()));
                            Mono<Integer> ended = random.nextInt(100) >= percentCancelled
                                    ? item
                                    : item.doOnCancel(cancelled::incrementAndGet)
                                            .takeUntilOther(Mono.delay(Duration.ofMillis(random.nextInt(30_000))));
                            return ended.thenReturn(i);
                        },
                        64)
                .doOnNext(i -> progress.step())
                .then()
                .block(LONGEST.plus(MINUTE));
        Duration took = Duration.ofNanos(System.nanoTime() - start);
        caracal.disposeLater().block(MINUTE);
        int open = platform.openSessionCount();
        platform.disposeLater().block(MINUTE);

        System.out.printf("%d done, %d cancelled, %s%n", done.get(), cancelled.get(), took);
        assertThat(open).isZero();
        assertThat(cancelled.get()).isBetween(ITEMS * percentCancelled / 200, ITEMS * percentCancelled / 90);
    }
}
