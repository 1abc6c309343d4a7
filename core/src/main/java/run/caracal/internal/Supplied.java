package run.caracal.internal;

import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Scheduler;
import run.caracal.error.CallbackException;

/**
 * Asks functions of the application, which may throw, return {@code null}, never end, or end when nobody waits any more. What
 * they throw or signal within their time is theirs, and is passed on.
 */
public final class Supplied {
    /** How long a function may take that has no limit of its own. */
    public static final Duration LIMIT = Duration.ofSeconds(30);

    private Supplied() {}

    /**
     * Checks what a function returned.
     *
     * @param function what it is called in messages, at their beginning
     */
    public static <T> T given(@Nullable T given, String function) {
        if (given == null) {
            throw CallbackException.withoutResult(
                    function + " returned null; it has to return a publisher, an empty one for nothing");
        }
        return given;
    }

    /**
     * Asks a function that a caller waits for with a limit of its own.
     *
     * @return its answer; {@link CallbackException} when it returns {@code null}
     */
    public static <T> Mono<T> ask(String function, Supplier<? extends Mono<T>> asked) {
        return Mono.defer(() -> given(asked.get(), function));
    }

    /**
     * Asks a function within a limit.
     *
     * @return its answer; {@link CallbackException} when it returns {@code null} or takes longer, after which it is cancelled
     */
    public static <T> Mono<T> ask(String function, Supplier<? extends Mono<T>> asked, Duration limit, Scheduler timer) {
        return ask(
                function,
                asked,
                limit,
                Mono.error(() -> CallbackException.late(function + " did not end within " + limit.toMillis()
                        + " ms and was cancelled; check it, and what it calls")),
                timer);
    }

    /**
     * As the one above, with something else than its error.
     *
     * @param instead what comes instead of an answer that comes too late
     */
    public static <T> Mono<T> ask(
            String function, Supplier<? extends Mono<T>> asked, Duration limit, Mono<T> instead, Scheduler timer) {
        return Mono.defer(() -> {
            Mono<T> answer = given(asked.get(), function);
            // A value that is known or computed by the subscription itself: a timer would only cost.
            return answer instanceof Callable ? answer : within(answer, limit, instead, timer);
        });
    }

    /**
     * A timeout behind which no error is dropped: operators drop, and log, what nobody waits for any more, if it is an error.
     */
    public static <T> Mono<T> within(Mono<T> source, Duration limit, Mono<T> instead, Scheduler timer) {
        return source.materialize().timeout(limit, instead.materialize(), timer).dematerialize();
    }
}
