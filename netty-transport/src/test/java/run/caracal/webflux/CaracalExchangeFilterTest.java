package run.caracal.webflux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.springframework.http.HttpMethod;
import org.springframework.http.HttpRequest;
import org.springframework.http.HttpStatus;
import org.springframework.http.client.reactive.JdkClientHttpConnector;
import org.springframework.http.client.reactive.ReactorClientHttpConnector;
import org.springframework.web.reactive.function.client.ClientRequest;
import org.springframework.web.reactive.function.client.ClientResponse;
import org.springframework.web.reactive.function.client.ExchangeFilterFunction;
import org.springframework.web.reactive.function.client.WebClient;
import org.springframework.web.reactive.function.client.WebClientRequestException;
import org.springframework.web.reactive.function.client.WebClientResponseException;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;
import reactor.netty.http.client.HttpClient;
import reactor.netty.resources.ConnectionProvider;
import reactor.test.StepVerifier;
import reactor.util.context.Context;
import run.caracal.error.NoContextException;
import run.caracal.error.RoutingException;
import run.caracal.netty.Await;
import run.caracal.netty.CaracalHttp;
import run.caracal.netty.EchoServer;
import run.caracal.netty.TestPolicy;

/** The filter on the wire, alone and over a decorated client. */
class CaracalExchangeFilterTest {
    private final EchoServer gateway = new EchoServer();
    private final EchoServer other = new EchoServer();
    private final TestPolicy policy = new TestPolicy(gateway.url());
    private final ConnectionProvider pool = ConnectionProvider.builder("test")
            .maxConnections(8)
            .pendingAcquireMaxCount(-1)
            .build();
    private final HttpClient plain = HttpClient.create(pool);

    @AfterEach
    void close() {
        Await.done(pool.disposeLater());
        gateway.close();
        other.close();
    }

    private static WebClient web(HttpClient client, ExchangeFilterFunction... filters) {
        return WebClient.builder()
                .clientConnector(new ReactorClientHttpConnector(client))
                .filters(all -> all.addAll(List.of(filters)))
                .build();
    }

    private ExchangeFilterFunction filter() {
        return CaracalExchangeFilter.create(policy);
    }

    private static String text(WebClient.RequestHeadersSpec<?> request, @Nullable String user) {
        return Objects.requireNonNull(request.retrieve()
                .bodyToMono(String.class)
                .contextWrite(user == null ? Context.empty() : Context.of("user", user))
                .block(Await.BOUND));
    }

    @Nested
    class Rewriting {
        @Test
        void addressAndHeadersAreRewritten() {
            assertThat(text(web(plain, filter()).get().uri(TestPolicy.BOUND + "/w?x={v}", "a b"), "ann"))
                    .isEqualTo("GET /w?x=a%20b 0 Bearer ann.1");
            EchoServer.Arrival arrival = gateway.only();
            assertThat(arrival.all("host")).containsExactly("localhost:" + gateway.port());
            assertThat(arrival.all("X-Caracal-Resource")).containsExactly("resource://billing");
            assertThat(arrival.all("traceparent")).hasSize(1);
        }

        @Test
        void theResourceHeaderIsPassedToThePolicy() {
            assertThat(text(
                            web(plain, filter())
                                    .get()
                                    .uri(gateway.url() + "/w")
                                    .header("X-Caracal-Resource", "resource://crm"),
                            "ann"))
                    .endsWith("Bearer ann.1");
            assertThat(policy.askedResources).containsExactly("resource://crm");
        }

        @Test
        void otherOriginsAreLeftAlone() {
            assertThat(text(
                            web(plain, filter())
                                    .get()
                                    .uri(other.url() + "/w")
                                    .header("Authorization", "Basic mine")
                                    .header("X-Caracal-Resource", "resource://x"),
                            null))
                    .endsWith("Basic mine");
            assertThat(other.only().all("X-Caracal-Resource")).isEmpty();
            assertThat(other.only().all("traceparent")).isEmpty();
        }

