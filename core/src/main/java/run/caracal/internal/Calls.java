package run.caracal.internal;

import java.util.concurrent.atomic.AtomicBoolean;
import reactor.core.publisher.Mono;

/** Boundaries of the SDK's operators. */
public final class Calls {
    private Calls() {}

    /**
     * Isolates the errors of a call: a caller's {@code onErrorContinue} does not reach into the call, and no error
     * follows a cancellation, which an operator would drop and log.
     */
    public static <T> Mono<T> sealed(Mono<T> call) {
        return Mono.defer(() -> {
                    AtomicBoolean cancelled = new AtomicBoolean();
                    return call.onErrorResume(e -> cancelled.get() ? Mono.empty() : Mono.error(e))
                            .doOnCancel(() -> cancelled.set(true));
                })
                .onErrorStop();
    }
}
