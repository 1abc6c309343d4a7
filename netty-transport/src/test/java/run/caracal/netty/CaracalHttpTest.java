package run.caracal.netty;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.handler.codec.http.HttpMethod;
import java.io.ByteArrayInputStream;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import org.jspecify.annotations.NullUnmarked;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;
import reactor.netty.http.client.HttpClient;
import reactor.netty.resources.ConnectionProvider;
import reactor.test.StepVerifier;
import reactor.util.context.Context;
import run.caracal.error.NoContextException;
import run.caracal.error.RoutingException;
import run.caracal.http.OutboundDecision;
import run.caracal.http.OutboundPolicy;
import run.caracal.test.Effort;

/** The decorated client on the wire. */
class CaracalHttpTest {
    private static final Duration BOUND = Await.BOUND;

    private final EchoServer gateway = new EchoServer();
    private final EchoServer other = new EchoServer();
    private final TestPolicy policy = new TestPolicy(gateway.url());
    private ConnectionProvider pool = pool("test", 16);
    private HttpClient plain = HttpClient.create(pool);
    private HttpClient client = CaracalHttp.decorate(plain, policy);

    @BeforeEach
    void nothingHasArrived() {
        assertThat(gateway.arrivals).isEmpty();
    }

    @AfterEach
    void close() {
        Await.done(pool.disposeLater());
        gateway.close();
        other.close();
    }

    private static String text(HttpClient.ResponseReceiver<?> request, @Nullable String user) {
        return Objects.requireNonNull(request.responseSingle((response, body) -> body.asString())
                .contextWrite(user == null ? Context.empty() : Context.of("user", user))
                .block(BOUND));
    }

    private static void send(HttpClient.ResponseReceiver<?> request, @Nullable String user) {
        assertThat(text(request, user)).isNotEmpty();
    }

    private static ConnectionProvider pool(String name, int connections) {
        return ConnectionProvider.builder(name)
                .maxConnections(connections)
                .pendingAcquireMaxCount(-1)
                .build();
    }

    private void onePooledConnection() {
        Await.done(pool.disposeLater());
        pool = pool("one", 1);
        plain = HttpClient.create(pool);
        client = CaracalHttp.decorate(plain, policy);
    }

    private static ByteBuf buffer(String text) {
        return Unpooled.copiedBuffer(text, StandardCharsets.UTF_8);
    }

    static void assertNoIdentity(EchoServer.Arrival arrival) {
        assertThat(arrival.all("Authorization")).isEmpty();
        assertThat(arrival.all("X-Caracal-Resource")).isEmpty();
        assertThat(arrival.all("traceparent")).isEmpty();
        assertThat(arrival.all("baggage")).noneMatch(it -> it.contains("caracal"));
    }

    @Nested
    class Addresses {
        @Test
        void anAbsoluteAddressUnderABoundPrefixGoesToTheGateway() {
            assertThat(text(client.get().uri(TestPolicy.BOUND + "/charge%2Fx?a=%20b&c"), "ann"))
                    .isEqualTo("GET /charge%2Fx?a=%20b&c 0 Bearer ann.1");
            EchoServer.Arrival arrival = gateway.only();
            assertThat(arrival.all("X-Caracal-Resource")).containsExactly("resource://billing");
            assertThat(arrival.all("host")).containsExactly("localhost:" + gateway.port());
            assertThat(policy.askedUrls).containsExactly(TestPolicy.BOUND + "/charge%2Fx?a=%20b&c");
        }

        @Test
        void addressesAreGovernedInAllTheirForms() {
            assertThat(text(client.get().uri(URI.create(TestPolicy.BOUND + "/uri?x=1")), "ann"))
                    .startsWith("GET /uri?x=1 ");
            assertThat(text(client.get().uri(Mono.just(TestPolicy.BOUND + "/mono")), "ann"))
                    .startsWith("GET /mono ");
            assertThat(text(client.baseUrl(gateway.url() + "/base/").get().uri("/relative?q"), "ann"))
                    .startsWith("GET /base/relative?q 0 Bearer ann");
            assertThat(text(client.host("localhost").port(gateway.port()).get().uri("/relative"), "ann"))
                    .startsWith("GET /relative 0 Bearer ann");
            assertThat(text(
                            client.remoteAddress(() -> new InetSocketAddress("localhost", gateway.port()))
                                    .get()
                                    .uri("/resolved"),
                            "ann"))
                    .startsWith("GET /resolved 0 Bearer ann");
            assertThat(text(client.host("localhost").port(gateway.port()).get(), "ann"))
                    .startsWith("GET / 0 Bearer ann");
            assertThat(text(client.get().uri("localhost:" + gateway.port() + "/schemeless?u=http://x"), "ann"))
                    .startsWith("GET /schemeless?u=http://x 0 Bearer ann");
        }