        @Test
        void theFilterWorksOnAnotherConnector() {
            WebClient web = WebClient.builder()
                    .clientConnector(new JdkClientHttpConnector())
                    .filter(filter())
                    .build();
            assertThat(text(web.get().uri(TestPolicy.BOUND + "/w"), "ann")).isEqualTo("GET /w 0 Bearer ann.1");
            assertThat(gateway.only().all("X-Caracal-Resource")).containsExactly("resource://billing");
            assertThat(text(web.get().uri(other.url() + "/w"), null)).endsWith(" -");
            assertThat(text(web.mutate().filter(filter()).build().get().uri(TestPolicy.BOUND + "/w"), "ann"))
                    .endsWith("Bearer ann.2");
        }

        @Test
        void theRewrittenRequestIsWhatLaterFiltersSee() {
            ClientRequest request = ClientRequest.create(HttpMethod.GET, URI.create(TestPolicy.BOUND + "/w"))
                    .build();
            Mono<ClientResponse> call = filter().filter(request, seen -> {
                assertThat(seen.url()).isEqualTo(URI.create(gateway.url() + "/w"));
                assertThat(seen.headers().get("Authorization")).containsExactly("Bearer ann.1");
                return Mono.just(ClientResponse.create(HttpStatus.OK).build());
            });
            StepVerifier.create(call.contextWrite(Context.of("user", "ann")))
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(Await.BOUND);
            assertThat(request.headers().isEmpty()).isTrue();
        }

        @Test
        void policiesThatAnswerLaterWorkTheSame() {
            TestPolicy later = policy.answeringLater();
            WebClient web = web(CaracalHttp.decorate(plain, later), CaracalExchangeFilter.create(later));
            assertThat(text(web.get().uri(TestPolicy.BOUND + "/w"), "ann")).endsWith("Bearer ann.1");
            assertThat(later.minted).hasValue(1);
        }
    }

    @Nested
    class LaterFilters {
        @Test
        void whatTheCallerOrALaterFilterSetsDoesNotReplaceOurAuthorization() {
            ExchangeFilterFunction basic = (request, next) -> next.exchange(ClientRequest.from(request)
                    .headers(it -> it.setBasicAuth("late", "filter"))
                    .build());
            for (HttpClient client : List.of(plain, CaracalHttp.decorate(plain, policy))) {
                assertThat(text(
                                web(client, filter(), basic)
                                        .post()
                                        .uri(TestPolicy.BOUND + "/w")
                                        .header("Authorization", "Basic caller")
                                        .header("Host", "evil.example")
                                        .body(Flux.range(0, 100).map(i -> "line" + i), String.class),
                                "ann"))
                        .startsWith("POST /w 590 Bearer ann.");
            }
            assertThat(gateway.arrivals)
                    .allMatch(it -> it.all("Authorization").size() == 1
                            && it.all("host").equals(List.of("localhost:" + gateway.port())));
        }

        @Test
        void aFilterBelowThatChangesTheAddressIsRefused() {
            ExchangeFilterFunction balancer = (request, next) -> next.exchange(ClientRequest.from(request)
                    .url(URI.create(other.url() + "/elsewhere"))
                    .build());
            for (HttpClient client : List.of(plain, CaracalHttp.decorate(plain, policy))) {
                assertThatThrownBy(
                                () -> text(web(client, filter(), balancer).get().uri(TestPolicy.BOUND + "/w"), "ann"))
                        .isInstanceOf(RoutingException.class)
                        .hasMessageContaining("another address");
            }
            assertThat(other.arrivals).isEmpty();
        }

        @Test
        void whatALaterFilterHasReadIsWhatIsSent() {
            List<@Nullable String> seen = new ArrayList<>();
            ExchangeFilterFunction reading = (request, next) -> {
                seen.add(request.headers().getFirst("traceparent"));
                seen.add(request.headers().getFirst("Authorization"));
                return next.exchange(request);
            };
            for (HttpClient client : List.of(plain, CaracalHttp.decorate(plain, policy))) {
                assertThat(text(web(client, filter(), reading).get().uri(TestPolicy.BOUND + "/w"), "ann"))
                        .startsWith("GET /w 0 Bearer ann.");
            }
            assertThat(policy.minted).hasValue(2);
            assertThat(gateway.arrivals.stream()
                            .flatMap(it -> Stream.of(it.header("traceparent"), it.header("Authorization")))
                            .toList())
                    .isEqualTo(seen);
        }

