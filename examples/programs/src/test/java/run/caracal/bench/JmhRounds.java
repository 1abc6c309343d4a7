package run.caracal.bench;

import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.profile.GCProfiler;
import org.openjdk.jmh.results.Result;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import org.openjdk.jmh.runner.options.VerboseMode;
import run.caracal.test.Progress;

/** Runs the benchmarks of a class with JMH, round after round, each of them in a JVM of its own in every round. */
final class JmhRounds {
    private static final String ALLOCATION = "gc.alloc.rate.norm";

    private final Map<String, List<Double>> nanos = new LinkedHashMap<>();
    private final Map<String, List<Double>> bytes = new LinkedHashMap<>();

    static JmhRounds run(Class<?> benchmarks, int rounds) {
        JmhRounds all = new JmhRounds();
        Progress progress = new Progress(benchmarks.getSimpleName(), rounds);
        for (int round = 0; round < rounds; round++) {
            all.round(benchmarks);
            progress.step();
        }
        return all;
    }

    @SuppressWarnings("rawtypes") // as JMH declares it
    private void round(Class<?> benchmarks) {
        try {
            Collection<RunResult> results = new Runner(new OptionsBuilder()
                            .include(benchmarks.getName().replace(".", "\\.") + "\\.")
                            .mode(Mode.AverageTime)
                            .timeUnit(TimeUnit.NANOSECONDS)
                            .forks(1)
                            .warmupIterations(5)
                            .warmupTime(TimeValue.milliseconds(500))
                            .measurementIterations(3)
                            .measurementTime(TimeValue.milliseconds(300))
                            .jvmArgs("-Xms512m", "-Xmx512m")
                            .addProfiler(GCProfiler.class)
                            .verbosity(VerboseMode.SILENT)
                            .shouldFailOnError(true)
                            .build())
                    .run();
            for (RunResult result : results) {
                String label = result.getPrimaryResult().getLabel();
                add(nanos, label, result.getPrimaryResult().getScore());
                for (Map.Entry<String, Result> entry :
                        result.getSecondaryResults().entrySet()) {
                    if (entry.getKey().endsWith(ALLOCATION)) {
                        add(bytes, label, entry.getValue().getScore());
                    }
                }
            }
        } catch (RunnerException e) {
            throw new IllegalStateException(e);
        }
    }

    private static void add(Map<String, List<Double>> to, String label, double value) {
        to.computeIfAbsent(label, l -> new ArrayList<>()).add(value);
    }

    Stat time(String name, String base) {
        return Stat.ratio(values(nanos, name), values(nanos, base));
    }

    Stat allocation(String name, String base) {
        return Stat.ratio(values(bytes, name), values(bytes, base));
    }

    /** The medians behind a ratio, in words. */
    String absolute(String name, String base) {
        return text(name) + " against " + text(base);
    }

    private String text(String name) {
        return Stat.number(Stat.of(values(nanos, name)).median()) + " ns, "
                + Stat.number(Stat.of(values(bytes, name)).median()) + " B";
    }

    private static double[] values(Map<String, List<Double>> of, String name) {
        return Objects.requireNonNull(of.get(name), name).stream()
                .mapToDouble(Double::doubleValue)
                .toArray();
    }
}
