package run.caracal.netty;

import java.time.Duration;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.reactivestreams.Publisher;
import reactor.core.publisher.Flux;
import reactor.test.StepVerifier;

/** Waits, within a bound. */
public final class Await {
    public static final Duration BOUND = Duration.ofSeconds(20);

    private Await() {}

    /** Until the publisher completes. */
    public static void done(Publisher<?> publisher) {
        StepVerifier.create(Flux.from(publisher).then()).expectComplete().verify(BOUND);
    }

    /** Until the condition holds. */
    public static void until(String what, BooleanSupplier condition) {
        long end = System.nanoTime() + BOUND.toNanos();
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() > end) {
                throw new AssertionError("not within " + BOUND + ": " + what);
            }
            LockSupport.parkNanos(1_000_000);
        }
    }
}