        @Test
        void aPassedThroughAddressIsTheCallersOwnObject() {
            // Only uri(String) takes a host with an underscore; were the address rebuilt, the host would be refused.
            String url = "http://my_svc:" + other.port() + "/x";
            assertThat(text(client.resolver(new LoopbackResolver()).get().uri(url), null))
                    .isEqualTo("GET /x 0 -");
            assertThat(other.only().all("host")).containsExactly("my_svc:" + other.port());
        }

        /** A decorated client sends to each address that a plain client sends to, but rejects an ambiguous one. */
        @Test
        void addressesThatJavaNetUriDoesNotTakeAreSentOrRefused() {
            OutboundPolicy everywhere = TestPolicy.authorizing("Bearer b");
            HttpClient http = CaracalHttp.decorate(HttpClient.create().resolver(new LoopbackResolver()), everywhere);
            String port = gateway.url().substring(gateway.url().lastIndexOf(':'));
            for (String address : List.of(
                    "http://my_svc" + port + "/x",
                    "http://svc" + port + "/x?q=a|b",
                    "http://svc" + port + "/x?q=%zz")) {
                gateway.arrivals.clear();
                StepVerifier.create(http.get()
                                .uri(address)
                                .responseContent()
                                .aggregate()
                                .asString())
                        .expectNextCount(1)
                        .expectComplete()
                        .verify(Duration.ofSeconds(10));
                assertThat(gateway.only().headers().get("authorization"))
                        .as(address)
                        .isEqualTo("Bearer b");
            }
            gateway.arrivals.clear();
            StepVerifier.create(http.get()
                            .uri("http://user@svc" + port + "/x?secret=a|b")
                            .response())
                    .expectErrorSatisfies(e -> {
                        assertThat(e).isInstanceOf(RoutingException.class);
                        assertThat(e.getMessage()).doesNotContain("secret");
                    })
                    .verify(Duration.ofSeconds(10));
            assertThat(gateway.arrivals).isEmpty();
        }
    }

    @Nested
    class Sending {
        @Test
        void allResponseVariantsAreGoverned() {
            HttpClient.ResponseReceiver<?> request = client.get().uri(gateway.url() + "/p");
            Function<Flux<String>, String> joined = parts -> String.join(
                    "",
                    parts.collectList().contextWrite(Context.of("user", "ann")).block(BOUND));
            assertThat(joined.apply(request.response()
                            .map(it -> "" + it.status().code())
                            .flux()))
                    .isEqualTo("200");
            assertThat(joined.apply(request.response((response, body) -> body.asString())))
                    .endsWith("Bearer ann.2");
            assertThat(joined.apply(request.responseConnection((response, connection) ->
                            connection.inbound().receive().asString())))
                    .endsWith("Bearer ann.3");
            assertThat(joined.apply(request.responseContent().asString())).endsWith("Bearer ann.4");
            assertThat(joined.apply(request.responseSingle((response, body) -> body.asString())
                            .flux()))
                    .endsWith("Bearer ann.5");
        }