        @Test
        void aRequestThatOnlyLooksLikeACopyHasAnIdentityOfItsOwnOrIsNotSent() {
            ExchangeFilterFunction rebuilding =
                    (request, next) -> next.exchange(ClientRequest.create(request.method(), request.url())
                            .attributes(it -> it.putAll(request.attributes()))
                            .build());
            ExchangeFilterFunction watching =
                    (request, next) -> next.exchange(ClientRequest.create(request.method(), request.url())
                            .attributes(it -> it.putAll(request.attributes()))
                            .httpRequest(outgoing -> {})
                            .build());
            assertThat(text(web(plain, filter(), rebuilding, filter()).get().uri(gateway.url() + "/w"), "ann"))
                    .endsWith("Bearer ann.2");
            assertThatThrownBy(() ->
                            text(web(plain, filter(), watching, filter()).get().uri(gateway.url() + "/w"), "ann"))
                    .isInstanceOf(RoutingException.class)
                    .hasMessageContaining("ClientRequest.from(request)");
            assertThat(gateway.arrivals).hasSize(1);
        }

        @Test
        void aRequestWithinAnotherToTheSameAddressIsForTheResourceItNames() {
            WebClient web = web(plain, filter());
            Mono<String> source = web.get()
                    .uri(gateway.url() + "/w")
                    .header("X-Caracal-Resource", "resource://a")
                    .retrieve()
                    .bodyToMono(String.class);
            String put = text(
                    web.put()
                            .uri(gateway.url() + "/w")
                            .header("X-Caracal-Resource", "resource://b")
                            .body(source, String.class),
                    "ann");
            assertThat(put).startsWith("PUT /w ");
            HttpClient decorated = CaracalHttp.decorate(plain, policy);
            HttpClient from = decorated.headers(it -> it.set("X-Caracal-Resource", "resource://a"));
            HttpClient to = decorated.headers(it -> it.set("X-Caracal-Resource", "resource://b"));
            StepVerifier.create(to.get()
                            .uri(gateway.url() + "/w")
                            .responseSingle((head, body) -> body.then(
                                    from.get().uri(gateway.url() + "/w").response()))
                            .contextWrite(Context.of("user", "ann")))
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(Await.BOUND);
            assertThat(gateway.arrivals.stream()
                            .map(it -> it.header("X-Caracal-Resource"))
                            .toList())
                    .containsExactly("resource://a", "resource://b", "resource://b", "resource://a");
        }

        @Test
        void aRequestOfALaterFilterToTheSameAddressHasAnIdentityOfItsOwn() {
            WebClient asking = web(plain, filter());
            ExchangeFilterFunction preflight = (request, next) -> asking.head()
                    .uri(request.url())
                    .retrieve()
                    .toBodilessEntity()
                    .then(next.exchange(request));
            assertThat(text(web(plain, filter(), preflight).get().uri(TestPolicy.BOUND + "/w"), "ann"))
                    .endsWith("Bearer ann.1");
            assertThat(gateway.arrivals.stream()
                            .map(it -> it.method() + " " + it.header("Authorization"))
                            .toList())
                    .containsExactly("HEAD Bearer ann.2", "GET Bearer ann.1");
        }

        @Test
        void aDecoratedClientGovernsTheAddressThatAFilterBelowGivesARequestLeftAlone() {
            ExchangeFilterFunction balancer = (request, next) -> next.exchange(ClientRequest.from(request)
                    .url(URI.create(TestPolicy.BOUND + "/w"))
                    .build());
            assertThat(text(
                            web(CaracalHttp.decorate(plain, policy), filter(), balancer)
                                    .get()
                                    .uri("http://service.example/w"),
                            "ann"))
                    .endsWith("Bearer ann.1");
        }
    }

    @Nested
    class AboveItself {
        @Test
        void aDecoratedClientUnderWebClientGovernsWhatWebClientSets() {
            WebClient web = web(CaracalHttp.decorate(plain, policy));
            assertThat(text(
                            web.post()
                                    .uri(TestPolicy.BOUND + "/w")
                                    .attribute("a", "b")
                                    .header("Authorization", "Basic caller")
                                    .bodyValue("body"),
                            "ann"))
                    .isEqualTo("POST /w 4 Bearer ann.1");
            assertThat(text(web.get().uri(other.url() + "/w").header("Authorization", "Basic mine"), null))
                    .endsWith("Basic mine");
        }

