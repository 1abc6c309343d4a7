package run.caracal.examples;

import java.io.PrintStream;
import java.time.Duration;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.netty.ByteBufFlux;
import reactor.netty.http.client.HttpClient;
import run.caracal.Caracal;
import run.caracal.SpawnOptions;
import run.caracal.netty.CaracalHttp;

/** Fans out over many items inside one session, which is one more operator of the pipeline. */
final class Pipeline {
    private static final int INVOICES = 50;
    private static final int AT_ONCE = 8;

    private Pipeline() {}

    static void run(PrintStream out) {
        try (Deployment deployment = Deployment.open()) {
            Caracal caracal = deployment.caracal();
            HttpClient http = CaracalHttp.decorate(HttpClient.create(), caracal);
            String url = deployment.upstreamUrl() + deployment.resourcePath();
            SpawnOptions options = SpawnOptions.builder()
                    .labels("invoice-batch")
                    .ttl(Duration.ofMinutes(10))
                    .build();

            Flux<String> charged = caracal.spawnMany(options, session -> {
                out.println("session " + session.agentSessionId() + " opened");
                return Flux.range(1, INVOICES)
                        .flatMap(invoice -> charge(http, url, invoice), AT_ONCE)
                        .doOnComplete(() -> out.println("all charged"));
            });
            Long succeeded = charged.filter("200"::equals).count().block(Duration.ofSeconds(60));
            out.println(succeeded + " of " + INVOICES + " invoices charged");
            out.println("session closed");
        }
    }

    private static Mono<String> charge(HttpClient http, String url, int invoice) {
        return http.headers(headers -> headers.set("Content-Type", "application/json"))
                .post()
                .uri(url)
                .send(ByteBufFlux.fromString(Mono.just("{\"amount\": " + 100 * invoice + "}")))
                .responseSingle((response, body) -> body.asString()
                        .defaultIfEmpty("")
                        .thenReturn(response.status().codeAsText().toString()));
    }
}