        @Test
        void allBodiesAreSent() {
            HttpClient.RequestSender post = client.post().uri(TestPolicy.BOUND + "/p");
            assertThat(text(post.send(Mono.fromSupplier(() -> buffer("hello"))), "ann"))
                    .startsWith("POST /p 5 Bearer ann");
            assertThat(text(post.send(Flux.range(0, 128).map(i -> Unpooled.wrappedBuffer(new byte[8192]))), "ann"))
                    .startsWith("POST /p 1048576 Bearer ann");
            assertThat(text(post.send((request, out) -> out.sendString(Mono.just("abc"))), "ann"))
                    .startsWith("POST /p 3 Bearer ann");
            assertThat(text(
                            client.request(HttpMethod.GET)
                                    .uri(gateway.url() + "/p")
                                    .send((request, out) -> out),
                            "ann"))
                    .startsWith("GET /p 0 Bearer ann");
            assertThat(text(client.put().uri(gateway.url() + "/p").send((request, out) -> Mono.empty()), "ann"))
                    .startsWith("PUT /p 0 Bearer ann");
            assertThat(text(
                            post.sendForm((request, form) ->
                                    form.multipart(true).textFile("f", new ByteArrayInputStream(new byte[5000]))),
                            "ann"))
                    .containsPattern("POST /p 5\\d\\d\\d Bearer ann");
            assertThat(gateway.arrivals)
                    .hasSize(6)
                    .allMatch(it -> it.all("authorization").size() == 1);
        }

        @Test
        void theGatewayGetsOurAuthorizationWhateverTheCallerSets() {
            HttpClient own = client.headers(it -> it.set("Authorization", "Basic mine")
                            .set("baggage", "a=b,caracal.session=forged")
                            .set("Host", "evil.example"))
                    .doOnRequest((request, connection) -> request.header("Authorization", "Basic hook"));
            send(
                    own.post().uri(TestPolicy.BOUND + "/p").send((request, out) -> {
                        request.header("Authorization", "Basic body").header("traceparent", "00-mine");
                        return out.sendString(Mono.just("abc"));
                    }),
                    "ann");
            EchoServer.Arrival arrival = gateway.only();
            assertThat(arrival.all("Authorization")).containsExactly("Bearer ann.1");
            assertThat(arrival.all("traceparent")).containsExactly("00-mine");
            assertThat(arrival.all("baggage")).containsExactly("a=b,caracal.session=ann.1");
            assertThat(arrival.all("host")).containsExactly("localhost:" + gateway.port());
        }

        @Test
        void otherOriginsAreLeftAlone() {
            HttpClient own = client.headers(
                    it -> it.set("Authorization", "Basic mine").set("X-Caracal-Resource", "resource://x"));
            assertThat(text(own.get().uri(other.url() + "/p"), null)).endsWith("Basic mine");
            EchoServer.Arrival arrival = other.only();
            assertThat(arrival.all("X-Caracal-Resource")).isEmpty();
            assertThat(arrival.all("traceparent")).isEmpty();
            assertThat(arrival.all("baggage")).isEmpty();
        }

        @Test
        void theResourceHeaderIsKnownEarlyFromAWither() {
            send(
                    client.headers(it -> it.set("X-Caracal-Resource", "resource://crm"))
                            .get()
                            .uri(gateway.url() + "/p"),
                    "ann");
            assertThat(policy.askedResources).containsExactly("resource://crm");
            assertThat(gateway.only().all("X-Caracal-Resource")).containsExactly("resource://crm");
        }
    }

    @Nested
    class Refusing {
        @Test
        void withoutAContextNothingIsSent() {
            assertThatThrownBy(() -> text(client.get().uri(gateway.url() + "/p"), null))
                    .isInstanceOf(NoContextException.class);
            assertThat(gateway.arrivals).isEmpty();
        }

        @Test
        @NullUnmarked
        void aPolicyThatDecidesNothingIsAnError() {
            for (Mono<OutboundDecision> nothing : Arrays.<Mono<OutboundDecision>>asList(
                    null, Mono.empty(), Mono.<OutboundDecision>empty().hide())) {
                HttpClient undecided = CaracalHttp.decorate(plain, (url, resource, context) -> nothing);
                assertThatThrownBy(() -> text(undecided.get().uri(gateway.url() + "/p"), "ann"))
                        .isInstanceOf(RoutingException.class)
                        .hasMessageContaining("no decision");
            }
            HttpClient throwing = CaracalHttp.decorate(plain, (url, resource, context) -> {
                throw new RoutingException("refused");
            });
            assertThatThrownBy(() -> text(throwing.get().uri(gateway.url() + "/p"), "ann"))
                    .isInstanceOf(RoutingException.class)
                    .hasMessage("refused");
            assertThat(gateway.arrivals).isEmpty();
        }

