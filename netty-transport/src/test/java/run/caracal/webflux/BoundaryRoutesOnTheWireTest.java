package run.caracal.webflux;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.handler.codec.http.HttpHeaders;
import io.netty.handler.codec.http.HttpMethod;
import java.nio.charset.StandardCharsets;
import java.util.Objects;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.springframework.http.server.reactive.ReactorHttpHandlerAdapter;
import org.springframework.web.server.adapter.WebHttpHandlerBuilder;
import reactor.core.publisher.Mono;
import reactor.netty.http.client.HttpClient;
import reactor.netty.resources.ConnectionProvider;
import run.caracal.Boundary;
import run.caracal.BoundaryRoutes;
import run.caracal.Caracal;
import run.caracal.InboundRequests;
import run.caracal.netty.Await;
import run.caracal.netty.BoundaryServer;
import run.caracal.netty.CaracalHttpServer;
import run.caracal.test.FakePlatform;

/** Boundaries by path and method, on both servers. */
class BoundaryRoutesOnTheWireTest {
    private static final Boundary VERIFIED = Boundary.verified(InboundRequests.bySession());
    private static final BoundaryRoutes ROUTES = BoundaryRoutes.builder(VERIFIED)
            .except("/health")
            .route("GET", "/open/**", VERIFIED.optional())
            .build();

    private final Caracal caracal = new FakePlatform().client();
    private final ConnectionProvider pool = ConnectionProvider.create("test", 4);

    enum Server {
        NETTY {
            @Override
            BoundaryServer start(Caracal caracal) {
                return new BoundaryServer(CaracalHttpServer.boundary(
                        caracal, ROUTES, (request, response) -> response.sendString(Mono.just("handled"))));
            }
        },
        WEBFLUX {
            @Override
            BoundaryServer start(Caracal caracal) {
                return new BoundaryServer(new ReactorHttpHandlerAdapter(WebHttpHandlerBuilder.webHandler(exchange ->
                                exchange.getResponse()
                                        .writeWith(Mono.fromSupplier(() -> exchange.getResponse()
                                                .bufferFactory()
                                                .wrap("handled".getBytes(StandardCharsets.UTF_8)))))
                        .filter(CaracalWebFilter.create(caracal, ROUTES))
                        .build()));
            }
        };

        abstract BoundaryServer start(Caracal caracal);
    }

    @AfterEach
    void close() {
        Await.done(caracal.disposeLater());
        Await.done(pool.disposeLater());
    }

    private int status(BoundaryServer server, HttpMethod method, String path, Consumer<HttpHeaders> headers) {
        return Objects.requireNonNull(HttpClient.create(pool)
                .headers(headers)
                .request(method)
                .uri(server.url() + path)
                .responseSingle((response, body) -> body.asString()
                        .defaultIfEmpty("")
                        .map(text -> response.status().code()))
                .block(Await.BOUND));
    }

    @ParameterizedTest
    @EnumSource
    void eachRequestMeetsItsOwnBoundary(Server kind) {
        try (BoundaryServer server = kind.start(caracal)) {
            Consumer<HttpHeaders> nothing = headers -> {};
            assertThat(status(server, HttpMethod.GET, "/work", nothing)).isEqualTo(401);
            assertThat(status(server, HttpMethod.GET, "/health", nothing)).isEqualTo(200);
            assertThat(status(server, HttpMethod.GET, "/open/x?y=1", nothing)).isEqualTo(200);
            assertThat(status(server, HttpMethod.POST, "/open/x", nothing)).isEqualTo(401);
            assertThat(status(server, HttpMethod.GET, "/open/..%2fwork", nothing))
                    .isEqualTo(400);
            assertThat(status(
                            server,
                            HttpMethod.GET,
                            "/work",
                            headers -> headers.set("Authorization", "Bearer token-of-session-1")))
                    .isEqualTo(200);
        }
    }

    @ParameterizedTest
    @EnumSource
    void onlyAPreflightPassesWithoutABearer(Server kind) {
        try (BoundaryServer server = kind.start(caracal)) {
            assertThat(status(
                            server,
                            HttpMethod.OPTIONS,
                            "/work",
                            headers -> headers.set("Origin", "https://a.example")
                                    .set("Access-Control-Request-Method", "POST")))
                    .isEqualTo(200);
            assertThat(status(server, HttpMethod.OPTIONS, "/work", headers -> {}))
                    .isEqualTo(401);
            assertThat(status(
                            server,
                            HttpMethod.GET,
                            "/work",
                            headers -> headers.set("Origin", "https://a.example")
                                    .set("Access-Control-Request-Method", "POST")))
                    .isEqualTo(401);
        }
    }
}
