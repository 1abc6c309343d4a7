package run.caracal.internal.capacity;

import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Scheduler;
import reactor.core.scheduler.Schedulers;
import run.caracal.config.CaracalConfig;
import run.caracal.error.CapacityException;
import run.caracal.error.Limit;
import run.caracal.event.CaracalEvent.CapacityWaited;
import run.caracal.event.CaracalEvent.CapacityWaited.Capacity;
import run.caracal.internal.config.Rules;
import run.caracal.internal.event.EventBus;

/**
 * Limits the rate of mints for each resource. There are as many permits as calls per second; each is released only so
 * long after its use that no sliding minute exceeds the limit.
 */
public final class MintPace {
    private static final long MINUTE = TimeUnit.MINUTES.toNanos(1);

    /** The maximum number of resources with their own rate; further ones share one. */
    private static final int MAX_RESOURCES = 1_000;

    private static final String OTHERS = "";

    private final CaracalConfig config;
    private final EventBus events;
    private final Scheduler timer;
    private final int units;
    private final int permits;
    private final long period;
    private final Map<String, Pace> paces = new ConcurrentHashMap<>();
    private volatile boolean closed;

    /** Creates the rate limit of a client; without a configured limit it never waits. */
    public MintPace(CaracalConfig config, EventBus events, Scheduler timer) {
        this.config = config;
        this.events = events;
        this.timer = timer;
        this.units = config.maxMintsPerMinute().orElse(0);
        int calls = units / Rules.UNITS_OF_A_CALL;
        this.permits = 1 + calls / 60;
        this.period = calls == 0 ? 0 : MINUTE / (calls / permits);
    }

    /** Mints when there is a permit for the resource. */
    public <T> Mono<T> inTurn(String resource, Supplier<Mono<T>> mint) {
        if (units == 0) {
            return Mono.defer(mint);
        }
        return Mono.defer(() -> {
            Pace pace = pace(resource);
            Line.Waiter waiter = new Line.Waiter(0);
            Mono<Void> turn = pace.join(waiter);
            if (turn == null) {
                return mint.get();
            }
            return events.observe(
                            CapacityWaited.class,
                            turn,
                            (none, completion) -> new CapacityWaited(Capacity.MINT, completion))
                    .doFinally(end -> pace.leave(waiter))
                    .then(Mono.defer(mint));
        });
    }

    private Pace pace(String resource) {
        Pace known = paces.get(resource);
        if (known != null) {
            return known;
        }
        String key = paces.size() < MAX_RESOURCES ? resource : OTHERS;
        Pace pace = paces.computeIfAbsent(key, made -> new Pace());
        if (closed) {
            pace.close();
        }
        return pace;
    }

    /** Rejects all current and future mints. */
    public void close() {
        closed = true;
        paces.values().forEach(Line::close);
    }

    /** The rate of one resource. */
    private final class Pace extends Line {
        private int free = permits;

        Pace() {
            super(config.sessionAcquireTimeout(), timer, Schedulers::immediate);
        }

        @Override
        boolean take(Waiter waiter) {
            if (free == 0) {
                return false;
            }
            free--;
            var unused = timer.schedule(this::back, period, TimeUnit.NANOSECONDS);
            return true;
        }

        private void back() {
            synchronized (this) {
                free++;
            }
            serve();
        }

        @Override
        CapacityException tooLate() {
            Duration bound = config.sessionAcquireTimeout();
            return new CapacityException(
                    "No permit for a mint was available within " + bound + ", so none was minted: maxMintsPerMinute is "
                            + units
                            + ", which is " + units / Rules.UNITS_OF_A_CALL
                            + " calls of a resource in a minute, and more were"
                            + " requested. Make fewer calls; or raise maxMintsPerMinute (CARACAL_MAX_MINTS_PER_MINUTE), if the"
                            + " platform allows more, or sessionAcquireTimeout",
                    new Limit(Limit.Kind.CLIENT_MINTS, units, true, Duration.ofMinutes(1)));
        }
    }
}
