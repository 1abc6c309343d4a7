package run.caracal.internal;

import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;

/**
 * Limits the rate of a warning that may repeat with every operation during an outage; the others are logged at DEBUG.
 */
public final class LogGate {
    /** The minimum time between warnings. */
    static final Duration PAUSE = Duration.ofSeconds(10);

    private final LongSupplier nanos;
    private final AtomicLong closedUntil;

    public LogGate() {
        this(System::nanoTime);
    }

    LogGate(LongSupplier nanos) {
        this.nanos = nanos;
        this.closedUntil = new AtomicLong(nanos.getAsLong());
    }

    /** Whether a warning may pass; if so, closes the gate. */
    public boolean passes() {
        long now = nanos.getAsLong();
        long until = closedUntil.get();
        return now - until >= 0 && closedUntil.compareAndSet(until, now + PAUSE.toNanos());
    }

    /**
     * Logs a warning when it may pass, else the same at the level DEBUG.
     *
     * @param arguments what stands in their place; a throwable at the end is logged with its stack
     */
    public void warn(Logger log, String message, @Nullable Object... arguments) {
        if (passes()) {
            log.warn(message, arguments);
        } else {
            log.debug(message, arguments);
        }
    }
}
