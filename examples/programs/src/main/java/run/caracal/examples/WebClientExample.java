package run.caracal.examples;

import java.io.PrintStream;
import java.time.Duration;
import java.util.Map;
import org.springframework.http.client.reactive.ReactorClientHttpConnector;
import org.springframework.web.reactive.function.client.WebClient;
import reactor.core.publisher.Mono;
import reactor.netty.http.client.HttpClient;
import run.caracal.Caracal;
import run.caracal.GatewayRequest;
import run.caracal.netty.CaracalHttp;
import run.caracal.webflux.CaracalExchangeFilter;

/** The same identity through each kind of client: decorate it once, use it everywhere. */
final class WebClientExample {
    private WebClientExample() {}

    static void run(PrintStream out) {
        try (Deployment deployment = Deployment.open()) {
            Caracal caracal = deployment.caracal();
            WebClient filtered = WebClient.builder()
                    .filter(CaracalExchangeFilter.create(caracal))
                    .build();
            WebClient decorated = WebClient.builder()
                    .clientConnector(new ReactorClientHttpConnector(CaracalHttp.decorate(HttpClient.create(), caracal)))
                    .build();
            GatewayRequest request = caracal.gatewayRequest(deployment.resourceId(), deployment.resourcePath());
            String upstream = deployment.upstreamUrl() + deployment.resourcePath();

            Mono<Void> calls = caracal.spawn(session -> {
                out.println("session " + session.agentSessionId() + " opened");
                return charge(filtered, upstream, Map.of())
                        .doOnNext(status -> out.println("filter, the resource's own address: " + status))
                        .then(charge(filtered, request.url(), request.headers()))
                        .doOnNext(status -> out.println("filter, gatewayRequest: " + status))
                        .then(charge(decorated, upstream, Map.of()))
                        .doOnNext(status -> out.println("decorated client, the resource's own address: " + status))
                        .then(charge(decorated, request.url(), request.headers()))
                        .doOnNext(status -> out.println("decorated client, gatewayRequest: " + status))
                        .then();
            });
            calls.block(Duration.ofSeconds(60));
            out.println("session closed");
        }
    }

    private static Mono<Integer> charge(WebClient client, String url, Map<String, String> headers) {
        return client.post()
                .uri(url)
                .headers(all -> headers.forEach(all::set))
                .header("Content-Type", "application/json")
                .bodyValue("{\"amount\": 1200}")
                .exchangeToMono(response ->
                        response.releaseBody().thenReturn(response.statusCode().value()));
    }
}
