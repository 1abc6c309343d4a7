package run.caracal.examples;

import java.io.PrintStream;
import java.time.Duration;
import reactor.core.publisher.Mono;
import reactor.netty.http.client.HttpClient;
import run.caracal.Caracal;
import run.caracal.GatewayRequest;
import run.caracal.netty.CaracalHttp;

/** Opens an agent session, calls a protected resource through the Gateway, and shows the audit trail of the call. */
final class Quickstart {
    private Quickstart() {}

    static void run(PrintStream out) {
        try (Deployment deployment = Deployment.open()) {
            Caracal caracal = deployment.caracal();
            HttpClient http = CaracalHttp.decorate(HttpClient.create(), caracal);
            GatewayRequest request = caracal.gatewayRequest(deployment.resourceId(), deployment.resourcePath());

            Mono<String> charge = caracal.spawn(session -> {
                out.println("session " + session.agentSessionId() + " opened");
                return Charge.with(http, request)
                        .doOnNext(answer -> {
                            out.println("gateway " + answer.status() + " " + answer.requestId());
                            out.println(answer.body());
                            deployment.explain(answer.requestId(), out);
                        })
                        .thenReturn(session.agentSessionId());
            });

            out.println("session " + charge.block(Duration.ofSeconds(60)) + " closed");
        }
    }
}
