package run.caracal.internal.capacity;

import static org.assertj.core.api.Assertions.assertThat;
import static run.caracal.test.FakePlatform.LIMIT;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import reactor.core.Disposable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.test.StepVerifier;
import reactor.test.scheduler.VirtualTimeScheduler;
import run.caracal.error.CapacityException;
import run.caracal.error.ClosedException;
import run.caracal.error.Limit;
import run.caracal.internal.event.EventBus;
import run.caracal.test.FakePlatform;

class MintPaceTest {
    private static final Duration PATIENCE = Duration.ofMinutes(20);
    private static final long MINUTE = TimeUnit.MINUTES.toMillis(1);

    private final VirtualTimeScheduler time = VirtualTimeScheduler.create();
    private final List<Long> minted = new ArrayList<>();

    private MintPace pace(int units, Duration patience) {
        return new MintPace(
                new FakePlatform()
                        .config()
                        .maxMintsPerMinute(units)
                        .sessionAcquireTimeout(patience)
                        .build(),
                new EventBus(),
                time);
    }

    private Disposable mint(MintPace pace, String resource) {
        return pace.inTurn(resource, () -> Mono.fromRunnable(() -> minted.add(time.now(TimeUnit.MILLISECONDS))))
                .subscribe();
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 3, 10, 60, 119, 120, 121, 600, 1000, 10_000})
    void noMinuteSeesMoreCallsThanItMayAndHardlyFewer(int units) {
        MintPace pace = pace(units, PATIENCE);
        int calls = units / 2;
        for (int i = 0; i < 5 * calls; i++) {
            var unused = mint(pace, "resource://a");
        }
        time.advanceTimeBy(Duration.ofMinutes(5).minusMillis(1));
        for (int first = 0; first + calls < minted.size(); first++) {
            assertThat(minted.get(first + calls) - minted.get(first))
                    .as("the calls from %s to %s", first, first + calls)
                    .isGreaterThanOrEqualTo(MINUTE - 1);
        }
        assertThat(minted.size()).isBetween((int) (5 * calls * 0.95), 5 * calls);
    }

    @Test
    void itIsSpreadOverTheMinute() {
        MintPace pace = pace(1000, PATIENCE);
        for (int i = 0; i < 500; i++) {
            var unused = mint(pace, "resource://a");
        }
        time.advanceTimeBy(Duration.ofSeconds(1));
        assertThat(minted).hasSizeLessThanOrEqualTo(18);
        time.advanceTimeBy(Duration.ofSeconds(29));
        assertThat(minted).hasSizeBetween(240, 260);
    }

    @Test
    void resourcesArePacedEachForItself() {
        MintPace pace = pace(2, PATIENCE);
        for (String resource : List.of("resource://a", "resource://b", "resource://a")) {
            var unused = mint(pace, resource);
        }
        assertThat(minted).hasSize(2);
        time.advanceTimeBy(Duration.ofMinutes(1));
        assertThat(minted).hasSize(3);
    }

    /** Otherwise cancelled mints would reduce the rate. */
    @Test
    void cancelledOnesTakeNoTurn() {
        MintPace pace = pace(2, PATIENCE);
        var unusedFirst = mint(pace, "resource://a");
        Flux.range(0, 1_000).map(i -> mint(pace, "resource://a")).toStream().forEach(Disposable::dispose);
        var unusedLast = mint(pace, "resource://a");
        time.advanceTimeBy(Duration.ofMinutes(1));
        assertThat(minted).containsExactly(0L, MINUTE);
    }

    @Test
    void whoseTurnDoesNotComeIsToldWhichLimitItIs() {
        MintPace pace = pace(2, Duration.ofSeconds(30));
        var unusedFirst = mint(pace, "resource://a");
        StepVerifier.create(pace.inTurn("resource://a", Mono::empty))
                .then(() -> time.advanceTimeBy(Duration.ofSeconds(30)))
                .expectErrorSatisfies(e -> assertThat(e)
                        .isInstanceOfSatisfying(
                                CapacityException.class,
                                late -> assertThat(late.limit())
                                        .isEqualTo(new Limit(Limit.Kind.CLIENT_MINTS, 2, true, Duration.ofMinutes(1))))
                        .hasMessageContaining("1 calls"))
                .verify(LIMIT);
    }

    @Test
    void theClosedPaceRefusesWaitersAtOnceAndNewResources() {
        MintPace pace = pace(2, PATIENCE);
        var unusedFirst = mint(pace, "resource://a");
        StepVerifier.create(pace.inTurn("resource://a", Mono::empty))
                .then(pace::close)
                .expectError(ClosedException.class)
                .verify(LIMIT);
        StepVerifier.create(pace.inTurn("resource://b", Mono::empty))
                .expectError(ClosedException.class)
                .verify(LIMIT);
    }
}
