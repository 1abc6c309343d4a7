package run.caracal.netty;

import static org.assertj.core.api.Assertions.assertThat;
import static run.caracal.InboundRequests.HEADERS;
import static run.caracal.InboundRequests.TRACE;
import static run.caracal.InboundRequests.TRACEPARENT;
import static run.caracal.InboundRequests.bySession;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.handler.codec.http.HttpHeaders;
import io.netty.handler.codec.http.HttpMethod;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.springframework.http.client.reactive.ReactorClientHttpConnector;
import org.springframework.web.reactive.function.client.WebClient;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;
import reactor.core.scheduler.Schedulers;
import reactor.netty.http.client.HttpClient;
import reactor.netty.resources.ConnectionProvider;
import reactor.test.StepVerifier;
import reactor.util.context.ContextView;
import run.caracal.Boundary;
import run.caracal.Caracal;
import run.caracal.CaracalContext;
import run.caracal.error.InboundException;
import run.caracal.error.InboundException.Reason;
import run.caracal.http.InboundPolicy;
import run.caracal.http.Propagation;
import run.caracal.http.TransportOptions;
import run.caracal.test.FakePlatform;
import run.caracal.verify.MandateVerifier;
import run.caracal.verify.VerifiedMandate;
import run.caracal.webflux.CaracalExchangeFilter;

/** The behaviour of every server adapter on the wire. */
public abstract class BoundaryContract {
    private static final Boundary PROPAGATION = Boundary.propagationOnly();
    private static final Boundary VERIFIED = Boundary.verified(bySession());

    private final FakePlatform platform = new FakePlatform();
    private final EchoServer gateway = new EchoServer();
    private final EchoServer other = new EchoServer();
    private final Caracal caracal =
            Caracal.create(platform.config().gatewayUrl(gateway.url()).build());
    private final ConnectionProvider pool = ConnectionProvider.builder("callers")
            .maxConnections(1)
            .pendingAcquireMaxCount(-1)
            .build();
    private final HttpClient client = HttpClient.create(pool);

    /** A server that answers with the text of the work, behind the policy. */
    protected abstract BoundaryServer server(InboundPolicy policy, Mono<String> work);

    @AfterEach
    void close() {
        Await.done(caracal.disposeLater());
        Await.done(pool.disposeLater());
        gateway.close();
        other.close();
    }

    private record Answer(int status, HttpHeaders headers, String body) {
        List<String> challenge() {
            return headers.getAll("WWW-Authenticate");
        }
    }

    private static Answer call(
            HttpClient client, HttpMethod method, BoundaryServer server, Consumer<HttpHeaders> edit) {
        return Objects.requireNonNull(client.headers(edit)
                .request(method)
                .uri(server.url() + "/work")
                .responseSingle((response, body) -> body.asString()
                        .defaultIfEmpty("")
                        .map(text -> new Answer(response.status().code(), response.responseHeaders(), text)))
                .block(Await.BOUND));
    }

    private Answer get(BoundaryServer server, Consumer<HttpHeaders> edit) {
        return call(client, HttpMethod.GET, server, edit);
    }

    private static Consumer<HttpHeaders> bearer(String token) {
        return headers -> headers.set("Authorization", "Bearer " + token);
    }

    private BoundaryServer server(Boundary boundary, Mono<String> work) {
        return server(caracal.inbound(boundary), work);
    }

    private Mono<String> who() {
        return caracal.current()
                .map(context -> context.hasAgentSession() ? context.agentSessionId() : "no session")
                .defaultIfEmpty("nobody");
    }

    private static void isRefusal(Answer answer, int status, String code) {
        assertThat(answer.status()).isEqualTo(status);
        assertThat(answer.headers().get("Content-Type")).isEqualTo("application/json");
        assertThat(answer.headers().get("Cache-Control")).isEqualTo("no-store");
        assertThat(answer.body())
                .matches("\\{\"error\":\"" + code + "\",\"error_description\":\"[^\"\\\\\\x00-\\x1f]+\"}");
    }

    @Test
    void aMissingBearerIsRefused() {
        try (BoundaryServer server = server(PROPAGATION, who())) {
            Answer answer = get(server, headers -> {});
            isRefusal(answer, 401, "missing_token");
            assertThat(answer.challenge()).containsExactly("Bearer realm=\"caracal\"");
            isRefusal(get(server, headers -> headers.set("Authorization", "Basic eDp5")), 401, "missing_token");
        }
    }

