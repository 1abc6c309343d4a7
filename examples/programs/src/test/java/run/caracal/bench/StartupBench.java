package run.caracal.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import run.caracal.test.Progress;

/** From the start of the JVM to the answer of the first protected call, and where the time goes. */
final class StartupBench {
    private static final String[] STEPS = {
        "the JVM, to main", "create the client", "decorate", "token and session", "first call", "termination"
    };

    private StartupBench() {}

    static void run(Report report, int rounds) {
        try (BenchServer server = BenchServer.start()) {
            starts(report, rounds, server, List.of(), "");
        }
        try (SelfSigned identity = new SelfSigned();
                BenchServer server = BenchServer.start(identity)) {
            starts(report, rounds, server, List.of(identity.trusting()), ", https");
        }
        report.write();
    }

    private static void starts(Report report, int rounds, BenchServer server, List<String> options, String over) {
        double[][] own = new double[STEPS.length][rounds];
        double[][] plain = new double[STEPS.length][rounds];
        double[] ownTotal = new double[rounds];
        double[] plainTotal = new double[rounds];
        Progress progress = new Progress("starts" + over, rounds + 1);
        // The first of each brings the files into memory.
        for (int round = -1; round < rounds; round++) {
            double[] with = launch("caracal", server, options);
            double[] without = launch("plain", server, options);
            for (int step = 0; round >= 0 && step < STEPS.length; step++) {
                own[step][round] = with[step];
                plain[step][round] = without[step];
                // The termination follows the first call, so it does not count.
                ownTotal[round] += step < STEPS.length - 1 ? with[step] : 0;
                plainTotal[round] += step < STEPS.length - 1 ? without[step] : 0;
            }
            progress.step();
        }
        report.budget(
                "to the first protected call, against the same calls by hand" + over,
                Stat.ratio(ownTotal, plainTotal),
                true,
                1.4,
                Stat.of(ownTotal).text() + " ms against " + Stat.of(plainTotal).text() + " ms");
        for (int step = 0; step < STEPS.length; step++) {
            report.value(
                    STEPS[step] + over,
                    Stat.of(own[step]).text() + " ms",
                    "",
                    "",
                    Stat.of(plain[step]).text() + " ms by hand");
        }
    }

    /** The milliseconds of each step. */
    private static double[] launch(String what, BenchServer server, List<String> options) {
        try {
            long start = System.currentTimeMillis();
            List<String> program = new ArrayList<>(options);
            program.addAll(List.of("-Xmx512m", StartupProbe.class.getName(), what, server.address()));
            Process process = BenchServer.java(program).start();
            String line;
            try (BufferedReader out = process.inputReader(StandardCharsets.UTF_8)) {
                line = Objects.requireNonNull(out.readLine(), "the program ended without a word");
            }
            process.waitFor();
            String[] times = line.split(" ", -1);
            double[] steps = new double[STEPS.length];
            steps[0] = Long.parseLong(times[0]) - start;
            long before = 0;
            for (int i = 1; i < STEPS.length; i++) {
                long at = Long.parseLong(times[i]);
                steps[i] = (at - before) / 1e6;
                before = at;
            }
            return steps;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }
}
