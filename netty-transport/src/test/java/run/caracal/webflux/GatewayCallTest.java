package run.caracal.webflux;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutionException;
import java.util.function.Function;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.springframework.http.client.reactive.ClientHttpConnector;
import org.springframework.http.client.reactive.JdkClientHttpConnector;
import org.springframework.http.client.reactive.ReactorClientHttpConnector;
import org.springframework.web.reactive.function.client.ClientRequest;
import org.springframework.web.reactive.function.client.ExchangeFilterFunction;
import org.springframework.web.reactive.function.client.ExchangeFilterFunctions;
import org.springframework.web.reactive.function.client.WebClient;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;
import reactor.netty.http.client.HttpClient;
import reactor.netty.resources.ConnectionProvider;
import reactor.netty.resources.LoopResources;
import reactor.test.StepVerifier;
import run.caracal.Caracal;
import run.caracal.event.CaracalEvent;
import run.caracal.event.CaracalEvent.GatewayCall;
import run.caracal.http.Propagation;
import run.caracal.http.TransportOptions;
import run.caracal.netty.Await;
import run.caracal.netty.CaracalHttp;
import run.caracal.netty.EchoServer;
import run.caracal.test.FakePlatform;
import run.caracal.test.Logged;

/** A request to the Gateway is one event, through each client and with any outcome. */
class GatewayCallTest {
    private static final String RESOURCE = "resource://billing-api";

    private final EchoServer gateway = new EchoServer();
    private final EchoServer other = new EchoServer();
    private final FakePlatform platform = new FakePlatform();
    private final ConnectionProvider pool = ConnectionProvider.create("test", 8);
    private final Caracal caracal =
            Caracal.create(platform.config().gatewayUrl(gateway.url()).build());
    private final HttpClient plain = HttpClient.create(pool);
    private final HttpClient decorated =
            CaracalHttp.decorate(plain, caracal).headers(headers -> headers.set("X-Caracal-Resource", RESOURCE));
    private final Queue<GatewayCall> calls = new ConcurrentLinkedQueue<>();

    GatewayCallTest() {
        var listening = caracal.onOperation((event, context) -> {
            if (event instanceof GatewayCall call) {
                calls.add(call);
            }
        });
        assertThat(listening.isDisposed()).isFalse();
    }

    @AfterEach
    void close() {
        Await.done(caracal.disposeLater());
        assertThat(platform.live()).isEmpty();
        Await.done(pool.disposeLater());
        gateway.close();
        other.close();
    }

    private void run(Mono<?> call) {
        StepVerifier.create(caracal.spawn(context -> call.then()))
                .expectComplete()
                .verify(Await.BOUND);
    }

    private List<String> outcomes() {
        return calls.stream()
                .map(call -> call.resource() + " " + call.completion().outcome() + " "
                        + call.completion().status() + " " + call.completion().code())
                .toList();
    }

    @Test
    void anAnswerIsOneEvent_withTheRequestIdOfTheRequest() {
        run(decorated.get().uri(gateway.url() + "/x").response());
        assertThat(outcomes()).containsExactly(RESOURCE + " SUCCESS 200 null");
        assertThat(calls.element().completion().requestId())
                .isEqualTo(gateway.only().all("X-Request-Id").get(0));
        run(decorated
                .get()
                .uri(gateway.url() + "/y")
                .responseContent()
                .aggregate()
                .asString());
        run(decorated.get().uri(gateway.url() + "/status/503").responseSingle((r, body) -> body.asString()));
        assertThat(outcomes())
                .containsExactly(
                        RESOURCE + " SUCCESS 200 null",
                        RESOURCE + " SUCCESS 200 null",
                        RESOURCE + " FAILURE 503 http_status");
    }

