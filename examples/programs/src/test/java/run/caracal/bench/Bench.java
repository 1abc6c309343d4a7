package run.caracal.bench;

import java.nio.file.Path;
import java.util.List;

/** Runs a benchmark by its name and writes its figures. */
public final class Bench {
    private static final int ROUNDS = Integer.getInteger("bench.rounds", 20);

    /** A round of JMH starts a JVM for each of its benchmarks. */
    private static final int JMH_ROUNDS = Math.min(ROUNDS, 10);

    private static final List<String> NAMES = List.of(
            "codec",
            "path",
            "filter",
            "client",
            "spawn",
            "scoped",
            "verify",
            "capacity",
            "stampede",
            "leases",
            "growth",
            "startup",
            "revocations");

    private Bench() {}

    /**
     * Runs one benchmark, or all.
     *
     * @param args the name
     */
    public static void main(String[] args) {
        String name = args.length == 0 ? "all" : args[0];
        if (name.equals("all")) {
            NAMES.forEach(Bench::run);
        } else {
            run(name);
        }
        System.exit(0);
    }

    private static void run(String name) {
        switch (name) {
            case "codec" -> codec(report(name, "Envelope codec against OpenTelemetry's W3C propagators"));
            case "path" -> path(report(name, "The steps of one request, each against the least that could do it"));
            case "filter" -> filter(report(name, "The token path of one request, without a network"));
            case "client" ->
                ClientBench.run(report(name, "Clients, against plain ones that send the same headers"), ROUNDS);
            case "spawn" -> SpawnBench.run(report(name, "Sessions, against the calls that they are made of"), ROUNDS);
            case "scoped" ->
                ScopedBench.run(report(name, "Calls with a mandate of their own, against mint and call"), ROUNDS);
            case "verify" -> VerifyBench.run(report(name, "Verified inbound requests"), ROUNDS);
            case "capacity" -> CapacityBench.run(report(name, "Sessions that wait for a place"), ROUNDS);
            case "stampede" -> StampedeBench.run(report(name, "Concurrent spawns on a cold token cache"), ROUNDS);
            case "leases" ->
                LeaseBench.run(report(name, "Leased service agents"), Integer.getInteger("bench.agents", 100_000));
            case "growth" -> GrowthBench.run(report(name, "How cost grows"), ROUNDS);
            case "startup" ->
                StartupBench.run(report(name, "From the start of the JVM to the first protected call"), ROUNDS);
            case "revocations" -> RevocationBench.run(report(name, "Verification with revocations in a Redis"), ROUNDS);
            default ->
                throw new IllegalArgumentException(
                        "No benchmark is called '" + name + "'. There are: " + String.join(", ", NAMES) + ", all");
        }
    }

    private static Report report(String name, String title) {
        return new Report(Path.of(System.getProperty("bench.out", "target/bench")), name, title);
    }

    private static void codec(Report report) {
        JmhRounds rounds = JmhRounds.run(CodecBenchmark.class, JMH_ROUNDS);
        for (String what : new String[] {"through", "encode", "decode"}) {
            boolean budgeted = what.equals("through");
            String own = what + "Caracal";
            String other = what + "Otel";
            String label = budgeted ? "decode and encode" : what;
            if (budgeted) {
                report.budget(label + ", time", rounds.time(own, other), true, 1.0, rounds.absolute(own, other));
                report.budget(label + ", allocation", rounds.allocation(own, other), true, 1.0, "");
            } else {
                report.figure(label + ", time", rounds.time(own, other), rounds.absolute(own, other));
                report.figure(label + ", allocation", rounds.allocation(own, other), "");
            }
        }
        report.write();
    }

    private static void path(Report report) {
        JmhRounds rounds = JmhRounds.run(PathBenchmark.class, JMH_ROUNDS);
        for (String what : new String[] {"context", "headers", "routing", "token", "request"}) {
            String own = what + "Caracal";
            String floor = what + "Floor";
            report.figure(what + ", time", rounds.time(own, floor), rounds.absolute(own, floor));
            report.figure(what + ", allocation", rounds.allocation(own, floor), "");
        }
        report.write();
    }

    private static void filter(Report report) {
        JmhRounds rounds = JmhRounds.run(FilterBenchmark.class, JMH_ROUNDS);
        for (String other : new String[] {"plain", "springSecurity", "azure"}) {
            report.figure(
                    "against " + other + ", time", rounds.time("caracal", other), rounds.absolute("caracal", other));
            report.figure("against " + other + ", allocation", rounds.allocation("caracal", other), "");
        }
        report.write();
    }
}
