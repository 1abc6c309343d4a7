package run.caracal.bench;

import com.sun.management.OperatingSystemMXBean;
import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.LongSupplier;
import java.util.function.ToDoubleFunction;
import reactor.netty.resources.LoopResources;
import run.caracal.test.Progress;

/**
 * Runs variants in turn, A B A B, in one JVM, and keeps what each round of each cost. Ratios are made within a round, so
 * that a disturbance of the machine for longer than a round affects both sides.
 */
final class Rounds {
    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    private static final OperatingSystemMXBean SYSTEM =
            (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();

    private static final int MAX_WARMUP = 10;
    /** A round may begin on another event loop than the last, and each has its connections. */
    private static final int MAX_ATTEMPTS = 2 + LoopResources.DEFAULT_IO_WORKER_COUNT;

    /** One round of a variant. */
    @FunctionalInterface
    interface Body {
        /**
         * Runs the round.
         *
         * @return the operations of the round
         */
        Cost run();
    }

    /**
     * The operations of one round.
     *
     * @param operations how many
     * @param p50 the median of their times in nanoseconds; 0 where they were not timed
     * @param p99 the 99th percentile
     */
    record Cost(long operations, long p50, long p99) {
        static Cost of(long operations) {
            return new Cost(operations, 0, 0);
        }
    }

    /**
     * The cost of one round.
     *
     * @param nanos for each operation
     * @param cpu processor time of the whole process for each operation, in nanoseconds
     * @param bytes allocated for each operation, by all threads
     * @param cost the times of single operations
     */
    record Sample(double nanos, double cpu, double bytes, Cost cost) {}

    private final Map<String, Body> variants = new LinkedHashMap<>();
    private final Map<String, List<Sample>> samples = new LinkedHashMap<>();
    private LongSupplier connections = () -> 0;

    Rounds variant(String name, Body body) {
        variants.put(name, body);
        samples.put(name, new ArrayList<>());
        return this;
    }

    /**
     * Has every round checked for new connections, because a variant that opens one is not comparable.
     *
     * @param connections how many there have been so far
     */
    Rounds connections(LongSupplier connections) {
        this.connections = connections;
        return this;
    }

    /**
     * Runs rounds, the first of which only warm up, until none of them opens a connection; each round begins with another
     * variant.
     */
    Rounds run(int warmup, int rounds) {
        List<String> order = new ArrayList<>(variants.keySet());
        Progress progress = new Progress(String.join(", ", order), (warmup + rounds) * order.size());
        long before;
        int warm = 0;
        do {
            before = connections.getAsLong();
            for (String name : order) {
                var unused = sample(name);
                progress.step();
            }
            warm++;
        } while (warm < warmup || (connections.getAsLong() > before && warm < MAX_WARMUP));
        for (int round = 0; round < rounds; round++) {
            for (String name : order) {
                Objects.requireNonNull(samples.get(name)).add(valid(name));
                progress.step();
            }
            Collections.rotate(order, 1);
        }
        return this;
    }

    /** A round in which a connection was opened proves nothing, and is run again. */
    private Sample valid(String name) {
        for (int attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
            long before = connections.getAsLong();
            Sample sample = sample(name);
            if (connections.getAsLong() == before) {
                return sample;
            }
        }
        throw new IllegalStateException("'" + name + "' opened connections in " + MAX_ATTEMPTS
                + " rounds one after another, which prove nothing");
    }

    private Sample sample(String name) {
        return sample(Objects.requireNonNull(variants.get(name)));
    }

    private static Sample sample(Body body) {
        long bytes = allocated();
        long cpu = SYSTEM.getProcessCpuTime();
        long start = System.nanoTime();
        Cost cost = body.run();
        double operations = cost.operations();
        long nanos = System.nanoTime() - start;
        return new Sample(
                nanos / operations,
                (SYSTEM.getProcessCpuTime() - cpu) / operations,
                (allocated() - bytes) / operations,
                cost);
    }

    /** The bytes that all live threads have allocated so far. */
    static long allocated() {
        long sum = 0;
        for (long bytes : THREADS.getThreadAllocatedBytes(THREADS.getAllThreadIds())) {
            sum += Math.max(0, bytes);
        }
        return sum;
    }

    Stat nanos(String name) {
        return Stat.of(values(name, Sample::nanos));
    }

    Stat cpuNanos(String name) {
        return Stat.of(values(name, Sample::cpu));
    }

    Stat bytes(String name) {
        return Stat.of(values(name, Sample::bytes));
    }

    /** The times of single operations, in microseconds. */
    String percentiles(String name) {
        return "p50 " + Stat.number(Stat.of(values(name, s -> s.cost().p50())).median() / 1e3) + " µs, p99 "
                + Stat.number(Stat.of(values(name, s -> s.cost().p99())).median() / 1e3) + " µs";
    }

    /** The time of one variant relative to that of another. */
    Stat time(String name, String base) {
        return Stat.ratio(values(name, Sample::nanos), values(base, Sample::nanos));
    }

    /** The processor time of one variant relative to that of another. */
    Stat cpu(String name, String base) {
        return Stat.ratio(values(name, Sample::cpu), values(base, Sample::cpu));
    }

    /** The throughput of one variant relative to that of another. */
    Stat throughput(String name, String base) {
        return Stat.ratio(values(base, Sample::nanos), values(name, Sample::nanos));
    }

    /** The allocation of one variant relative to that of another. */
    Stat allocation(String name, String base) {
        return Stat.ratio(values(name, Sample::bytes), values(base, Sample::bytes));
    }

    private double[] values(String name, ToDoubleFunction<Sample> value) {
        return Objects.requireNonNull(samples.get(name), name).stream()
                .mapToDouble(value)
                .toArray();
    }
}
