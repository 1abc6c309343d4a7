package run.caracal.internal;

import java.util.concurrent.atomic.AtomicBoolean;
import reactor.core.publisher.Mono;

/** What the SDK does for a caller. */
public final class Calls {
    private Calls() {}

    /**
     * Keeps the errors of a call where they belong: an {@code onErrorContinue} of the caller does not reach into the call, and
     * no error leaves it behind a cancellation. An operator that has cancelled has nobody to give a late error to, so it drops
     * the error and logs it.
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
