package run.caracal.verify;

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import reactor.core.Disposable;
import reactor.core.scheduler.Scheduler;
import reactor.core.scheduler.Schedulers;

/** Lets the tests of other packages set the clock of a verifier. */
public final class VerifierClock {
    private VerifierClock() {}

    /**
     * Gives a verifier a clock of its own.
     *
     * @param builder the verifier's
     * @param slow by how much the clock is slow, asked each time it is read
     * @return the builder
     */
    public static JwksMandateVerifier.Builder set(JwksMandateVerifier.Builder builder, Supplier<Duration> slow) {
        Scheduler real = Schedulers.parallel();
        return builder.timer(new Scheduler() {
            @Override
            public long now(TimeUnit unit) {
                return real.now(unit) - unit.convert(slow.get());
            }

            @Override
            public Disposable schedule(Runnable task) {
                return real.schedule(task);
            }

            @Override
            public Disposable schedule(Runnable task, long delay, TimeUnit unit) {
                return real.schedule(task, delay, unit);
            }

            @Override
            public Worker createWorker() {
                return real.createWorker();
            }
        });
    }
}
