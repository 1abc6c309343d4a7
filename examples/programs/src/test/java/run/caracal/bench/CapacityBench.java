package run.caracal.bench;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import reactor.core.Disposable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import run.caracal.Caracal;

/** The session limit: its cost without waiting, and the heap that a long queue leaves. */
final class CapacityBench {
    private static final int CONCURRENCY = 32;
    private static final int SESSIONS = Integer.getInteger("bench.requests", 20_000);
    private static final int WAITERS = 100_000;
    private static final double KIB = 1024.0;

    private CapacityBench() {}

    static void run(Report report, int rounds) {
        cost(report, rounds);
        line(report);
        report.write();
    }

    private static void cost(Report report, int rounds) {
        try (BenchServer server = BenchServer.start()) {
            Caracal free = BenchServer.client(server.address());
            Caracal gated = server.client(config -> config.maxOpenSessions(10 * CONCURRENCY));
            Rounds measured = new Rounds()
                    .variant("free", () -> sessions(free))
                    .variant("gated", () -> sessions(gated))
                    .run(3, rounds);
            report.budget(
                    "spawn with the gate, time",
                    measured.time("gated", "free"),
                    true,
                    1.02,
                    ClientBench.absolute(measured, "gated", "free"));
            report.budget("spawn with the gate, allocation", measured.allocation("gated", "free"), true, 1.02, "");
        }
    }

    private static Rounds.Cost sessions(Caracal caracal) {
        var unused = Flux.range(0, SESSIONS)
                .flatMap(i -> caracal.spawn(context -> Mono.just(i)), CONCURRENCY)
                .blockLast();
        return Rounds.Cost.of(SESSIONS);
    }

    /** Waiters behind one session that holds the only permit, cancelled in random order, a few at a time. */
    private static void line(Report report) {
        Caracal caracal = new InMemory(90, Duration.ZERO).client(2);
        Disposable holder = caracal.spawn(context -> Mono.never()).subscribe(null, Failures::report);
        // The first round allocates objects that stay.
        stand(caracal).forEach(Disposable::dispose);
        long before = LeaseBench.heap();
        long during = heapOfALineThatLeaves(caracal);
        long after = LeaseBench.heap();
        report.value(
                WAITERS + " waiters, heap of each",
                Stat.number((during - before) / (double) WAITERS) + " bytes",
                "",
                "",
                "");
        report.value(
                WAITERS + " waiters cancelled at random, heap that stays",
                Stat.number((after - before) / KIB) + " of " + Stat.number((during - before) / KIB) + " KiB",
                "less than a hundredth",
                after - before < (during - before) / 100 ? "yes" : "**no**",
                "");
        holder.dispose();
        caracal.disposeLater().block(Duration.ofSeconds(30));
    }

    private static long heapOfALineThatLeaves(Caracal caracal) {
        List<Disposable> waiting = stand(caracal);
        long heap = LeaseBench.heap();
        Collections.shuffle(waiting, new Random(1));
        waiting.forEach(Disposable::dispose);
        return heap;
    }

    private static List<Disposable> stand(Caracal caracal) {
        List<Disposable> waiting = new ArrayList<>(WAITERS);
        for (int i = 0; i < WAITERS; i++) {
            waiting.add(caracal.spawn(context -> Mono.just(1)).subscribe(null, Failures::report));
        }
        return waiting;
    }
}
