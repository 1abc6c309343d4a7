package run.caracal.internal;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

/** One warning stands for all of a pause; a later outage is logged again. */
class LogGateTest {
    @Test
    void oneWarningPassesInEachPause() {
        AtomicLong clock = new AtomicLong(Long.MAX_VALUE - 5); // the clock may wrap
        LogGate gate = new LogGate(clock::get);
        assertThat(gate.passes()).isTrue();
        assertThat(gate.passes()).isFalse();
        clock.addAndGet(LogGate.PAUSE.toNanos() - 1);
        assertThat(gate.passes()).isFalse();
        clock.addAndGet(1);
        assertThat(gate.passes()).isTrue();
        assertThat(gate.passes()).isFalse();
    }
}
