package run.caracal.internal.lease;

import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.Disposable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Scheduler;
import run.caracal.internal.MachineSleep;

/**
 * Renews the leases of a client after the machine has slept. One interval serves all leases, and runs only while there
 * are any.
 */
public final class SleepWatch {
    private static final Logger log = LoggerFactory.getLogger(SleepWatch.class);

    private static final Duration LOOK = Duration.ofSeconds(1);

    private final Scheduler timer;

    /** Not subscribers of a sink, which copies all of them for each subscription. */
    private final Set<LeaseKeeper> leases = ConcurrentHashMap.newKeySet();

    private @Nullable Disposable watching;
    private long mark;

    public SleepWatch(Scheduler timer) {
        this.timer = timer;
    }

    synchronized void add(LeaseKeeper lease) {
        leases.add(lease);
        if (watching == null) {
            mark = MachineSleep.mark(timer);
            watching = Flux.interval(LOOK, timer)
                    .onBackpressureDrop()
                    .map(tick -> slept())
                    .filter(nanos -> nanos > 0)
                    // Renewals that a second sleep interrupts restart.
                    .switchMap(nanos -> Flux.merge(renewals(nanos)))
                    .subscribe(null, e -> log.error("The detection of machine sleep has stopped", e));
        }
    }

    synchronized void remove(LeaseKeeper lease) {
        leases.remove(lease);
        if (leases.isEmpty() && watching != null) {
            watching.dispose();
            watching = null;
        }
    }

    private long slept() {
        long before = mark;
        mark = MachineSleep.mark(timer);
        return MachineSleep.since(before, timer);
    }

    /** The renewals, with bounded concurrency; each lease has its new deadline before the first of them. */
    private List<Mono<Void>> renewals(long nanos) {
        List<Mono<Void>> renewals =
                leases.stream().map(lease -> lease.slept(nanos)).toList();
        log.info("The machine slept for {}; {} leases are renewed", Duration.ofNanos(nanos), renewals.size());
        return renewals;
    }
}
