package run.caracal.bench;

import java.util.function.Supplier;
import reactor.core.publisher.Mono;
import reactor.netty.http.client.HttpClient;
import reactor.netty.resources.ConnectionProvider;
import run.caracal.Caracal;
import run.caracal.http.TransportOptions;
import run.caracal.netty.CaracalHttp;

/** An empty session and one around a call, against the calls that they consist of; and the heap of an open one. */
final class SpawnBench {
    private static final int SESSIONS = Integer.getInteger("bench.requests", 20_000) / 2;
    private static final int OPEN = Integer.getInteger("bench.sessions", 10_000);
    private static final double MOST_HEAP = 3 * 1024;
    private static final int MOST_REQUESTS = 6;

    private SpawnBench() {}

    static void run(Report report, int rounds) {
        // The many lanes first: their sessions compile the code that one lane would wait for during all of its rounds.
        for (int lanes : new int[] {32, 1}) {
            lanes(report, rounds, lanes);
        }
        heap(report);
        report.write();
    }

    private static void lanes(Report report, int rounds, int lanes) {
        int sessions = lanes == 1 ? SESSIONS / 4 : SESSIONS;
        ConnectionProvider pool = BareCalls.pool(lanes);
        try (BenchServer server = BenchServer.start()) {
            Caracal caracal = BenchServer.client(server.address());
            HttpClient client = HttpClient.create(pool);
            BareCalls bare = new BareCalls(client, server.address());
            HttpClient scoped = CaracalHttp.decorate(
                    client, caracal, TransportOptions.defaults().withScopes(Canned.SCOPE));
            Supplier<Mono<?>> withCall =
                    () -> caracal.spawn(context -> ClientBench.get(scoped, Canned.UPSTREAM + ClientBench.PATH));
            Rounds measured = new Rounds()
                    .connections(server::connections)
                    .variant("bare", () -> Lanes.run(lanes, sessions, bare::session))
                    .variant(
                            "spawn",
                            () -> Lanes.run(lanes, sessions, () -> caracal.spawn(context -> Mono.just(context.hop()))))
                    .variant("bare call", () -> Lanes.run(lanes, sessions / 3, bare::sessionWithCall))
                    .variant("spawn with call", () -> Lanes.run(lanes, sessions / 3, withCall))
                    .run(3, rounds);
            String on = lanes == 1 ? ", 1 lane" : ", " + lanes + " lanes";
            report.costs("spawn and terminate" + on, measured, "spawn", "bare", 1.5, 1.6);
            report.costs("spawn with a call on demand" + on, measured, "spawn with call", "bare call", 1.5, 1.6);
            if (lanes == 1) {
                long before = server.requests();
                var unused = withCall.get().block();
                long requests = server.requests() - before;
                report.value(
                        "spawn with a call on demand, requests",
                        String.valueOf(requests),
                        "at most " + MOST_REQUESTS,
                        requests <= MOST_REQUESTS ? "yes" : "**no**",
                        "");
            }
            pool.disposeLater().block();
        }
    }

    private static void heap(Report report) {
        try (BenchServer server = BenchServer.start()) {
            Caracal caracal = BenchServer.client(server.address());
            // The first sessions allocate the state that all share.
            var first = ClientBench.openSessions(caracal, 1_000);
            long before = LeaseBench.heap();
            var open = ClientBench.openSessions(caracal, OPEN);
            double each = (LeaseBench.heap() - before) / (double) OPEN;
            report.value(
                    "an open session, heap",
                    Stat.number(each) + " B",
                    "at most " + Stat.number(MOST_HEAP) + " B",
                    each <= MOST_HEAP ? "yes" : "**no**",
                    OPEN + " of them on the SDK's own transport, with their subscribers");
            open.dispose();
            first.dispose();
        }
    }
}
