package run.caracal.examples;

import java.io.PrintStream;
import java.time.Duration;
import reactor.core.publisher.Mono;
import reactor.netty.http.client.HttpClient;
import run.caracal.Caracal;
import run.caracal.GatewayRequest;
import run.caracal.http.TransportOptions;
import run.caracal.netty.CaracalHttp;

/** A client with scopes, whose calls each get a one-shot mandate. */
final class ProtectedCall {
    private ProtectedCall() {}

    static void run(PrintStream out) {
        try (Deployment deployment = Deployment.open()) {
            Caracal caracal = deployment.caracal();
            HttpClient http = CaracalHttp.decorate(
                    HttpClient.create(), caracal, TransportOptions.defaults().withScopes(deployment.scope()));
            GatewayRequest request = caracal.gatewayRequest(deployment.resourceId(), deployment.resourcePath());

            Mono<Charge.Answer> charge = caracal.spawn(session -> Charge.with(http, request));
            Mono<Void> shown = charge.doOnNext(answer -> {
                        out.println("gateway " + answer.status() + " " + answer.requestId());
                        deployment.explain(answer.requestId(), out);
                    })
                    .then();
            shown.block(Duration.ofSeconds(60));
        }
    }
}
