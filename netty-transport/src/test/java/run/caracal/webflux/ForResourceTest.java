package run.caracal.webflux;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.springframework.http.client.reactive.ReactorClientHttpConnector;
import org.springframework.web.reactive.function.client.WebClient;
import org.springframework.web.reactive.function.client.support.WebClientAdapter;
import org.springframework.web.service.annotation.GetExchange;
import org.springframework.web.service.annotation.HttpExchange;
import org.springframework.web.service.invoker.HttpServiceProxyFactory;
import reactor.core.publisher.Mono;
import reactor.netty.http.client.HttpClient;
import reactor.netty.resources.ConnectionProvider;
import reactor.test.StepVerifier;
import run.caracal.Caracal;
import run.caracal.error.NoContextException;
import run.caracal.error.RoutingException;
import run.caracal.netty.Await;
import run.caracal.netty.CaracalHttp;
import run.caracal.netty.EchoServer;
import run.caracal.netty.EchoServer.Arrival;
import run.caracal.test.FakePlatform;

/** A client for one resource: relative addresses reach it through the Gateway, and no other address is called. */
class ForResourceTest {
    private static final String BILLING = "resource://billing-api";
    private static final String LEDGER = "resource://ledger";

    private final EchoServer gateway = new EchoServer();
    private final FakePlatform platform = new FakePlatform();
    private final ConnectionProvider pool = ConnectionProvider.create("test", 8);
    private final Caracal caracal =
            Caracal.create(platform.config().gatewayUrl(gateway.url() + "/gw").build());
    private final HttpClient http = HttpClient.create(pool);
    private final HttpClient billing = CaracalHttp.forResource(http, caracal, BILLING);
    private final WebClient.Builder builder = WebClient.builder().clientConnector(new ReactorClientHttpConnector(http));
    private final WebClient web = builder.clone()
            .filter(CaracalExchangeFilter.forResource(caracal, BILLING))
            .build();

    @AfterEach
    void close() {
        Await.done(caracal.disposeLater());
        Await.done(pool.disposeLater());
        gateway.close();
    }

    private Mono<Void> inSession(Mono<?> call) {
        return caracal.spawn(session -> call.then());
    }

    private void arrives(Mono<?> call, String resource, String uri) {
        StepVerifier.create(inSession(call)).expectComplete().verify(Await.BOUND);
        Arrival arrival = gateway.only();
        assertThat(arrival.uri()).isEqualTo(uri);
        assertThat(arrival.all("X-Caracal-Resource")).containsExactly(resource);
        assertThat(arrival.header("Authorization")).startsWith("Bearer ");
    }

    private void isRefused(Mono<?> call) {
        StepVerifier.create(inSession(call)).expectError(RoutingException.class).verify(Await.BOUND);
        gateway.quiet();
    }

    private static Mono<?> get(WebClient client, String uri) {
        return client.get().uri(uri).retrieve().toBodilessEntity();
    }

    @Test
    void aRelativeAddressGoesToTheResource() {
        arrives(billing.get().uri("/invoices?open=%20a").response(), BILLING, "/gw/invoices?open=%20a");
    }

    @Test
    void aRelativeAddressOfAWebClientGoesToTheResource() {
        arrives(
                web.get().uri("/invoices/{id}?open=yes", "a b").retrieve().toBodilessEntity(),
                BILLING,
                "/gw/invoices/a%20b?open=yes");
    }

    @Test
    void aResourceThatIsNotBoundIsCalledToo() {
        WebClient ledger = builder.filter(CaracalExchangeFilter.forResource(caracal, LEDGER))
                .build();
        arrives(get(ledger, "entries"), LEDGER, "/gw/entries");
    }

    /** Boot's builder adds the general filter before that of the resource. */
    @Test
    void aGeneralFilterBeforeItLeavesRelativeAddressesAlone() {
        WebClient both = builder.filter(CaracalExchangeFilter.create(caracal))
                .filter(CaracalExchangeFilter.forResource(caracal, LEDGER))
                .build();
        arrives(get(both, "/entries"), LEDGER, "/gw/entries");
    }

    @Test
    void aGeneralFilterBehindItMintsNothingMore() {
        WebClient both = builder.filter(CaracalExchangeFilter.forResource(caracal, LEDGER))
                .filter(CaracalExchangeFilter.create(caracal))
                .build();
        arrives(get(both, "/entries"), LEDGER, "/gw/entries");
    }

    @Test
    void onADecoratedClientItKeepsItsResource() {
        WebClient onTop = WebClient.builder()
                .clientConnector(new ReactorClientHttpConnector(CaracalHttp.decorate(http, caracal)))
                .filter(CaracalExchangeFilter.forResource(caracal, LEDGER))
                .build();
        arrives(get(onTop, "/entries"), LEDGER, "/gw/entries");
    }

    @Test
    void anInterfaceOfHttpExchangesIsAClientOfTheResource() {
        Entries entries = HttpServiceProxyFactory.builderFor(WebClientAdapter.create(web))
                .build()
                .createClient(Entries.class);
        arrives(entries.all(), BILLING, "/gw/entries/all");
    }

    @HttpExchange("/entries")
    interface Entries {
        @GetExchange("/all")
        Mono<Void> all();
    }

    @Test
    void nothingGoesElsewhere() {
        isRefused(billing.get().uri("https://elsewhere.example/x").response());
        isRefused(billing.get().uri(gateway.url() + "/outside").response());
        isRefused(billing.get().uri("/../x").response());
        isRefused(get(web, "https://elsewhere.example/x"));
        isRefused(get(web, "//elsewhere.example/x"));
        isRefused(get(web, "/a/../../x"));
    }

    @Test
    void noOtherResourceIsNamed() {
        isRefused(billing.headers(headers -> headers.set("X-Caracal-Resource", LEDGER))
                .get()
                .uri("/x")
                .response());
        isRefused(web.get()
                .uri("/x")
                .header("X-Caracal-Resource", LEDGER)
                .retrieve()
                .toBodilessEntity());
    }

    @Test
    void withoutASessionNothingIsSent() {
        StepVerifier.create(billing.get().uri("/x").response())
                .expectError(NoContextException.class)
                .verify(Await.BOUND);
        StepVerifier.create(get(web, "/x"))
                .expectError(NoContextException.class)
                .verify(Await.BOUND);
        gateway.quiet();
    }

    @Test
    void aRelativeAddressThatNoFilterResolvesIsRefused() {
        isRefused(get(builder.filter(CaracalExchangeFilter.create(caracal)).build(), "/entries"));
    }
}