    @Test
    void aPreflightPassesWithNobodyBound() {
        for (Boundary boundary : List.of(PROPAGATION, VERIFIED, VERIFIED.asApplication())) {
            try (BoundaryServer server = server(boundary, who())) {
                Consumer<HttpHeaders> origin = headers -> headers.set("Origin", "https://app.example.com");
                Consumer<HttpHeaders> wanted = headers -> headers.set("Access-Control-Request-Method", "POST");
                Answer preflight = call(client, HttpMethod.OPTIONS, server, origin.andThen(wanted));
                assertThat(preflight.status()).isEqualTo(200);
                assertThat(preflight.body()).isEqualTo("nobody");
            }
        }
        try (BoundaryServer server = server(VERIFIED, who())) {
            Consumer<HttpHeaders> origin = headers -> headers.set("Origin", "https://app.example.com");
            Consumer<HttpHeaders> wanted = headers -> headers.set("Access-Control-Request-Method", "POST");
            isRefusal(call(client, HttpMethod.OPTIONS, server, origin), 401, "missing_token");
            isRefusal(call(client, HttpMethod.OPTIONS, server, wanted), 401, "missing_token");
            isRefusal(call(client, HttpMethod.GET, server, origin.andThen(wanted)), 401, "missing_token");
        }
    }

    @Test
    void aBadBearerIsRefused() {
        for (Boundary boundary : List.of(PROPAGATION, PROPAGATION.optional(), VERIFIED, VERIFIED.asApplication())) {
            try (BoundaryServer server = server(boundary, who())) {
                for (String value : List.of("Bearer", "Bearer a b", "Bearer \"x\"", "Bearer " + "x".repeat(5000))) {
                    Answer answer = get(server, headers -> headers.set("Authorization", value));
                    isRefusal(answer, 401, "invalid_token");
                    assertThat(answer.challenge())
                            .singleElement()
                            .asString()
                            .matches("Bearer error=\"invalid_token\", error_description=\"[^\"\\\\]+\"");
                }
                isRefusal(
                        get(server, headers -> headers.add("Authorization", List.of("Bearer a", "Bearer a"))),
                        401,
                        "invalid_token");
            }
        }
    }

    @Test
    void refusalsSayWhatTheVerifierSaid() {
        Reason[] reasons = Reason.values();
        AtomicInteger next = new AtomicInteger();
        MandateVerifier verifier = (bearer, requirements) -> Mono.error(() -> new InboundException(
                reasons[next.getAndIncrement()], "needs \"quotes\"\\ and\r\nlines \u00e9", "ask \"again\"", null));
        try (BoundaryServer server = server(Boundary.verified(verifier), who())) {
            for (Reason reason : reasons) {
                Answer answer = get(server, bearer("token"));
                isRefusal(answer, reason.httpStatus(), reason.code());
                assertThat(answer.body()).contains("needs 'quotes'? and", "ask 'again'");
                assertThat(answer.challenge()).hasSize(reason == Reason.VERIFIER_UNAVAILABLE ? 0 : 1);
            }
        }
    }

    @Test
    void aRequestIsLetInForItsCaller() {
        try (BoundaryServer server = server(VERIFIED, who())) {
            Answer answer = get(server, headers -> {
                HEADERS.forEach(headers::set);
                headers.set("Authorization", "bearer token-of-s-5");
            });
            assertThat(answer.status()).isEqualTo(200);
            assertThat(answer.body())
                    .as("the session of the mandate, not of the baggage")
                    .isEqualTo("s-5");
            isRefusal(get(server, bearer("forged")), 401, "invalid_token");
        }
    }

    @Test
    void withoutABearerTheBoundaryDecides() {
        Consumer<HttpHeaders> spoofing = headers -> headers.set("baggage", HEADERS.get("Baggage"));
        try (BoundaryServer server = server(PROPAGATION.optional(), who())) {
            assertThat(get(server, spoofing).body()).isEqualTo("nobody");
        }
        try (BoundaryServer server = server(VERIFIED.asApplication(), who())) {
            assertThat(get(server, spoofing).body()).isEqualTo("no session");
        }
    }