        @Test
        void filterOverDecoratedClientMintsOnce() {
            WebClient web = web(CaracalHttp.decorate(plain, policy), filter());
            assertThat(text(web.get().uri(TestPolicy.BOUND + "/w"), "ann")).endsWith("Bearer ann.1");
            assertThat(text(web.post().uri(TestPolicy.BOUND + "/w").bodyValue("x"), "ann"))
                    .endsWith("Bearer ann.2");
            assertThat(policy.minted).hasValue(2);
            assertThat(policy.askedUrls).hasSize(2);
            assertThat(gateway.arrivals)
                    .allMatch(it -> it.all("traceparent").size() == 1
                            && it.all("baggage").size() == 1
                            && it.all("X-Caracal-Resource").size() == 1);
        }

        @Test
        void filterRegisteredTwiceMintsOnceAlsoWhenRetried() {
            for (HttpClient client : List.of(plain, CaracalHttp.decorate(plain, policy))) {
                policy.minted.set(0);
                gateway.arrivals.clear();
                AtomicInteger attempts = new AtomicInteger();
                Mono<String> call = web(client, filter(), filter())
                        .get()
                        .uri(TestPolicy.BOUND + "/w")
                        .retrieve()
                        .bodyToMono(String.class)
                        .publishOn(Schedulers.boundedElastic())
                        .flatMap(it -> attempts.incrementAndGet() < 3
                                ? Mono.<String>error(new IllegalStateException("again"))
                                : Mono.just(it))
                        .retry(2)
                        .contextWrite(Context.of("user", "ann"));
                StepVerifier.create(call)
                        .expectNext("GET /w 0 Bearer ann.3")
                        .expectComplete()
                        .verify(Await.BOUND);
                assertThat(policy.minted).hasValue(3);
                assertThat(gateway.arrivals)
                        .hasSize(3)
                        .allMatch(it -> it.all("traceparent").size() == 1
                                && it.all("Authorization")
                                        .equals(List.of("Bearer "
                                                + it.all("baggage").get(0).substring("caracal.session=".length()))));
            }
        }

        @Test
        void filterRegisteredTwiceMintsOnceAlsoAroundAFilterThatCopies() {
            ExchangeFilterFunction copying = (request, next) -> next.exchange(
                    ClientRequest.from(request).header("X-Correlation", "c").build());
            for (HttpClient client : List.of(plain, CaracalHttp.decorate(plain, policy))) {
                policy.minted.set(0);
                gateway.arrivals.clear();
                WebClient web = web(client, filter(), copying, filter(), copying, filter());
                assertThat(text(web.get().uri(TestPolicy.BOUND + "/w"), "ann")).endsWith("Bearer ann.1");
                assertThat(text(web.get().uri(TestPolicy.BOUND + "/w"), "bob")).endsWith("Bearer bob.2");
                assertThat(gateway.arrivals)
                        .hasSize(2)
                        .allMatch(it -> it.all("X-Request-Id").size() == 1
                                && it.all("traceparent").size() == 1
                                && it.all("baggage").size() == 1);
            }
        }
    }

    @Nested
    class Refusals {
        @Test
        void errorsAreTypedAndNotWrapped() {
            for (HttpClient client : List.of(plain, CaracalHttp.decorate(plain, policy))) {
                WebClient web = web(client, filter());
                assertThatThrownBy(() -> text(web.get().uri(gateway.url() + "/w"), null))
                        .isInstanceOf(NoContextException.class);
                assertThatThrownBy(() -> text(
                                web.get().uri(gateway.url() + "/w").header("X-Caracal-Resource", "resource://unknown"),
                                "ann"))
                        .isInstanceOf(RoutingException.class)
                        .hasMessage("unknown resource");
                assertThatThrownBy(() -> text(web.get().uri("/relative"), "ann"))
                        .isInstanceOf(RoutingException.class)
                        .hasMessageContaining("baseUrl");
            }
            // Without the filter WebClient wraps the error of a decorated client.
            assertThatThrownBy(() ->
                            text(web(CaracalHttp.decorate(plain, policy)).get().uri(gateway.url() + "/w"), null))
                    .isInstanceOf(WebClientRequestException.class)
                    .hasCauseInstanceOf(NoContextException.class);
            assertThat(gateway.arrivals).isEmpty();
        }