        @Test
        void aRefusedEditSendsNothingAndLeavesTheClientHealthy() {
            onePooledConnection();
            HttpClient unknown = client.headers(it -> it.set("x-a", "b"));
            for (int i = 0; i < 20; i++) {
                assertThatThrownBy(() -> text(
                                unknown.post().uri(gateway.url() + "/p").send((request, out) -> {
                                    request.header("X-Caracal-Resource", "resource://unknown");
                                    return out.sendString(Mono.just("body"));
                                }),
                                "ann"))
                        .isInstanceOf(RoutingException.class)
                        .hasMessage("unknown resource");
                assertThatThrownBy(() -> text(
                                unknown.post().uri(gateway.url() + "/p").send((request, out) -> {
                                    request.header("X-Caracal-Resource", "resource://unknown");
                                    return out.send(Flux.range(0, 20).map(n -> buffer("part")));
                                }),
                                "ann"))
                        .isInstanceOf(RoutingException.class)
                        .hasMessage("unknown resource");
            }
            assertThat(gateway.arrivals).isEmpty();
            assertThat(text(client.get().uri(gateway.url() + "/p"), "ann")).startsWith("GET /p 0 Bearer ann");
        }

        @ParameterizedTest
        @ValueSource(strings = {"\n", "\r", "\r\n ", "\0", "\u0001", "\u000b", "\u001f", "\u007f"})
        void aTokenThatCannotBeAHeaderIsNotInTheError(String character) {
            OutboundPolicy broken = TestPolicy.authorizing("Bearer s3cret" + character + "X");
            assertThatThrownBy(
                            () -> text(CaracalHttp.decorate(plain, broken).get().uri(gateway.url() + "/p"), "ann"))
                    .isInstanceOf(RoutingException.class)
                    .hasMessageContaining("Authorization")
                    .hasMessageNotContaining("s3cret")
                    .hasNoCause();
            assertThat(gateway.arrivals).isEmpty();
        }

        @Test
        void webSocketIsRefused() {
            assertThatThrownBy(() -> client.websocket()
                            .uri(gateway.url().replace("http", "ws") + "/ws")
                            .receive()
                            .aggregate()
                            .asString()
                            .block(BOUND))
                    .isInstanceOf(RoutingException.class)
                    .hasMessageContaining("WebSocket");
            // Also inside the answer to a governed call, whose Context Reactor Netty passes on.
            assertThatThrownBy(() -> client.get()
                            .uri(gateway.url() + "/p")
                            .responseSingle((response, body) -> body.asString()
                                    .flatMap(it -> client.websocket()
                                            .uri(gateway.url().replace("http", "ws") + "/ws")
                                            .receive()
                                            .aggregate()
                                            .asString()))
                            .contextWrite(Context.of("user", "ann"))
                            .block(BOUND))
                    .isInstanceOf(RoutingException.class)
                    .hasMessageContaining("WebSocket");
            assertThat(gateway.arrivals).singleElement().matches(it -> it.uri().equals("/p"));
        }
    }

    @Nested
    class Decorating {
        @Test
        void decoratingTwiceIsDecoratingOnceWithTheLastPolicy() {
            assertThat(CaracalHttp.decorate(client, policy)).isSameAs(client);
            TestPolicy last = new TestPolicy(gateway.url());
            HttpClient twice = CaracalHttp.decorate(client, last);
            send(twice.get().uri(gateway.url() + "/p"), "ann");
            assertThat(last.minted).hasValue(1);
            assertThat(policy.minted).hasValue(0);
            assertThat(gateway.only().all("Authorization")).containsExactly("Bearer ann.1");
        }

        @Test
        void withersKeepTheDecorationAndChangeNothing() {
            HttpClient changed = client.headers(it -> it.set("x-a", "1")).responseTimeout(Duration.ofSeconds(9));
            assertThat(changed).hasSameClassAs(client).isNotSameAs(client);
            assertThat(client.configuration().headers().contains("x-a")).isFalse();
            assertThat(client.configuration().responseTimeout()).isNull();
            assertThat(plain.configuration().headers().contains("x-a")).isFalse();
            assertThat(text(changed.get().uri(gateway.url() + "/p"), "ann")).endsWith("Bearer ann.1");
            assertThat(text(plain.get().uri(gateway.url() + "/p"), "ann")).endsWith(" -");
            assertThat(client.toString()).doesNotContain("ann").startsWith("GovernedHttpClient");
            Await.done(client.warmup());
        }
    }

