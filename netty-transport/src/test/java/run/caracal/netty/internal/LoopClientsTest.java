package run.caracal.netty.internal;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import run.caracal.netty.internal.LoopClients.Pace;

/** When loops have connections of their own. */
class LoopClientsTest {

    private static boolean send(Pace pace, int requests, long nanos) {
        boolean busy = false;
        for (int i = 0; i < requests; i++) {
            busy = pace.isBusy(nanos);
        }
        return busy;
    }

    @ParameterizedTest
    @ValueSource(longs = {0, -5_000_000_000L, Long.MAX_VALUE - 5_000_000_000L})
    void enoughRequestsOfOnePeriodLastForThatAndTheNext(long start) {
        Pace pace = new Pace(start);
        assertThat(send(pace, Pace.ENOUGH - 1, start)).isFalse();
        assertThat(pace.isBusy(start + Pace.PERIOD - 1)).isTrue();
        assertThat(pace.isBusy(start + Pace.PERIOD)).isTrue();
        assertThat(pace.isBusy(start + 2 * Pace.PERIOD - 1)).isTrue();
        assertThat(pace.isBusy(start + 2 * Pace.PERIOD)).isFalse();
    }

    @Test
    void aPauseEndsThem() {
        Pace pace = new Pace(0);
        assertThat(send(pace, Pace.ENOUGH, 1)).isTrue();
        assertThat(pace.isBusy(2 * Pace.PERIOD)).isFalse();
        assertThat(send(pace, Pace.ENOUGH - 1, 2 * Pace.PERIOD)).isTrue();
    }

    @Test
    void fewForALongTimeAreNotEnough() {
        Pace pace = new Pace(0);
        for (int period = 0; period < 100; period++) {
            assertThat(send(pace, Pace.ENOUGH - 1, period * Pace.PERIOD)).isFalse();
        }
    }
}
