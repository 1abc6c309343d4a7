package run.caracal.examples;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;

/**
 * Ctrl-C and SIGTERM, for programs with resources to close: {@link #requested()} cancels the work, and the JVM waits until this
 * is closed, with a timeout.
 */
final class Termination implements AutoCloseable {
    private static final long LIMIT_SECONDS = 10;

    private final Sinks.Empty<Void> requested = Sinks.empty();
    private final CountDownLatch ended = new CountDownLatch(1);

    Termination() {
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            if (requested.tryEmitEmpty().isSuccess()) {
                awaitEnd();
            }
        }));
    }

    /** Completes when termination is requested. */
    Mono<Void> requested() {
        return requested.asMono();
    }

    @Override
    public void close() {
        ended.countDown();
    }

    private void awaitEnd() {
        try {
            boolean unused = ended.await(LIMIT_SECONDS, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