        @Test
        void whatIsRefusedOnTheWireFailsAlsoWithoutABodyAndHoldsNoConnection() {
            ConnectionProvider one = ConnectionProvider.create("one", 1);
            HttpClient client = HttpClient.create(one);
            for (WebClient web : List.of(web(CaracalHttp.decorate(client, policy)), web(client, filter()))) {
                gateway.arrivals.clear();
                for (HttpMethod method : List.of(HttpMethod.GET, HttpMethod.POST)) {
                    for (int i = 0; i < 10; i++) {
                        assertThatThrownBy(() -> text(
                                        web.method(method)
                                                .uri(gateway.url() + "/w")
                                                .header("X-Caracal-Resource", "resource://unknown"),
                                        "ann"))
                                .satisfies(error -> assertThat(
                                                error instanceof WebClientRequestException ? error.getCause() : error)
                                        .isInstanceOf(RoutingException.class)
                                        .hasMessage("unknown resource"));
                    }
                }
                assertThat(gateway.arrivals).isEmpty();
                assertThat(text(web.get().uri(TestPolicy.BOUND + "/w"), "ann")).startsWith("GET /w 0 Bearer ann.");
            }
            Await.done(one.disposeLater());
        }

        @Test
        void aRefusalInTheAnswerNamesTheRequestWithoutItsIdentity() {
            assertThatThrownBy(() -> text(
                            web(plain, filter())
                                    .get()
                                    .uri(TestPolicy.BOUND + "/status/403")
                                    .header("x-mine", "1"),
                            "ann"))
                    .isInstanceOfSatisfying(WebClientResponseException.class, error -> {
                        HttpRequest request = Objects.requireNonNull(error.getRequest());
                        assertThat(request.getURI()).isEqualTo(URI.create(gateway.url() + "/status/403"));
                        assertThat(request.getHeaders().get("x-mine")).containsExactly("1");
                        assertThat(request.getHeaders().get("Authorization")).isNull();
                    });
            assertThat(gateway.only().header("Authorization")).isEqualTo("Bearer ann.1");
        }

        @Test
        void aThousandErrorAnswersLeaveNoConnectionInUse() {
            gateway.quiet();
            WebClient web = web(plain, filter());
            Mono<Long> statuses = Flux.range(0, 1000)
                    .flatMap(
                            i -> web.get()
                                    .uri(TestPolicy.BOUND + "/status/"
                                            + List.of(401, 403, 429, 500, 503).get(i % 5))
                                    .exchangeToMono(it -> it.releaseBody()
                                            .thenReturn(it.statusCode().value()))
                                    .contextWrite(Context.of("user", "ann")),
                            16)
                    .filter(status -> status >= 400)
                    .count();
            StepVerifier.create(statuses).expectNext(1000L).expectComplete().verify(Await.BOUND);
            // All eight connections are free again: eight requests that hold one each go through at once.
            StepVerifier.create(Flux.range(0, 8)
                            .flatMap(
                                    i -> web.get()
                                            .uri(TestPolicy.BOUND + "/w")
                                            .retrieve()
                                            .bodyToMono(String.class)
                                            .contextWrite(Context.of("user", "ann")),
                                    8)
                            .count())
                    .expectNext(8L)
                    .expectComplete()
                    .verify(Await.BOUND);
        }
    }

    @Nested
    class Attempts {
        @Test
        void anotherAttemptKeepsWhatTheCallerHasSet() {
            AtomicInteger attempts = new AtomicInteger();
            ExchangeFilterFunction adding = (request, next) -> next.exchange(ClientRequest.from(request)
                    .header("X-Request-Id", "added")
                    .header("traceparent", "00-" + "3".repeat(32) + "-" + "4".repeat(16) + "-01")
                    .build());
            String callers = "00-" + "1".repeat(32) + "-" + "2".repeat(16) + "-01"; // the policy sets one, too
            HttpClient decorated = CaracalHttp.decorate(plain, policy);
            assertThat(text(
                            web(decorated, filter(), retrying(attempts), adding)
                                    .get()
                                    .uri(gateway.url() + "/w")
                                    .header("traceparent", callers),
                            "ann"))
                    .endsWith("Bearer ann.3");
            assertThat(gateway.arrivals)
                    .hasSize(3)
                    .allMatch(it -> it.all("X-Request-Id").contains("added")
                            && it.all("traceparent").contains(callers)
                            && it.all("traceparent").size() == 2);
        }

