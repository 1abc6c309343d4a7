package run.caracal.webflux;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.springframework.http.codec.ServerCodecConfigurer;
import org.springframework.http.server.reactive.ReactorHttpHandlerAdapter;
import org.springframework.web.server.WebFilter;
import org.springframework.web.server.adapter.WebHttpHandlerBuilder;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;
import reactor.netty.http.client.HttpClient;
import run.caracal.error.InboundException;
import run.caracal.error.InboundException.Reason;
import run.caracal.http.InboundPolicy;
import run.caracal.netty.Await;
import run.caracal.netty.BoundaryContract;
import run.caracal.netty.BoundaryServer;

class CaracalWebFilterTest extends BoundaryContract {
    @Override
    protected BoundaryServer server(InboundPolicy policy, Mono<String> work) {
        return server(CaracalWebFilter.create(policy), work);
    }

    private static BoundaryServer server(CaracalWebFilter filter, Mono<String> work) {
        // Behind a change of threads and a filter that tries again.
        WebFilter before = (exchange, chain) -> Mono.just(1)
                .publishOn(Schedulers.boundedElastic())
                .then(Mono.defer(() -> chain.filter(exchange)))
                .retry(3);
        WebFilter after = (exchange, chain) -> exchange.getAttributes().put("tried", true) == null
                ? Mono.error(new IllegalStateException("the first try fails"))
                : chain.filter(exchange);
        return new BoundaryServer(new ReactorHttpHandlerAdapter(WebHttpHandlerBuilder.webHandler(exchange ->
                        exchange.getResponse()
                                .writeWith(work.map(text -> exchange.getResponse()
                                        .bufferFactory()
                                        .wrap(text.getBytes(StandardCharsets.UTF_8)))))
                .filter(before, filter, after)
                // Made here, because Spring reads a file for the first one.
                .codecConfigurer(ServerCodecConfigurer.create())
                .build()));
    }

    @Test
    void someRequestsAreLeftAlone() {
        InboundPolicy closed = headers -> Mono.error(new InboundException(Reason.MISSING_TOKEN, "nobody"));
        CaracalWebFilter filter = CaracalWebFilter.create(closed)
                .except(exchange -> exchange.getRequest().getPath().value().equals("/health"))
                .except(exchange -> exchange.getRequest().getPath().value().equals("/ready"));
        try (BoundaryServer server = server(filter, Mono.just("fine"))) {
            assertThat(status(server, "/health")).isEqualTo(200);
            assertThat(status(server, "/ready")).isEqualTo(200);
            assertThat(status(server, "/health/x")).isEqualTo(401);
        }
    }

    private static int status(BoundaryServer server, String path) {
        return Objects.requireNonNull(HttpClient.newConnection()
                .get()
                .uri(server.url() + path)
                .response()
                .map(response -> response.status().code())
                .block(Await.BOUND));
    }
}
