package run.caracal.bench;

import io.netty.handler.codec.http.HttpHeaders;
import java.util.Objects;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.netty.ByteBufFlux;
import reactor.netty.http.client.HttpClient;
import reactor.netty.resources.ConnectionProvider;
import run.caracal.Caracal;
import run.caracal.internal.propagation.TraceParent;
import run.caracal.netty.NettyHttpTransport;

/** A session around nothing, against the two calls that open and terminate one. */
final class SpawnBench {
    private static final int CONCURRENCY = 32;
    private static final int SESSIONS = Integer.getInteger("bench.requests", 20_000) / 2;
    private static final String OPENING =
            "{\"application_id\":\"app-1\",\"lifecycle\":\"task\",\"ttl_seconds\":3600,\"labels\":[]}";

    private SpawnBench() {}

    static void run(Report report, int rounds) {
        ConnectionProvider pool = ConnectionProvider.builder("bench")
                .maxConnections(NettyHttpTransport.DEFAULT_MAX_CONNECTIONS)
                .maxIdleTime(NettyHttpTransport.MAX_IDLE_TIME)
                .lifo()
                .build();
        try (BenchServer server = BenchServer.start()) {
            Caracal caracal = server.client();
            HttpClient bare = HttpClient.create(pool);
            Rounds measured = new Rounds()
                    .variant("bare", () -> sessions(() -> calls(bare, server.address())))
                    .variant("spawn", () -> sessions(() -> caracal.spawn(context -> Mono.just(context.hop()))))
                    .run(3, rounds);
            report.budget(
                    "spawn and terminate, time",
                    measured.time("spawn", "bare"),
                    true,
                    1.10,
                    ClientBench.absolute(measured, "spawn", "bare"));
            report.figure("spawn and terminate, allocation", measured.allocation("spawn", "bare"), "");
            report.write();
            pool.disposeLater().block();
        }
    }

    /** One session after the other on each of some lanes. */
    private static long sessions(java.util.function.Supplier<Mono<?>> session) {
        var unused =
                Flux.range(0, SESSIONS).flatMap(i -> session.get(), CONCURRENCY).blockLast();
        return SESSIONS;
    }

    /** What has to be sent, answered and read at the least; the bodies are as long as the SDK's. */
    private static Mono<String> calls(HttpClient client, String address) {
        String sessions = address + "/zones/zone-1/agents";
        return client.headers(SpawnBench::identify)
                .headers(headers -> headers.set("Content-Type", "application/json")
                        .set("Idempotency-Key", TraceParent.newTraceId())
                        .set("Idempotency-Key-Kind", "generated"))
                .post()
                .uri(sessions)
                .send(ByteBufFlux.fromString(Mono.just(OPENING)))
                .responseSingle((response, body) -> body.asString())
                .map(SpawnBench::id)
                .flatMap(id -> client.headers(SpawnBench::identify)
                        .delete()
                        .uri(sessions + "/" + id)
                        .responseSingle((response, body) -> Mono.just(id)));
    }

    private static void identify(HttpHeaders headers) {
        headers.set("Authorization", "Bearer " + Canned.TOKEN);
        headers.set("Accept", "application/json");
        headers.set("traceparent", TraceParent.write(null, null));
    }

    private static String id(String answer) {
        String name = "\"agent_session_id\":\"";
        int from = answer.indexOf(name) + name.length();
        return Objects.requireNonNull(answer).substring(from, answer.indexOf('"', from));
    }
}
