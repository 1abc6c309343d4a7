package run.caracal.internal.session;

import java.time.Duration;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.function.BiConsumer;
import java.util.function.Predicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;
import reactor.util.retry.Retry;
import run.caracal.error.CaracalException;
import run.caracal.error.LeaseLostException;
import run.caracal.internal.LogNames;

/**
 * The errors that a daemon survives, and its backoff: doubling, with a quarter of jitter, and reset after a run that
 * was longer than the maximum.
 */
final class Restarts {
    /** The maximum backoff, unless the first is longer. */
    static final Duration LONGEST = Duration.ofMinutes(1);

    private static final Logger log = LoggerFactory.getLogger(LogNames.SERVICE_AGENT);
    private static final int MAX_DOUBLINGS = 16;

    private final Duration first;
    private final long longest;
    private int inARow;
    private long resumed = now();

    private Restarts(Duration first) {
        this.first = first;
        this.longest = Math.max(first.toNanos(), LONGEST.toNanos());
    }

    /**
     * Reopens a service whose lease has expired or whose session is gone, and after transient errors of the opening.
     */
    static Retry ofServices(Duration first) {
        return retry(
                first,
                Restarts::opensAgain,
                (failure, pause) -> log.warn(
                        "A new service is opened in {} ms, because of: {}", pause.toMillis(), failure.getMessage()));
    }

    /** Restarts the work after any error, because the lease is still held. */
    static Retry ofWork(Duration first, String agentSessionId) {
        return retry(
                first,
                failure -> failure instanceof Exception,
                (failure, pause) -> log.warn(
                        "The work of the service {} failed; restarting it in {} ms",
                        agentSessionId,
                        pause.toMillis(),
                        failure));
    }

    private static Retry retry(Duration first, Predicate<Throwable> outlived, BiConsumer<Throwable, Duration> report) {
        return Retry.from(signals -> {
            Restarts restarts = new Restarts(first);
            return signals.map(Retry.RetrySignal::failure).concatMap(failure -> {
                if (!outlived.test(failure)) {
                    return Mono.error(failure);
                }
                Duration pause = restarts.next();
                report.accept(failure, pause);
                return Mono.delay(pause);
            });
        });
    }

    private static boolean opensAgain(Throwable failure) {
        if (!(failure instanceof LeaseLostException lost)) {
            return failure instanceof CaracalException typed && typed.isRetryable();
        }
        return switch (lost.reason()) {
            case EXPIRED, GONE, SUBJECT_INACTIVE -> true;
            // The loss of the service that holds the authority for this one.
            case UNAUTHORIZED -> lost.getCause() instanceof LeaseLostException ofHolder && opensAgain(ofHolder);
            // Another holder works in its place, or an operator has to resume it.
            case FENCED, SUSPENDED -> false;
        };
    }

    private Duration next() {
        long now = now();
        if (now - resumed > longest) {
            inARow = 0;
        }
        long pause = Math.min(longest, first.toNanos() << Math.min(inARow++, MAX_DOUBLINGS));
        long jittered =
                (long) (pause * (0.75 + 0.5 * ThreadLocalRandom.current().nextDouble()));
        resumed = now + jittered;
        return Duration.ofNanos(jittered);
    }

    private static long now() {
        return Schedulers.parallel().now(TimeUnit.NANOSECONDS);
    }
}
