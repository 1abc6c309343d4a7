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
import run.caracal.netty.NettyHttpTransport;

/** The session limit: its cost without waiting, and the heap that a long queue leaves. */
final class CapacityBench {
    private static final int CONCURRENCY = 32;
    private static final int SLICES = 10;
    private static final int SESSIONS = Integer.getInteger("bench.requests", 20_000) / SLICES;
    private static final int WAITERS = 100_000;
    private static final double KIB = 1024.0;

    private CapacityBench() {}

    static void run(Report report, int rounds) {
        cost(report, rounds);
        line(report);
        report.write();
    }

    /**
     * Both clients share the connections, which would else lie on the event loops differently. Many short rounds cancel out
     * disturbances of the machine for a second or two, which exceed the difference.
     */
    private static void cost(Report report, int rounds) {
        NettyHttpTransport transport = NettyHttpTransport.create();
        try (BenchServer server = BenchServer.start()) {
            Caracal free = server.client(config -> config.transport(transport));
            Caracal twin = server.client(config -> config.transport(transport));
            Caracal gated = server.client(config -> config.transport(transport).maxOpenSessions(10 * CONCURRENCY));
            Rounds measured = new Rounds()
                    .connections(server::connections)
                    .variant("free", () -> sessions(free))
                    .variant("gated", () -> sessions(gated))
                    .variant("twin", () -> sessions(twin))
                    .run(3 * SLICES, rounds * SLICES);
            report.budget(
                    "spawn with the gate, time",
                    measured.time("gated", "free"),
                    true,
                    1.02,
                    ClientBench.absolute(measured, "gated", "free"));
            report.budget(
                    "spawn with the gate, CPU",
                    measured.cpu("gated", "free"),
                    true,
                    1.02,
                    Report.micros(measured, "gated", "free"));
            report.budget("spawn with the gate, allocation", measured.allocation("gated", "free"), true, 1.02, "");
            report.figure(
                    "spawn of two clients without the gate, time (what chance does)",
                    measured.time("twin", "free"),
                    ClientBench.absolute(measured, "twin", "free"));
        }
        transport.disposeLater().block(Duration.ofSeconds(30));
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
