package run.caracal.bench;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import reactor.core.Disposable;
import reactor.core.publisher.Flux;
import reactor.core.scheduler.Schedulers;
import run.caracal.Caracal;
import run.caracal.Lease;
import run.caracal.ServiceAgent;

/** Service agents by the hundred thousand: the heap of each, and the lateness of its renewals. */
final class LeaseBench {
    /** Renewed at a third of it, so that 100,000 leases are 3,333 renewals a second. */
    private static final int LEASE_SECONDS = 90;

    private static final double BUDGET = 2.5 * 1024;

    private LeaseBench() {}

    static void run(Report report, int most) {
        Chart.Lines heap = new Chart.Lines("Heap of a leased agent", "agents", "bytes each");
        for (int count = 1_000; count <= most; count *= 10) {
            heap.point("idle", count, heapEach(count, agent -> Flux.never()));
            heap.point("heartbeats()", count, heapEach(count, ServiceAgent::heartbeats));
            // A renewal leaves its answer behind.
            heap.point("heartbeats(), renewed", count, heapEach(count, LeaseBench::renewed));
            heap.point("heartbeats(30 s)", count, heapEach(count, agent -> agent.heartbeats(Duration.ofSeconds(30))));
            if (count == most) {
                for (String shape : List.of("idle", "heartbeats()", "heartbeats(), renewed", "heartbeats(30 s)")) {
                    double bytes = heap.value(shape, count);
                    report.value(
                            count + " agents, " + shape,
                            Stat.number(bytes) + " B each",
                            "under " + Stat.number(BUDGET) + " B",
                            bytes < BUDGET ? "yes" : "**no**",
                            "in-memory transport, stream and context included");
                }
            }
        }
        report.chart(heap);
        lateness(report, most);
        report.write();
    }

    private static Flux<Lease> renewed(ServiceAgent agent) {
        Objects.requireNonNull(agent.heartbeat().block(), "no renewal");
        return agent.heartbeats();
    }

    static double heapEach(int count, Function<ServiceAgent, Flux<Lease>> listen) {
        Caracal caracal = new InMemory(LEASE_SECONDS, Duration.ZERO).client();
        List<Object> kept = new ArrayList<>(2 * count);
        // The first agents allocate the state that all share.
        keep(caracal, 10, listen, kept);
        long before = heap();
        keep(caracal, count, listen, kept);
        double each = (heap() - before) / (double) count;
        close(caracal, kept);
        return each;
    }

    private static void keep(
            Caracal caracal, int count, Function<ServiceAgent, Flux<Lease>> listen, List<Object> kept) {
        for (int i = 0; i < count; i++) {
            ServiceAgent agent = Objects.requireNonNull(caracal.spawnService().block(), "no agent");
            kept.add(agent);
            kept.add(listen.apply(agent).subscribe(lease -> {}, Failures::report));
        }
    }

    private static void close(Caracal caracal, List<Object> kept) {
        for (Object one : kept) {
            if (one instanceof Disposable disposable && !(one instanceof ServiceAgent)) {
                disposable.dispose();
            }
        }
        kept.clear();
        caracal.disposeLater().block(Duration.ofSeconds(60));
    }

    static long heap() {
        Runtime runtime = Runtime.getRuntime();
        long used = Long.MAX_VALUE;
        for (int i = 0; i < 4; i++) {
            System.gc();
            used = Math.min(used, runtime.totalMemory() - runtime.freeMemory());
        }
        return used;
    }

    /** Each timed task of the lease timer against the instant that it was timed for. */
    private static void lateness(Report report, int count) {
        Probe probe = new Probe();
        Schedulers.addExecutorServiceDecorator("bench", (scheduler, executor) -> probe.watch(executor));
        InMemory platform = new InMemory(LEASE_SECONDS, Duration.ZERO);
        Caracal caracal = platform.client();
        List<Object> kept = new ArrayList<>(2 * count);
        keep(caracal, count, ServiceAgent::heartbeats, kept);
        probe.recording = true;
        long before = platform.canned.renewals.sum();
        pause(Duration.ofSeconds(LEASE_SECONDS / 2));
        probe.recording = false;
        long renewals = platform.canned.renewals.sum() - before;
        Schedulers.removeExecutorServiceDecorator("bench");
        close(caracal, kept);
        double late = probe.percentile(0.999) / 1000.0;
        report.value(
                "Lateness of timers, p99.9, " + count + " agents",
                Stat.number(late) + " ms",
                "1,000 ms",
                late <= 1000 ? "yes" : "**no**",
                renewals + " renewals in " + LEASE_SECONDS / 2 + " s, p50 "
                        + Stat.number(probe.percentile(0.5) / 1000.0) + " ms, latest "
                        + Stat.number(probe.percentile(1) / 1000.0) + " ms");
    }

    /** Waits for a time, on a timer. */
    static void pause(Duration time) {
        CountDownLatch over = new CountDownLatch(1);
        var unused = Schedulers.boundedElastic().schedule(over::countDown, time.toMillis(), TimeUnit.MILLISECONDS);
        try {
            over.await();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Records how late the timed tasks of executors run; a histogram by microseconds, as leases are many. */
    private static final class Probe {
        private final AtomicLongArray histogram = new AtomicLongArray(5_000_000);
        private volatile boolean recording;

        ScheduledExecutorService watch(ScheduledExecutorService executor) {
            return (ScheduledExecutorService) java.lang.reflect.Proxy.newProxyInstance(
                    ScheduledExecutorService.class.getClassLoader(),
                    new Class<?>[] {ScheduledExecutorService.class},
                    (proxy, method, args) -> {
                        if (args != null && method.getName().equals("schedule")) {
                            args[0] = timed(args[0], (long) args[1], (TimeUnit) args[2]);
                        }
                        try {
                            return method.invoke(executor, args);
                        } catch (java.lang.reflect.InvocationTargetException e) {
                            throw e.getCause();
                        }
                    });
        }

        private Object timed(Object task, long delay, TimeUnit unit) {
            long due = System.nanoTime() + unit.toNanos(delay);
            if (task instanceof Callable<?> callable) {
                return (Callable<@Nullable Object>) () -> {
                    record(due, delay);
                    return callable.call();
                };
            }
            Runnable runnable = (Runnable) task;
            return (Runnable) () -> {
                record(due, delay);
                runnable.run();
            };
        }

        private void record(long due, long delay) {
            String thread = Thread.currentThread().getName();
            // The timeout of a call is cancelled before it is due, so a delayed task here is a renewal.
            if (recording && delay > 0 && thread.contains("lease")) {
                long late = Math.max(0, System.nanoTime() - due) / 1000;
                histogram.incrementAndGet((int) Math.min(late, histogram.length() - 1));
            }
        }

        double percentile(double share) {
            long total = 0;
            for (int i = 0; i < histogram.length(); i++) {
                total += histogram.get(i);
            }
            long left = (long) Math.ceil(total * share);
            for (int i = 0; i < histogram.length(); i++) {
                left -= histogram.get(i);
                if (left <= 0) {
                    return i;
                }
            }
            return histogram.length();
        }
    }
}
