package run.caracal.internal;

import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;

/**
 * Lets a warning through once in a while: what may repeat with every operation while a service is away must not fill a
 * disk. The others belong to the level DEBUG.
 */
public final class LogGate {
    /** For how long one warning stands for those that follow it. */
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

    /** Whether the next warning may pass; it closes the gate behind it. */
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