    /** Oversized, repeated and malformed headers have an outcome, and it is no error. */
    @Test
    void hostileHeadersCountAsAbsent() {
        Mono<String> told = caracal.current()
                .map(context -> context.hasAgentSession() + " "
                        + context.baggage().size() + " " + context.traceId().equals(TRACE));
        try (BoundaryServer server = server(PROPAGATION, told)) {
            Consumer<HttpHeaders> oversized = headers -> headers.set("baggage", "a=" + "x".repeat(100_000));
            Consumer<HttpHeaders> repeated = headers -> {
                for (int i = 0; i < 500; i++) {
                    headers.add("baggage", "caracal.agent_session=s-" + i);
                    headers.add("tracestate", "v=" + i);
                    headers.add("traceparent", "garbage");
                }
            };
            Consumer<HttpHeaders> hostile = headers ->
                    headers.set("baggage", "caracal.agent_session=%0d%0aX:1,=,;;,%,caracal.hop=-1,caracal.session=..");
            for (Consumer<HttpHeaders> edit : List.of(oversized, repeated, hostile)) {
                assertThat(get(server, bearer("t").andThen(edit)).body()).isEqualTo("false 0 false");
            }
            assertThat(get(server, bearer("t").andThen(headers -> headers.add("traceparent", TRACEPARENT)))
                            .body())
                    .isEqualTo("false 0 true");
        }
    }

    /** The rest of the body is not waited for, and the connection serves the next request. */
    @Test
    void aRefusedBodyIsDiscarded() {
        try (BoundaryServer server = server(PROPAGATION, who())) {
            for (int i = 0; i < 20; i++) {
                int status = Objects.requireNonNull(client.post()
                        .uri(server.url() + "/work")
                        .send(Flux.range(0, 64).<ByteBuf>map(n -> Unpooled.wrappedBuffer(new byte[8192])))
                        .responseSingle((response, body) ->
                                body.asString().thenReturn(response.status().code()))
                        .block(Await.BOUND));
                assertThat(status).isEqualTo(401);
                assertThat(get(server, bearer("t")).status()).isEqualTo(200);
            }
        }
    }

    @Test
    void aRefusalOfHeadHasNoBody() {
        try (BoundaryServer server = server(PROPAGATION, who())) {
            Answer answer = call(client, HttpMethod.HEAD, server, headers -> {});
            assertThat(answer.status()).isEqualTo(401);
            assertThat(answer.body()).isEmpty();
            assertThat(get(server, bearer("t")).body()).isEqualTo("no session");
        }
    }

    @Test
    void whatTheHandlerSignalsIsItsOwn() {
        Mono<String> failing = Mono.error(() -> new InboundException(Reason.MISSING_TOKEN, "of another service"));
        try (BoundaryServer server = server(PROPAGATION, failing)) {
            Answer answer = get(server, bearer("t"));
            assertThat(answer.status()).isEqualTo(500);
            assertThat(answer.challenge()).isEmpty();
        }
    }

    @Test
    void aCancelledRequestCancelsTheHandlerAndTheVerifier() {
        Sinks.Empty<Void> started = Sinks.empty();
        Sinks.Empty<Void> cancelled = Sinks.empty();
        Mono<String> hanging = Mono.<String>never()
                .doOnSubscribe(s -> started.emitEmpty(Sinks.EmitFailureHandler.FAIL_FAST))
                .doOnCancel(() -> cancelled.emitEmpty(Sinks.EmitFailureHandler.FAIL_FAST));
        try (BoundaryServer server = server(PROPAGATION, hanging)) {
            cancelWhen(server, started.asMono());
            Await.done(cancelled.asMono());
        }
        Sinks.Empty<Void> asked = Sinks.empty();
        Sinks.Empty<Void> gone = Sinks.empty();
        MandateVerifier slow = (bearer, requirements) -> Mono.<VerifiedMandate>never()
                .doOnSubscribe(s -> asked.emitEmpty(Sinks.EmitFailureHandler.FAIL_FAST))
                .doOnCancel(() -> gone.emitEmpty(Sinks.EmitFailureHandler.FAIL_FAST));
        try (BoundaryServer server = server(Boundary.verified(slow), who())) {
            cancelWhen(server, asked.asMono());
            Await.done(gone.asMono());
        }
    }

    private void cancelWhen(BoundaryServer server, Mono<Void> signal) {
        Await.done(client.headers(bearer("t"))
                .get()
                .uri(server.url() + "/work")
                .response()
                .takeUntilOther(signal.thenMany(Flux.just(1))));
    }