    @Nested
    class Sharing {
        @Test
        void theIdentitySurvivesThreadHopsAndRetriesAreFresh() {
            AtomicInteger attempts = new AtomicInteger();
            Mono<String> call = client.get()
                    .uri(gateway.url() + "/p")
                    .responseSingle((response, body) -> body.asString())
                    .publishOn(Schedulers.boundedElastic())
                    .flatMap(it -> attempts.incrementAndGet() < 3
                            ? Mono.<String>error(new IllegalStateException("again"))
                            : Mono.just(it))
                    .retry(3)
                    .subscribeOn(Schedulers.parallel())
                    .contextWrite(Context.of("user", "ann"));
            StepVerifier.create(call)
                    .expectNext("GET /p 0 Bearer ann.3")
                    .expectComplete()
                    .verify(BOUND);
            assertThat(gateway.arrivals)
                    .extracting(it -> it.all("Authorization"))
                    .containsExactly(List.of("Bearer ann.1"), List.of("Bearer ann.2"), List.of("Bearer ann.3"));
            assertThat(gateway.arrivals).allMatch(it -> it.all("traceparent").size() == 1);
        }

        @Test
        void twoUsersOnOnePooledConnectionSendTheirOwnIdentity() {
            onePooledConnection();
            for (int i = 0; i < 100; i++) {
                String user = i % 2 == 0 ? "ann" : "bob";
                assertThat(text(client.get().uri(gateway.url() + "/p"), user)).contains("Bearer " + user + ".");
                assertThat(text(plain.get().uri(gateway.url() + "/p"), user)).endsWith(" -");
            }
            assertThat(gateway.arrivals.stream()
                            .map(EchoServer.Arrival::connection)
                            .distinct())
                    .hasSize(1);
        }

        @Test
        void aRequestThatFailsBeforeItIsWrittenLeavesItsConnectionNoIdentity() {
            onePooledConnection();
            send(client.get().uri(gateway.url() + "/p"), "ann");
            List<HttpClient.ResponseReceiver<?>> failing = List.of(
                    client.post().uri(gateway.url() + "/p").send(Mono.error(new IllegalStateException("no body"))),
                    client.post().uri(gateway.url() + "/p").send((request, out) -> {
                        throw new IllegalStateException("no body");
                    }),
                    client.doOnRequest((request, connection) -> {
                                throw new IllegalStateException("no body");
                            })
                            .get()
                            .uri(gateway.url() + "/p"));
            for (HttpClient.ResponseReceiver<?> request : failing) {
                assertThatThrownBy(() -> text(request, "ann")).hasMessageContaining("no body");
                assertThat(text(plain.get().uri(gateway.url() + "/p"), null)).endsWith(" -");
                assertThat(text(
                                plain.headers(it -> it.set("Authorization", "Basic mine"))
                                        .get()
                                        .uri(gateway.url() + "/p"),
                                null))
                        .endsWith("Basic mine");
                assertThat(text(client.get().uri(gateway.url() + "/p"), "bob")).contains("Bearer bob.");
            }
        }

        @Test
        @Tag("soak")
        void twoUsersOnOneStoredCallSendTheirOwnIdentity() {
            gateway.quiet();
            int calls = Effort.of(2_000, 20_000);
            for (TestPolicy each : List.of(policy, policy.answeringLater())) {
                Mono<String> stored = CaracalHttp.decorate(plain, each)
                        .get()
                        .uri(TestPolicy.BOUND + "/s")
                        .responseSingle((response, body) -> body.asString());
                Mono<Long> mixed = Flux.range(0, calls)
                        .flatMap(
                                i -> stored.map(it -> it.contains("Bearer user" + i % 2 + "."))
                                        .contextWrite(Context.of("user", "user" + i % 2)),
                                64)
                        .filter(own -> !own)
                        .count();
                StepVerifier.create(mixed).expectNext(0L).expectComplete().verify(Duration.ofMinutes(2));
                assertThat(each.minted).hasValue(calls);
            }
        }

