package run.caracal.examples;

import java.io.PrintStream;
import java.time.Duration;
import java.util.Objects;
import reactor.core.publisher.Mono;
import reactor.netty.ByteBufFlux;
import reactor.netty.http.client.HttpClient;
import run.caracal.Caracal;
import run.caracal.GatewayRequest;
import run.caracal.netty.CaracalHttp;

/** Opens an agent session, calls a protected resource through the Gateway, and shows the audit trail of the call. */
final class Quickstart {
    private Quickstart() {}

    private record Answer(String session, int status, String requestId, String body) {}

    static void run(PrintStream out) {
        try (Deployment deployment = Deployment.open()) {
            Caracal caracal = deployment.caracal();
            HttpClient http = CaracalHttp.decorate(HttpClient.create(), caracal);
            GatewayRequest request = caracal.gatewayRequest(deployment.resourceId(), deployment.resourcePath());

            Mono<Answer> charge = caracal.spawn(session -> {
                out.println("session " + session.agentSessionId() + " opened");
                return http.headers(headers -> {
                            request.headers().forEach(headers::set);
                            headers.set("Content-Type", "application/json");
                        })
                        .post()
                        .uri(request.url())
                        .send(ByteBufFlux.fromString(Mono.just("{\"amount\": 1200}")))
                        .responseSingle((response, body) -> body.asString()
                                .defaultIfEmpty("")
                                .map(text -> new Answer(
                                        session.agentSessionId(),
                                        response.status().code(),
                                        response.responseHeaders().get("X-Request-Id", "-"),
                                        text)))
                        .doOnNext(answer -> {
                            out.println("gateway " + answer.status() + " " + answer.requestId());
                            out.println(answer.body());
                        });
            });

            Answer answer = Objects.requireNonNull(charge.block(Duration.ofSeconds(60)));
            deployment.explain(answer.requestId(), out);
            out.println("session " + answer.session() + " closed");
        }
    }
}