    @Test
    void aRoutedAddressCounts_andOtherAddressesDoNot() {
        HttpClient client = CaracalHttp.decorate(plain, caracal, toOther());
        run(client.get().uri(FakePlatform.BILLING + "/charge").response());
        run(client.get().uri(other.url() + "/elsewhere").response());
        assertThat(other.only().all("Authorization")).isNotEmpty();
        assertThat(outcomes()).containsExactly(RESOURCE + " SUCCESS 200 null");
    }

    private TransportOptions toOther() {
        return TransportOptions.defaults().withPropagation(Propagation.origins(other.url()));
    }

    /** Holds for any order of the filters, and for filters that set or add the header. */
    @Test
    void aCallersAuthorizationStaysAtOriginsOfOthersAndOursGoesToTheGateway() {
        ExchangeFilterFunction identity = CaracalExchangeFilter.create(caracal, toOther());
        ExchangeFilterFunction basic = ExchangeFilterFunctions.basicAuthentication("user", "password");
        ExchangeFilterFunction adding = (request, next) -> next.exchange(ClientRequest.from(request)
                .headers(headers -> headers.add("Authorization", "Basic dXNlcjpwYXNzd29yZA=="))
                .build());
        for (HttpClient client : List.of(plain, CaracalHttp.decorate(plain, caracal, toOther()))) {
            for (List<ExchangeFilterFunction> filters :
                    List.of(List.of(identity, basic), List.of(basic, identity), List.of(identity, adding))) {
                WebClient web = WebClient.builder()
                        .clientConnector(new ReactorClientHttpConnector(client))
                        .filters(all -> all.addAll(filters))
                        .build();
                run(web.get().uri(other.url() + "/theirs").retrieve().toBodilessEntity());
                run(web.get().uri(FakePlatform.BILLING + "/ours").retrieve().toBodilessEntity());
            }
        }
        assertThat(other.arrivals).hasSize(6).allSatisfy(arrival -> {
            assertThat(arrival.all("Authorization")).containsExactly("Basic dXNlcjpwYXNzd29yZA==");
            assertThat(arrival.header("baggage")).contains("caracal.agent_session");
        });
        assertThat(gateway.arrivals)
                .hasSize(6)
                .allSatisfy(arrival -> assertThat(arrival.all("Authorization"))
                        .singleElement()
                        .asString()
                        .startsWith("Bearer "));
    }

    /** The warning appears once per client, through each adapter. */
    @Test
    void aResourceWithoutScopesIsNamedAtItsFirst401ThroughEveryAdapter() {
        Function<Caracal, HttpClient> decorating = client ->
                CaracalHttp.decorate(plain, client).headers(headers -> headers.set("X-Caracal-Resource", RESOURCE));
        List<Function<Caracal, Mono<?>>> adapters = List.of(
                client -> decorating.apply(client).get().uri(refusal()).response(),
                client -> decorating
                        .apply(client)
                        .get()
                        .uri(refusal())
                        .responseContent()
                        .then(),
                client -> CaracalHttp.forResource(plain, client, RESOURCE)
                        .get()
                        .uri("/status/401")
                        .response(),
                client -> refused(client, new ReactorClientHttpConnector(plain)),
                client -> refused(client, new ReactorClientHttpConnector(CaracalHttp.decorate(plain, client))),
                client -> refused(client, new JdkClientHttpConnector()));
        for (Function<Caracal, Mono<?>> adapter : adapters) {
            Caracal client =
                    Caracal.create(platform.config().gatewayUrl(gateway.url()).build());
            String logged = Logged.during(() -> {
                for (int i = 0; i < 2; i++) {
                    StepVerifier.create(client.spawn(
                                    context -> adapter.apply(client).then()))
                            .expectComplete()
                            .verify(Await.BOUND);
                }
                Await.done(client.disposeLater());
            });
            assertThat(logged.lines().filter(line -> line.contains("No scopes are known")))
                    .singleElement()
                    .asString()
                    .contains("WARN", RESOURCE, "CARACAL_RESOURCE_SCOPES");
        }
        assertThat(gateway.arrivals).hasSize(2 * adapters.size());
    }

