package run.caracal.examples.spring;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.context.SmartLifecycle;
import reactor.core.publisher.Mono;

/** Closes a resource when the application stops, without blocking the stopping thread. */
final class CaracalLifecycle implements SmartLifecycle {
    private static final Logger log = LoggerFactory.getLogger(CaracalLifecycle.class);

    private final String what;
    private final Mono<Void> end;
    private volatile boolean running;

    /**
     * Creates a lifecycle.
     *
     * @param what the name of the resource, for the log
     * @param end closes it
     */
    CaracalLifecycle(String what, Mono<Void> end) {
        this.what = what;
        this.end = end;
    }

    @Override
    public void start() {
        running = true;
    }

    @Override
    public void stop() {
        stop(() -> {});
    }

    @Override
    public void stop(Runnable callback) {
        running = false;
        var unused = end.doFinally(signal -> callback.run())
                .subscribe(null, e -> log.error("{} did not close cleanly", what, e));
    }

    @Override
    public boolean isRunning() {
        return running;
    }

    /** A closed resource cannot be reopened, so pausing the context must not close it. */
    @Override
    public boolean isPauseable() {
        return false;
    }

    /** Lower than the web server's phase, so later. */
    @Override
    public int getPhase() {
        return 0;
    }
}
