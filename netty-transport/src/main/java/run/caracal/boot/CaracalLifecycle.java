package run.caracal.boot;

import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.beans.factory.config.ConfigurableListableBeanFactory;
import org.springframework.context.SmartLifecycle;
import reactor.core.publisher.Mono;
import run.caracal.Caracal;

/**
 * Closes the clients of a context when it stops, without blocking: after the web server, which completes in-flight requests
 * first, and before connections. Spring waits for the end, but no longer than {@code
 * spring.lifecycle.timeout-per-shutdown-phase}.
 */
final class CaracalLifecycle implements SmartLifecycle {
    /** Below the web server's phase, because in-flight requests need the client, and above that of connections. */
    static final int PHASE = SmartLifecycle.DEFAULT_PHASE - 4096;

    private static final Logger log = LoggerFactory.getLogger(CaracalLifecycle.class);

    private final ConfigurableListableBeanFactory beans;
    private volatile boolean running;

    CaracalLifecycle(ConfigurableListableBeanFactory beans) {
        this.beans = beans;
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
        var unused = Mono.whenDelayError(
                        clients().stream().map(Caracal::disposeLater).toList())
                .doFinally(signal -> callback.run())
                .subscribe(null, e -> log.error("A Caracal client did not close cleanly", e));
    }

    /** The created clients only: looking up a lazy one would create it. */
    private List<Caracal> clients() {
        return Stream.of(beans.getBeanNamesForType(Caracal.class, false, false))
                .map(beans::getSingleton)
                .filter(Objects::nonNull)
                .map(Caracal.class::cast)
                .toList();
    }

    @Override
    public boolean isRunning() {
        return running;
    }

    /** A closed client cannot be reopened, so pausing the context must not close it. */
    @Override
    public boolean isPauseable() {
        return false;
    }

    @Override
    public int getPhase() {
        return PHASE;
    }
}
