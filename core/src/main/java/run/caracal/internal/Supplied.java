package run.caracal.internal;

import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Scheduler;
import run.caracal.error.CallbackException;

/**
 * Calls functions of the application, which may throw, return {@code null}, never complete, or signal after a
 * cancellation. Their own errors are passed on.
 */
public final class Supplied {
    /** The default timeout of a function. */
    public static final Duration LIMIT = Duration.ofSeconds(30);

    private Supplied() {}

    /**
     * Checks what a function returned.
     *
     * @param function its name in messages
     */
    public static <T> T given(@Nullable T given, String function) {
        if (given == null) {
            throw CallbackException.withoutResult(
                    function + " returned null; it has to return a publisher, an empty one for nothing");
        }
        return given;
    }

    /**
     * Calls a function without a timeout, because the caller has one.
     *
     * @return its result; {@link CallbackException} if it returns {@code null}
     */
    public static <T> Mono<T> ask(String function, Supplier<? extends Mono<T>> asked) {
        return Mono.defer(() -> given(asked.get(), function));
    }

    /**
     * Calls a function with a timeout.
     *
     * @return its result; {@link CallbackException} if it returns {@code null}, or times out and is cancelled
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
     * Calls a function with a timeout and a fallback.
     *
     * @param instead the fallback on timeout
     */
    public static <T> Mono<T> ask(
            String function, Supplier<? extends Mono<T>> asked, Duration limit, Mono<T> instead, Scheduler timer) {
        return Mono.defer(() -> {
            Mono<T> answer = given(asked.get(), function);
            // A timer is not worth its cost for a value that is available on subscription.
            return answer instanceof Callable ? answer : within(answer, limit, instead, timer);
        });
    }

    /** A timeout after which a late error is discarded, instead of being dropped and logged. */
    public static <T> Mono<T> within(Mono<T> source, Duration limit, Mono<T> instead, Scheduler timer) {
        return source.materialize().timeout(limit, instead.materialize(), timer).dematerialize();
    }
}
