package run.caracal.bench;

import java.util.List;
import reactor.netty.http.client.HttpClient;
import reactor.netty.resources.ConnectionProvider;
import reactor.util.context.Context;
import reactor.util.context.ContextView;
import run.caracal.Caracal;
import run.caracal.CaracalContext;
import run.caracal.FetchRequest;
import run.caracal.http.TransportOptions;
import run.caracal.netty.CaracalHttp;
import run.caracal.webflux.CaracalExchangeFilter;

/** A call with its own mandate, against mint and call without the SDK. */
final class ScopedBench {
    private static final double MOST_BYTES = 1.5;
    private static final int CALLS = Integer.getInteger("bench.requests", 20_000) / 2;
    private static final String BOUND = Canned.UPSTREAM + ClientBench.PATH;

    private ScopedBench() {}

    static void run(Report report, int rounds) {
        // The many lanes first, as with SpawnBench.
        lanes(report, rounds, 32, CALLS, 1.5);
        lanes(report, rounds, 1, CALLS / 4, 1.3);
        report.write();
    }

    private static void lanes(Report report, int rounds, int lanes, int calls, double most) {
        ConnectionProvider pool = BareCalls.pool(lanes);
        try (BenchServer server = BenchServer.start()) {
            Caracal caracal = BenchServer.client(server.address());
            CaracalContext session = ClientBench.openSession(caracal);
            ContextView context = InMemory.context(caracal, session);
            HttpClient client = HttpClient.create(pool);
            BareCalls bare = new BareCalls(client, server.address());
            TransportOptions scopes = TransportOptions.defaults().withScopes(Canned.SCOPE);
            HttpClient decorated = CaracalHttp.decorate(client, caracal, scopes);
            var filtered = ClientBench.web(client)
                    .filter(CaracalExchangeFilter.create(caracal, scopes))
                    .build();
            var plainWeb = ClientBench.web(client).build();
            HttpClient application =
                    CaracalHttp.decorate(client, caracal.applicationTransport(Canned.RESOURCE, Canned.SCOPE));
            FetchRequest fetch = FetchRequest.builder(Canned.RESOURCE, ClientBench.PATH)
                    .scopes(Canned.SCOPE)
                    .build();
            String id = session.agentSessionId();
            String edge = Canned.id();
            Rounds measured = new Rounds()
                    .connections(server::connections)
                    .variant("bare", () -> Lanes.run(lanes, calls, () -> bare.scoped(id, edge)))
                    .variant(
                            "bare web",
                            () -> Lanes.run(
                                    lanes,
                                    calls,
                                    () -> bare.mint(id, edge).flatMap(mandate -> bare.call(plainWeb, mandate))))
                    .variant(
                            "HttpClient",
                            () -> Lanes.run(lanes, calls, context, () -> ClientBench.get(decorated, BOUND)))
                    .variant(
                            "WebClient", () -> Lanes.run(lanes, calls, context, () -> ClientBench.get(filtered, BOUND)))
                    .variant("fetch", () -> Lanes.run(lanes, calls, context, () -> caracal.fetch(fetch)))
                    .variant(
                            "application",
                            () -> Lanes.run(lanes, calls, Context.empty(), () -> ClientBench.get(application, BOUND)))
                    .run(3, rounds);
            String on = lanes == 1 ? ", 1 lane" : ", " + lanes + " lanes";
            for (String way : List.of("HttpClient", "WebClient", "fetch", "application")) {
                report.costs(
                        (way.equals("application") ? "application call" : "scoped call, " + way) + on,
                        measured,
                        way,
                        way.equals("WebClient") ? "bare web" : "bare",
                        most,
                        MOST_BYTES);
            }
            pool.disposeLater().block();
        }
    }
}
