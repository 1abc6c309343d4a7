package run.caracal.bench;

import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.function.Function;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import reactor.core.Disposable;
import reactor.core.publisher.Flux;
import reactor.core.scheduler.Schedulers;
import run.caracal.Caracal;
import run.caracal.Lease;
import run.caracal.ServiceAgent;
import run.caracal.test.Progress;

/** Service agents by the hundred thousand: the heap of each, and the lateness of its renewals. */
final class LeaseBench {
    /** Renewed at a third of it, so that 100,000 leases are 3,333 renewals a second. */
    private static final int LEASE_SECONDS = 90;

    private static final double BUDGET = 2.5 * 1024;

    private LeaseBench() {}

    static void run(Report report, int most) {
        Map<String, Function<ServiceAgent, Flux<Lease>>> shapes = new LinkedHashMap<>();
        shapes.put("idle", agent -> Flux.never());
        shapes.put("heartbeats()", ServiceAgent::heartbeats);
        // A renewal leaves its answer behind.
        shapes.put("heartbeats(), renewed", LeaseBench::renewed);
        shapes.put("heartbeats(30 s)", agent -> agent.heartbeats(Duration.ofSeconds(30)));
        List<Integer> counts = Stream.iterate(1_000, count -> count <= most, count -> count * 10)
                .toList();
        Chart.Lines heap = new Chart.Lines("Heap of a leased agent", "agents", "bytes each");
        Progress progress = new Progress("heaps of agents", counts.size() * shapes.size());
        for (int count : counts) {
            shapes.forEach((shape, listen) -> {
                heap.point(shape, count, heapEach(count, listen));
                progress.step();
            });
        }
        for (String shape : shapes.keySet()) {
            double bytes = heap.value(shape, most);
            report.value(
                    most + " agents, " + shape,
                    Stat.number(bytes) + " B each",
                    "under " + Stat.number(BUDGET) + " B",
                    bytes < BUDGET ? "yes" : "**no**",
                    "in-memory transport, stream and context included");
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