    /** Each call that is made for a request carries its caller, over shared clients, connections, threads. */
    @Test
    void callersNeverMix() {
        HttpClient calls = HttpClient.create(pool);
        WebClient web = WebClient.builder()
                .clientConnector(new ReactorClientHttpConnector(calls))
                .filter(CaracalExchangeFilter.create(caracal))
                .build();
        HttpClient decorated = CaracalHttp.decorate(calls, caracal);
        // Each its own: WebClient makes the requests of one stored call from one map that is not safe for many threads.
        Mono<String> viaWeb = Mono.defer(
                () -> web.get().uri(FakePlatform.BILLING + "/tool").retrieve().bodyToMono(String.class));
        Mono<String> viaNetty =
                decorated.get().uri(FakePlatform.BILLING + "/tool").responseSingle((response, body) -> body.asString());
        Set<String> tried = ConcurrentHashMap.newKeySet();
        Set<String> failures = ConcurrentHashMap.newKeySet();
        // Assembled once, for all callers: the identity is that of each subscription.
        Mono<String> tools = Mono.just(1)
                .publishOn(Schedulers.boundedElastic())
                .then(viaWeb)
                .publishOn(Schedulers.parallel())
                .flatMap(first -> viaNetty.map(second -> first + "|" + second))
                .flatMap(both -> who().flatMap(who -> tried.add(who)
                        ? Mono.error(new IllegalStateException("the first attempt of each caller fails"))
                        : Mono.just(who + "|" + both)))
                .doOnError(error -> failures.add(error.toString()))
                .retry(1);
        ConnectionProvider many = ConnectionProvider.builder("many")
                .maxConnections(16)
                .pendingAcquireMaxCount(-1)
                .build();
        gateway.quiet();
        try (BoundaryServer server = server(VERIFIED, tools)) {
            HttpClient callers = HttpClient.create(many);
            Flux<String> mixed = Flux.range(0, 300)
                    .flatMap(
                            i -> callers.headers(bearer("token-of-s" + i))
                                    .get()
                                    .uri(server.url() + "/work")
                                    .responseSingle((response, body) -> body.asString()
                                            .defaultIfEmpty("")
                                            .map(text -> response.status() + " " + text))
                                    .filter(text -> {
                                        String sent = "GET /tool 0 Bearer token-of-s" + i;
                                        return !text.equals("200 OK s" + i + "|" + sent + "|" + sent);
                                    }),
                            16);
            StepVerifier.create(mixed.collectList()
                            .doOnNext(wrong ->
                                    assertThat(wrong).as("%s", failures).isEmpty()))
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(Await.BOUND);
            assertThat(failures).singleElement().asString().contains("the first attempt of each caller fails");
        }
        Await.done(many.disposeLater());
        assertThat(platform.requests(request -> true))
                .as("nothing is minted or exchanged")
                .isEmpty();
    }

    @Test
    void theCallersBearerGoesNowhereElse() {
        HttpClient decorated = CaracalHttp.decorate(
                HttpClient.create(pool),
                caracal,
                TransportOptions.defaults().withPropagation(Propagation.everywhere()));
        Mono<String> elsewhere =
                decorated.get().uri(other.url() + "/x").responseSingle((response, body) -> body.asString());
        try (BoundaryServer server = server(VERIFIED, elsewhere)) {
            Answer answer = get(HttpClient.newConnection(), server);
            assertThat(answer.body()).isEqualTo("GET /x 0 -");
        }
        EchoServer.Arrival arrival = other.only();
        assertThat(arrival.header("Authorization")).isNull();
        assertThat(arrival.header("traceparent")).startsWith("00-" + TRACE);
        assertThat(arrival.all("baggage")).singleElement().asString().contains("caracal.agent_session=s-5");
    }

    private static Answer get(HttpClient client, BoundaryServer server) {
        return call(client, HttpMethod.GET, server, headers -> {
            headers.set("Authorization", "Bearer token-of-s-5");
            headers.set("traceparent", TRACEPARENT);
        });
    }

    /** A handler without a caller propagates no identity, not even that of an outer context. */
    @Test
    void nobodySendsNothingOn() {
        Mono<String> onward = CaracalHttp.decorate(HttpClient.create(pool), caracal)
                .get()
                .uri(FakePlatform.BILLING + "/x")
                .responseSingle((response, body) -> body.asString())
                .onErrorResume(error -> Mono.just(error.getClass().getSimpleName()));
        CaracalContext outside = Objects.requireNonNull(
                caracal.bindFromHeaders(HEADERS, caracal.current()).block(Await.BOUND));
        InboundPolicy optional = caracal.inbound(PROPAGATION.optional());
        ContextView another = Objects.requireNonNull(
                caracal.bind(outside, Mono.deferContextual(Mono::just)).block(Await.BOUND));
        InboundPolicy insideAnother =
                headers -> optional.judge(headers).map(call -> context -> call.bind(context.putAll(another)));
        try (BoundaryServer server = server(insideAnother, onward)) {
            assertThat(call(HttpClient.newConnection(), HttpMethod.GET, server, headers -> {})
                            .body())
                    .isEqualTo("NoContextException");
        }
        assertThat(gateway.arrivals).isEmpty();
    }
}
