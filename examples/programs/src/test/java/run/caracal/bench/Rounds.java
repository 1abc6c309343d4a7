package run.caracal.bench;

import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.ToDoubleFunction;

/**
 * Runs variants in turn, A B A B, in one JVM, and keeps what each round of each cost. Ratios are made within a round, so
 * that what disturbs the machine for longer than a round disturbs both sides.
 */
final class Rounds {
    private static final com.sun.management.ThreadMXBean THREADS =
            (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();

    /** One round of a variant. */
    @FunctionalInterface
    interface Body {
        /**
         * Runs the round.
         *
         * @return how many operations it was
         */
        long run();
    }

    /**
     * The cost of one round.
     *
     * @param nanos for each operation
     * @param bytes allocated for each operation, by all threads
     */
    record Sample(double nanos, double bytes) {}

    private final Map<String, Body> variants = new LinkedHashMap<>();
    private final Map<String, List<Sample>> samples = new LinkedHashMap<>();

    Rounds variant(String name, Body body) {
        variants.put(name, body);
        samples.put(name, new ArrayList<>());
        return this;
    }

    /** Runs rounds, the first of which only warm up; each round begins with another variant. */
    Rounds run(int warmup, int rounds) {
        List<String> order = new ArrayList<>(variants.keySet());
        for (int round = -warmup; round < rounds; round++) {
            for (String name : order) {
                Sample sample = sample(Objects.requireNonNull(variants.get(name)));
                if (round >= 0) {
                    Objects.requireNonNull(samples.get(name)).add(sample);
                }
            }
            Collections.rotate(order, 1);
        }
        return this;
    }

    private static Sample sample(Body body) {
        long bytes = allocated();
        long start = System.nanoTime();
        long operations = body.run();
        long nanos = System.nanoTime() - start;
        return new Sample(nanos / (double) operations, (allocated() - bytes) / (double) operations);
    }

    /** What all live threads have allocated so far. */
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

    Stat bytes(String name) {
        return Stat.of(values(name, Sample::bytes));
    }

    /** The time of one variant relative to that of another. */
    Stat time(String name, String base) {
        return Stat.ratio(values(name, Sample::nanos), values(base, Sample::nanos));
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
