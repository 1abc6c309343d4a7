package run.caracal.examples.spring;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.context.SmartLifecycle;
import reactor.core.publisher.Mono;

/** Ends something when the application stops, without blocking the thread that stops it. */
final class CaracalLifecycle implements SmartLifecycle {
    private static final Logger log = LoggerFactory.getLogger(CaracalLifecycle.class);

    private final String what;
    private final Mono<Void> end;
    private volatile boolean running;

    /**
     * A lifecycle that ends with this.
     *
     * @param what the name of what ends, for the log
     * @param end ends it
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
                .subscribe(null, e -> log.error("{} did not end in good order", what, e));
    }

    @Override
    public boolean isRunning() {
        return running;
    }

    /** What has ended stays so, and a pause of the context must not stop it. */
    @Override
    public boolean isPauseable() {
        return false;
    }

    /** Lower than the web server's, so later. */
    @Override
    public int getPhase() {
        return 0;
    }
}