        private static ExchangeFilterFunction retrying(AtomicInteger attempts) {
            return (request, next) -> next.exchange(request)
                    .flatMap(it -> attempts.incrementAndGet() % 3 == 0
                            ? Mono.just(it)
                            : it.releaseBody().then(Mono.<ClientResponse>error(new IllegalStateException("again"))))
                    .retry(2);
        }

        @Test
        void aRetryFilterGetsAFreshIdentityForEachAttempt() {
            AtomicInteger attempts = new AtomicInteger();
            HttpClient decorated = CaracalHttp.decorate(plain, policy);
            assertThat(text(web(plain, retrying(attempts), filter()).get().uri(TestPolicy.BOUND + "/w"), "ann"))
                    .endsWith("Bearer ann.3");
            assertThat(text(web(decorated, retrying(attempts), filter()).get().uri(TestPolicy.BOUND + "/w"), "ann"))
                    .endsWith("Bearer ann.6");
            assertThat(text(web(decorated, retrying(attempts)).get().uri(TestPolicy.BOUND + "/w"), "ann"))
                    .endsWith("Bearer ann.9");
            // Below the filter: a decorated client, or another filter, resolves anew.
            assertThat(text(web(decorated, filter(), retrying(attempts)).get().uri(TestPolicy.BOUND + "/w"), "ann"))
                    .endsWith("Bearer ann.12");
            assertThat(text(
                            web(plain, filter(), retrying(attempts), filter())
                                    .get()
                                    .uri(TestPolicy.BOUND + "/w"),
                            "ann"))
                    .endsWith("Bearer ann.15");
            // Also when a filter in between has read the headers.
            ExchangeFilterFunction reading =
                    (request, next) -> request.headers().isEmpty()
                            ? Mono.error(new IllegalStateException("no identity"))
                            : next.exchange(request);
            assertThat(text(
                            web(decorated, filter(), reading, retrying(attempts))
                                    .get()
                                    .uri(TestPolicy.BOUND + "/w"),
                            "ann"))
                    .endsWith("Bearer ann.18");
            assertThat(text(
                            web(plain, filter(), reading, retrying(attempts), filter())
                                    .get()
                                    .uri(TestPolicy.BOUND + "/w"),
                            "ann"))
                    .endsWith("Bearer ann.21");
            assertThat(policy.minted).hasValue(21);
            assertThat(gateway.arrivals.stream()
                            .map(it -> it.header("Authorization"))
                            .distinct())
                    .hasSize(21);
            assertThat(gateway.arrivals)
                    .allMatch(it -> it.all("X-Request-Id").stream()
                            .map(id -> "Bearer " + id.substring("request-".length()))
                            .toList()
                            .equals(it.all("Authorization")));
            assertThat(gateway.arrivals)
                    .allMatch(it -> "resource://billing".equals(it.header("X-Caracal-Resource"))
                            && it.all("baggage").size() == 1);
        }

        @Test
        void aRetryBelowTheFilterOnAPlainClientIsRefusedNotRepeated() {
            AtomicInteger attempts = new AtomicInteger();
            assertThatThrownBy(() ->
                            text(web(plain, filter(), retrying(attempts)).get().uri(TestPolicy.BOUND + "/w"), "ann"))
                    .isInstanceOf(RoutingException.class)
                    .hasMessageContaining("retry filter before the Caracal filter");
            assertThat(gateway.arrivals).hasSize(1);
            // A request without identity may be retried.
            assertThat(text(web(plain, filter(), retrying(attempts)).get().uri(other.url() + "/w"), null))
                    .endsWith(" -");
        }

        @Test
        void aRetryBelowTheFilterIsRefusedAlsoWhenTheBodyCameFromTheSameAddress() {
            AtomicInteger attempts = new AtomicInteger();
            Mono<String> source = web(plain, filter())
                    .get()
                    .uri(gateway.url() + "/w")
                    .retrieve()
                    .bodyToMono(String.class);
            assertThatThrownBy(() -> text(
                            web(plain, filter(), retrying(attempts))
                                    .put()
                                    .uri(gateway.url() + "/w")
                                    .body(source, String.class),
                            "ann"))
                    .isInstanceOf(RoutingException.class);
            assertThat(gateway.arrivals).allMatch(it -> it.header("Authorization") != null);
        }
    }

