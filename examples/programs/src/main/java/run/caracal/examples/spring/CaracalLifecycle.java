package run.caracal.examples.spring;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.context.SmartLifecycle;
import run.caracal.Caracal;

/** Closes a client when the application stops, without blocking the thread that stops it. */
final class CaracalLifecycle implements SmartLifecycle {
    private static final Logger log = LoggerFactory.getLogger(CaracalLifecycle.class);

    private final Caracal caracal;
    private volatile boolean running;

    CaracalLifecycle(Caracal caracal) {
        this.caracal = caracal;
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
        var unused = caracal.disposeLater()
                .doFinally(signal -> callback.run())
                .subscribe(null, e -> log.error("The Caracal client did not close in good order", e));
    }

    @Override
    public boolean isRunning() {
        return running;
    }

    /** A client that was closed stays closed, so a pause of the context must not stop it. */
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