    private String refusal() {
        return gateway.url() + "/status/401";
    }

    private Mono<?> refused(Caracal client, ClientHttpConnector connector) {
        return WebClient.builder()
                .clientConnector(connector)
                .filter(CaracalExchangeFilter.create(client))
                .build()
                .get()
                .uri(refusal())
                .header("X-Caracal-Resource", RESOURCE)
                .exchangeToMono(answer -> answer.releaseBody());
    }

    @Test
    void everyResolvedAttemptCounts() {
        run(decorated
                .get()
                .uri(gateway.url() + "/status/500")
                .responseSingle((response, body) -> Mono.error(new IllegalStateException("again")))
                .retry(2)
                .onErrorComplete());
        assertThat(outcomes()).hasSize(3).containsOnly(RESOURCE + " FAILURE 500 http_status");
    }

    @Test
    void aCallThatFailsOrIsCancelledIsAnEvent() {
        Sinks.Empty<Void> arrived = Sinks.empty();
        run(decorated
                .doAfterRequest((request, connection) -> arrived.tryEmitEmpty().orThrow())
                .get()
                .uri(gateway.url() + "/hang")
                .response()
                .takeUntilOther(arrived.asMono()));
        assertThat(outcomes()).containsExactly(RESOURCE + " CANCELLED 0 null");
        calls.clear();
        gateway.close();
        run(decorated.get().uri(gateway.url() + "/x").response().onErrorComplete());
        assertThat(calls).singleElement().satisfies(call -> {
            assertThat(call.completion().code()).isEqualTo("error");
            assertThat(call.completion().status()).isZero();
        });
    }

    @Test
    void filterAndDecoratorOnTopOfEachOtherCountOnce() {
        Function<HttpClient, WebClient> filtered = client -> WebClient.builder()
                .clientConnector(new ReactorClientHttpConnector(client))
                .filter(CaracalExchangeFilter.create(caracal))
                .build();
        for (HttpClient client : List.of(plain, CaracalHttp.decorate(plain, caracal))) {
            calls.clear();
            WebClient web = filtered.apply(client);
            run(web.get().uri(FakePlatform.BILLING + "/ok").retrieve().bodyToMono(String.class));
            run(web.get()
                    .uri(FakePlatform.BILLING + "/status/404")
                    .retrieve()
                    .toBodilessEntity()
                    .onErrorComplete());
            assertThat(outcomes())
                    .containsExactly(RESOURCE + " SUCCESS 200 null", RESOURCE + " FAILURE 404 http_status");
        }
    }

    /** Block() on an event loop is Reactor's own error, and the session ends all the same. */
    @Test
    void blockOnAnEventLoopFailsClearlyAndLeavesNoSession() throws InterruptedException {
        LoopResources loops = LoopResources.create("blocked", 1, true);
        try {
            Sinks.Empty<Void> gate = Sinks.empty();
            platform.next(FakePlatform::isOpen, real -> real.delayUntil(opened -> gate.asMono()));
            List<CaracalEvent> closed = new CopyOnWriteArrayList<>();
            var listening = caracal.onOperation((event, context) -> {
                if (event instanceof CaracalEvent.SessionClosed) {
                    closed.add(event);
                }
            });
            Throwable error = null;
            try {
                loops.onClient(true)
                        .next()
                        .submit(() -> caracal.spawn(context -> Mono.just(1)).block())
                        .get();
            } catch (ExecutionException e) {
                error = e.getCause();
            }
            assertThat(error)
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("block()")
                    .hasMessageContaining("blocked-");
            gate.tryEmitEmpty().orThrow();
            assertThat(platform.opened()).isEqualTo(1);
            Await.done(caracal.disposeLater());
            assertThat(platform.live()).isEmpty();
            assertThat(closed).hasSize(1);
            listening.dispose();
        } finally {
            Await.done(loops.disposeLater());
        }
    }
}
