package run.caracal.netty;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.springframework.core.io.buffer.DataBuffer;
import org.springframework.core.io.buffer.DataBufferUtils;
import org.springframework.http.client.reactive.ReactorClientHttpConnector;
import org.springframework.web.reactive.function.client.WebClient;
import org.springframework.web.reactive.function.client.WebClientResponseException;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.netty.http.HttpProtocol;
import reactor.netty.http.client.HttpClient;
import reactor.netty.resources.ConnectionProvider;
import reactor.test.StepVerifier;
import reactor.util.context.Context;
import run.caracal.error.AuthorityRevokedException;
import run.caracal.http.HttpRequest;
import run.caracal.webflux.CaracalExchangeFilter;

/** An answer that ends regularly, with the trailer by which the Gateway signals a truncation. */
class CutAnswerTest {
    private static final String ARRIVED =
            IntStream.range(0, 100).mapToObj(i -> i + "\n").collect(Collectors.joining());

    private final ConnectionProvider pool = ConnectionProvider.create("cut", 1);

    @AfterEach
    void release() {
        Await.done(pool.disposeLater());
    }

    static Stream<List<HttpProtocol>> protocols() {
        return Stream.of(List.of(HttpProtocol.HTTP11), List.of(HttpProtocol.H2C));
    }

    private static EchoServer server(List<HttpProtocol> protocols) {
        return new EchoServer("http", it -> it.protocol(protocols.toArray(new HttpProtocol[0])));
    }

    private HttpClient client(List<HttpProtocol> protocols) {
        return HttpClient.create(pool).protocol(protocols.toArray(new HttpProtocol[0]));
    }

    private static void assertCut(Flux<String> body) {
        StringBuilder arrived = new StringBuilder();
        StepVerifier.create(body.doOnNext(arrived::append).then().contextWrite(Context.of("user", "ann")))
                .expectErrorSatisfies(CutAnswerTest::assertRevoked)
                .verify(Await.BOUND);
        assertThat(arrived).hasToString(ARRIVED);
    }

    private static void assertRevoked(Throwable error) {
        assertThat(error)
                .isInstanceOfSatisfying(AuthorityRevokedException.class, cut -> {
                    assertThat(cut.resource()).isEqualTo("resource://billing");
                    assertThat(cut.requestId()).contains("r-cut");
                    assertThat(cut.code()).isEqualTo("authority_revoked");
                    assertThat(cut.isRetryable()).isFalse();
                })
                .hasMessageContaining("resource://billing")
                .hasMessageContaining("may be incomplete")
                .hasMessageContaining("r-cut");
    }

    @ParameterizedTest
    @MethodSource("protocols")
    void theDecoratedClientSignalsItAfterWhatHasArrived(List<HttpProtocol> protocols) {
        try (EchoServer gateway = server(protocols)) {
            HttpClient client = CaracalHttp.decorate(client(protocols), new TestPolicy(gateway.url()));
            var cut = client.get().uri(TestPolicy.BOUND + "/cut");
            assertCut(cut.responseContent().asString());
            assertCut(cut.response((response, body) -> body.asString()));
            assertCut(cut.responseConnection(
                    (response, connection) -> connection.inbound().receive().asString()));
            assertCut(cut.responseSingle((response, body) -> body.asString().onErrorMap(error -> error))
                    .flux()
                    .startWith(ARRIVED));
            // One at a time, because the error follows the queued data.
            assertCut(cut.response((response, body) -> body.asString()).limitRate(1));
            StepVerifier.create(cut.response()
                            .map(answer -> answer.status().code())
                            .contextWrite(Context.of("user", "ann")))
                    .expectNext(200)
                    .expectComplete()
                    .verify(Await.BOUND);
            // The one connection is free for the next call.
            StepVerifier.create(client.get()
                            .uri(TestPolicy.BOUND + "/whole")
                            .responseContent()
                            .aggregate()
                            .asString()
                            .contextWrite(Context.of("user", "ann")))
                    .assertNext(answer -> assertThat(answer).startsWith("GET /whole"))
                    .expectComplete()
                    .verify(Await.BOUND);
        }
    }

    private static String text(DataBuffer piece) {
        String text = piece.toString(StandardCharsets.UTF_8);
        DataBufferUtils.release(piece);
        return text;
    }

    @ParameterizedTest
    @MethodSource("protocols")
    void webClientWithTheFilterSignalsItOnBothReactorNettyConnectors(List<HttpProtocol> protocols) {
        try (EchoServer gateway = server(protocols)) {
            TestPolicy policy = new TestPolicy(gateway.url());
            HttpClient plain = client(protocols);
            for (HttpClient http : List.of(plain, CaracalHttp.decorate(plain, policy))) {
                WebClient web = WebClient.builder()
                        .clientConnector(new ReactorClientHttpConnector(http))
                        .filter(CaracalExchangeFilter.create(policy))
                        .build();
                var cut = web.get().uri(TestPolicy.BOUND + "/cut");
                assertCut(cut.exchangeToFlux(
                        answer -> answer.bodyToFlux(DataBuffer.class).map(CutAnswerTest::text)));
                // WebClient wraps each error of a body that retrieve() meets.
                StepVerifier.create(cut.retrieve().bodyToMono(String.class).contextWrite(Context.of("user", "ann")))
                        .expectErrorSatisfies(error -> assertThat(error)
                                .isInstanceOf(WebClientResponseException.class)
                                .cause()
                                .satisfies(CutAnswerTest::assertRevoked))
                        .verify(Await.BOUND);
            }
        }
    }

    @Test
    void aTrailerFromElsewhereSaysNothing() {
        try (EchoServer gateway = new EchoServer();
                EchoServer other = new EchoServer()) {
            HttpClient client = CaracalHttp.decorate(HttpClient.create(pool), new TestPolicy(gateway.url()));
            Consumer<String> whole = url -> StepVerifier.create(client.followRedirect(true)
                            .headers(headers -> headers.set("x-to", other.url() + "/cut"))
                            .get()
                            .uri(url)
                            .responseContent()
                            .aggregate()
                            .asString()
                            .contextWrite(Context.of("user", "ann")))
                    .expectNext(ARRIVED)
                    .expectComplete()
                    .verify(Await.BOUND);
            whole.accept(other.url() + "/cut");
            whole.accept(TestPolicy.BOUND + "/redirect");
        }
    }

    @Test
    void theTransportHandsTheTrailersOn() {
        NettyHttpTransport transport = NettyHttpTransport.create();
        try (EchoServer gateway = new EchoServer()) {
            Mono<String> answer = transport
                    .exchange(new HttpRequest(
                            "GET", URI.create(gateway.url() + "/cut"), Map.of(), new byte[0], Await.BOUND, 10_000))
                    .map(it -> it.trailer("x-caracal-REVOKED").orElse("") + " "
                            + it.header("x-caracal-revoked").isPresent() + " "
                            + new String(it.body(), StandardCharsets.US_ASCII));
            StepVerifier.create(answer)
                    .expectNext("true false " + ARRIVED)
                    .expectComplete()
                    .verify(Await.BOUND);
        }
        Await.done(transport.disposeLater());
    }
}