        @Test
        void cancelledCallsLeaveThePoolHealthy() {
            onePooledConnection();
            gateway.quiet();
            // Inside the answer: at its very arrival Reactor Netty itself, decorated or not, may lose the connection.
            Flux<ByteBuf> cancelled = Flux.range(0, 200)
                    .concatMap(i -> client.get()
                            .uri(gateway.url() + "/big")
                            .responseContent()
                            .take(1 + i % 20));
            Await.done(cancelled.contextWrite(Context.of("user", "ann")));
            assertThat(text(client.get().uri(gateway.url() + "/p"), "ann")).startsWith("GET /p 0 Bearer ann");
        }
    }

    @Nested
    class Following {
        @Test
        void aRedirectCarriesNoIdentityToWhateverOrigin() {
            HttpClient following = client.followRedirect(true)
                    .headers(it -> it.set("baggage", "a=b").set("x-to", other.url() + "/landed"));
            assertThat(text(following.get().uri(TestPolicy.BOUND + "/redirect"), "ann"))
                    .isEqualTo("GET /landed 0 -");
            assertNoIdentity(other.only());
            assertThat(other.only().all("baggage")).containsExactly("a=b");
            assertThat(text(client.followRedirect(true).get().uri(TestPolicy.BOUND + "/redirect"), "ann"))
                    .isEqualTo("GET /landed 0 -");
            assertThat(gateway.arrivals).hasSize(3);
            assertThat(gateway.arrivals.stream().filter(it -> it.uri().equals("/landed")))
                    .singleElement()
                    .satisfies(CaracalHttpTest::assertNoIdentity);
            // From another origin to the gateway: a redirect earns no identity either.
            send(
                    client.followRedirect(true)
                            .headers(it ->
                                    it.set("x-to", gateway.url() + "/back").set("X-Caracal-Resource", "resource://x"))
                            .get()
                            .uri(other.url() + "/redirect"),
                    "ann");
            assertThat(gateway.arrivals.stream().filter(it -> it.uri().equals("/back")))
                    .singleElement()
                    .satisfies(CaracalHttpTest::assertNoIdentity);
        }

        @Test
        void aRedirectHookThatCopiesAllHeadersCopiesNoIdentity() {
            HttpClient copying = client.followRedirect(
                    (request, response) -> response.status().code() == 307,
                    (previous, request) ->
                            previous.forEach(it -> request.requestHeaders().set(it.getKey(), it.getValue())));
            // A streamed body: the headers that the hook sees are the ones that were edited.
            send(
                    copying.headers(it -> it.set("x-to", other.url() + "/landed"))
                            .post()
                            .uri(TestPolicy.BOUND + "/redirect")
                            .send(Flux.range(0, 3).map(i -> buffer("part"))),
                    "ann");
            assertNoIdentity(other.only());
        }

        @Test
        void reactorNettysOwnAuthenticationDoesNotRepeatAMandate() {
            HttpClient authenticating = client.httpAuthentication(
                    (request, response) -> response.status().code() == 401, (request, address) -> {});
            assertThatThrownBy(() -> text(authenticating.get().uri(gateway.url() + "/challenge"), "ann"))
                    .isInstanceOf(RoutingException.class)
                    .hasMessageContaining("httpAuthentication");
            assertThat(gateway.only().uri()).isEqualTo("/challenge");
            Await.done(authenticating.get().uri(other.url() + "/challenge").response());
            assertThat(other.arrivals).hasSize(2);
        }

        @Test
        void aStatusIsNeverAnErrorAndNothingIsRetried() {
            for (int status : List.of(401, 403, 429, 503)) {
                StepVerifier.create(client.get()
                                .uri(gateway.url() + "/status/" + status)
                                .response()
                                .contextWrite(Context.of("user", "ann")))
                        .assertNext(it -> assertThat(it.status().code()).isEqualTo(status))
                        .expectComplete()
                        .verify(BOUND);
            }
            assertThat(gateway.arrivals).hasSize(4);
        }
    }
}
