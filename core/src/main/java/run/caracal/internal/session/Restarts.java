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
 * What a daemon outlives, and how long it pauses: the first time as asked, then doubling, each with a quarter of jitter. What
 * went well for longer than the longest pause begins with the first one again.
 */
final class Restarts {
    /** The longest pause, unless the first one is longer. */
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

    /** Opens a service again when its lease ran out or its session is gone, and when the opening met what passes. */
    static Retry ofServices(Duration first) {
        return retry(
                first,
                Restarts::opensAgain,
                (failure, pause) -> log.warn(
                        "A new service is opened in {} ms, because of: {}", pause.toMillis(), failure.getMessage()));
    }

    /** Begins the work again, whatever it met: the lease stands, and whoever runs the daemon reads the log. */
    static Retry ofWork(Duration first, String agentSessionId) {
        return retry(
                first,
                failure -> failure instanceof Exception,
                (failure, pause) -> log.warn(
                        "The work of the service {} failed, and begins again in {} ms",
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
            // That of the service which held the authority for this one.
            case UNAUTHORIZED -> lost.getCause() instanceof LeaseLostException ofHolder && opensAgain(ofHolder);
            // Another holder works in its place, or somebody has to resume it.
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