    @Nested
    class Redirects {
        @Test
        void aRedirectCarriesNoIdentityToWhateverOrigin() {
            HttpClient following = plain.followRedirect(true);
            for (HttpClient client : List.of(following, CaracalHttp.decorate(following, policy))) {
                for (WebClient web : List.of(web(client, filter()), web(client, filter(), filter()))) {
                    gateway.arrivals.clear();
                    other.arrivals.clear();
                    assertThat(text(
                                    web.get()
                                            .uri(TestPolicy.BOUND + "/redirect")
                                            .header("baggage", "a=b")
                                            .header("x-to", other.url() + "/landed"),
                                    "ann"))
                            .isEqualTo("GET /landed 0 -");
                    assertNoIdentity(other.only());
                    assertThat(other.only().all("baggage")).containsExactly("a=b");
                    assertThat(text(web.get().uri(TestPolicy.BOUND + "/redirect"), "ann"))
                            .isEqualTo("GET /landed 0 -");
                    assertThat(gateway.arrivals.stream().filter(it -> it.uri().equals("/landed")))
                            .singleElement()
                            .satisfies(Redirects::assertNoIdentity);
                    assertThat(gateway.arrivals.stream().filter(it -> it.uri().equals("/redirect")))
                            .allMatch(it -> it.header("Authorization") != null);
                }
            }
        }

        private static void assertNoIdentity(EchoServer.Arrival arrival) {
            assertThat(arrival.all("Authorization")).isEmpty();
            assertThat(arrival.all("X-Caracal-Resource")).isEmpty();
            assertThat(arrival.all("traceparent")).isEmpty();
            assertThat(arrival.all("baggage")).noneMatch(it -> it.contains("caracal"));
        }

        @Test
        void aRedirectDoesNotBringBackWhatTheIdentityReplaced() {
            HttpClient following = plain.followRedirect(true);
            for (HttpClient client : List.of(following, CaracalHttp.decorate(following, policy))) {
                gateway.arrivals.clear();
                assertThat(text(
                                web(client, filter())
                                        .get()
                                        .uri(TestPolicy.BOUND + "/redirect")
                                        .header("Host", "elsewhere.example")
                                        .header("Authorization", "Basic caller"),
                                "ann"))
                        .isEqualTo("GET /landed 0 -");
                assertThat(gateway.arrivals)
                        .hasSize(2)
                        .allMatch(it -> it.all("host").equals(List.of("localhost:" + gateway.port())));
            }
        }
    }

    @Nested
    class Connections {
        @Test
        void aWebSocketOfAFilterTakesNoIdentityOver() {
            HttpClient decorated = CaracalHttp.decorate(plain, policy);
            List<Throwable> refused = new ArrayList<>();
            ExchangeFilterFunction socket = (request, next) -> decorated
                    .websocket()
                    .uri("ws://localhost:" + other.port() + "/ws")
                    .handle((in, out) -> in.receive())
                    .then()
                    .doOnError(refused::add)
                    .onErrorComplete()
                    .then(Mono.defer(() -> next.exchange(request)));
            assertThat(text(web(decorated, filter(), socket).get().uri(gateway.url() + "/w"), "ann"))
                    .endsWith("Bearer ann.1");
            assertThat(refused)
                    .singleElement()
                    .isInstanceOf(RoutingException.class)
                    .extracting(Throwable::getMessage)
                    .asString()
                    .contains("WebSocket");
            assertThat(other.arrivals).isEmpty();
        }

        @Test
        void aBodyThatFailsBeforeItIsWrittenLeavesItsConnectionNoIdentity() {
            ConnectionProvider one = ConnectionProvider.create("one", 1);
            HttpClient client = HttpClient.create(one);
            for (WebClient web : List.of(web(client, filter()), web(CaracalHttp.decorate(client, policy)))) {
                assertThatThrownBy(() -> text(
                                web.post()
                                        .uri(gateway.url() + "/w")
                                        .body(Mono.error(new IllegalStateException("no body")), String.class),
                                "ann"))
                        .hasMessageContaining("no body");
                assertThat(text(web(client).get().uri(gateway.url() + "/w"), null))
                        .endsWith(" -");
            }
            Await.done(one.disposeLater());
        }
    }
}
