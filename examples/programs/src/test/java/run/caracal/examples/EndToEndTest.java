package run.caracal.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static run.caracal.examples.Calls.error;
import static run.caracal.examples.Calls.get;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.springframework.http.client.reactive.ReactorClientHttpConnector;
import org.springframework.web.reactive.function.client.WebClient;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.netty.ByteBufFlux;
import reactor.netty.http.client.HttpClient;
import reactor.netty.resources.ConnectionProvider;
import reactor.test.StepVerifier;
import reactor.util.retry.Retry;
import run.caracal.Caracal;
import run.caracal.CaracalContext;
import run.caracal.GatewayRequest;
import run.caracal.SpawnOptions;
import run.caracal.config.CaracalConfig;
import run.caracal.error.CaracalException;
import run.caracal.error.CoordinatorException;
import run.caracal.error.GatewayError;
import run.caracal.error.ProtocolException;
import run.caracal.error.RoutingException;
import run.caracal.error.StsException;
import run.caracal.error.TransportException;
import run.caracal.http.TransportOptions;
import run.caracal.netty.CaracalHttp;
import run.caracal.platform.Fault;
import run.caracal.platform.FaultRule;
import run.caracal.platform.LocalPlatform;
import run.caracal.platform.PlatformLimits;
import run.caracal.platform.ReceivedRequest;
import run.caracal.platform.Service;
import run.caracal.test.Effort;
import run.caracal.test.Threads;
import run.caracal.webflux.CaracalExchangeFilter;

/** The whole way, on sockets, with real tokens, against the local platform. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class EndToEndTest {
    private static final Duration LIMIT = Duration.ofSeconds(30);

    private LocalPlatform platform;
    private Caracal caracal;

    @BeforeAll
    void startPlatform() {
        platform = LocalPlatform.builder()
                .limits(PlatformLimits.builder()
                        .sessionsPerZone(100_000)
                        .sessionsPerApplication(100_000)
                        .childrenPerSession(1_000)
                        .coordinatorRequestsPerMinute(10_000_000)
                        .mintsPerMinute(10_000_000)
                        .idempotencyReceipts(1_000_000)
                        .failedSecretsPerMinute(1_000_000)
                        .build())
                .start();
    }

    @AfterAll
    void stopPlatform() {
        StepVerifier.create(platform.disposeLater()).expectComplete().verify(LIMIT);
    }

    @BeforeEach
    void connect() {
        caracal = Caracal.create(config(c -> c));
    }

    @AfterEach
    void nothingStaysOpen() {
        for (Service service : Service.values()) {
            platform.faults(service, FaultRule.none());
        }
        StepVerifier.create(caracal.disposeLater()).expectComplete().verify(LIMIT);
        assertThat(platform.openSessionCount()).isZero();
    }

    private CaracalConfig config(UnaryOperator<CaracalConfig.Builder> change) {
        return change.apply(Deployment.connected(platform)
                        .resource(platform.resourceId(), platform.upstreamUrl(), "billing:charge"))
                .build();
    }

    private List<ReceivedRequest> received(Service service, String marker) {
        return platform.received(service).stream()
                .filter(r -> r.uri().contains(marker))
                .toList();
    }

    @Test
    void theSameIdentityReachesTheWireThroughEveryClient() {
        HttpClient plain = CaracalHttp.decorate(HttpClient.create(), caracal);
        WebClient filtered = WebClient.builder()
                .filter(CaracalExchangeFilter.create(caracal))
                .build();
        WebClient decorated = WebClient.builder()
                .clientConnector(new ReactorClientHttpConnector(plain))
                .build();
        WebClient both =
                decorated.mutate().filter(CaracalExchangeFilter.create(caracal)).build();
        String url = platform.upstreamUrl() + "/echo?marker=same-identity";
        CaracalContext context = caracal.spawn(session -> get(plain, url)
                        .then(filtered.get().uri(url).retrieve().bodyToMono(String.class))
                        .then(decorated.get().uri(url).retrieve().bodyToMono(String.class))
                        .then(both.get().uri(url).retrieve().bodyToMono(String.class))
                        .thenReturn(session))
                .block(LIMIT);
        List<ReceivedRequest> seen = received(Service.GATEWAY, "same-identity");
        assertThat(seen).hasSize(4).allSatisfy(request -> {
            assertThat(request.headers("authorization")).hasSize(1);
            assertThat(request.headers("x-caracal-resource")).containsExactly(platform.resourceId());
            assertThat(request.headers("traceparent"))
                    .singleElement()
                    .asString()
                    .contains(Objects.requireNonNull(context).traceId());
        });
        // One child of the session acts in all of them, each time with a mandate of its own.
        assertThat(seen.stream().map(r -> r.headers("baggage")).distinct())
                .singleElement()
                .asString()
                .contains("caracal.agent_session=")
                .doesNotContain(Objects.requireNonNull(context).agentSessionId());
        assertThat(seen.stream().map(r -> r.header("authorization")).distinct()).hasSize(4);
        assertThat(received(Service.UPSTREAM, "same-identity"))
                .hasSize(4)
                .allSatisfy(request ->
                        assertThat(request.header("baggage").orElse("")).doesNotContain("caracal."));
    }

    /** At no instant does a cancellation leave a session at the platform. */
    @Test
    @Tag("soak")
    void cancellationsLeaveNoSession() {
        long before = platform.totalOpened();
        AtomicInteger finished = new AtomicInteger();
        int rounds = Effort.of(6, 60);
        // In rounds, so that the detached ends of one do not pile up behind those of the next.
        for (int round = 0; round < rounds; round++) {
            Caracal client = Caracal.create(config(c -> c));
            Mono<Void> cancelled = Flux.range(0, 500)
                    .flatMap(
                            i -> client.spawn(session -> pause(3).doOnSuccess(x -> finished.incrementAndGet()))
                                    .takeUntilOther(pause(12)),
                            48)
                    .then(client.disposeLater());
            StepVerifier.create(cancelled).expectComplete().verify(LIMIT);
            assertThat(platform.openSessionCount()).as("after round %d", round).isZero();
        }
        assertThat(platform.totalOpened() - before).isGreaterThan(16L * rounds);
        assertThat(finished).as("some were in time").hasPositiveValue();
    }

    private static Mono<Long> pause(int maxMillis) {
        return Mono.defer(
                () -> Mono.delay(Duration.ofNanos(ThreadLocalRandom.current().nextInt(maxMillis * 1_000_000))));
    }

    /** The first answer is lost, and there is one session. */
    @Test
    void aLostAnswerMakesOneSession() {
        Set<String> dropped = ConcurrentHashMap.newKeySet();
        platform.faults(
                Service.COORDINATOR,
                request -> request.method().equals("POST")
                                && dropped.add(request.header("idempotency-key").orElse(""))
                        ? Fault.dropResponse()
                        : Fault.none());
        long before = platform.totalOpened();
        StepVerifier.create(Flux.range(0, 20)
                        .flatMap(i -> caracal.spawn(session -> Mono.just(session.agentSessionId())), 4))
                .expectNextCount(20)
                .expectComplete()
                .verify(LIMIT);
        assertThat(platform.totalOpened() - before).isEqualTo(20);
        assertThat(dropped).hasSize(20);
    }

    /** Through the Gateway: one connection, one stored call, two sessions. */
    @Test
    @Tag("soak")
    void twoSessionsOnOneConnectionNeverMix() {
        HttpClient http = CaracalHttp.decorate(HttpClient.create(ConnectionProvider.create("one", 1)), caracal);
        Mono<String> stored = http.get()
                .uri(platform.gatewayUrl() + "/echo?marker=one-connection")
                .responseSingle((response, body) -> body.asString());
        HttpClient bound = http.headers(h -> h.set("X-Caracal-Resource", platform.resourceId()));
        Mono<String> call = bound.get()
                .uri(platform.gatewayUrl() + "/echo?marker=one-connection")
                .responseSingle((response, body) -> body.asString());
        StepVerifier.create(stored).expectError().verify(LIMIT);
        int repetitions = Effort.of(100, 500);
        Mono<Void> user = caracal.spawn(session -> call.repeat(repetitions).then());
        StepVerifier.create(Mono.when(user, user)).expectComplete().verify(Duration.ofMinutes(1));
        Map<String, Long> bySession = received(Service.GATEWAY, "one-connection").stream()
                .map(r -> r.header("baggage").orElse(""))
                .collect(java.util.stream.Collectors.groupingBy(b -> b, java.util.stream.Collectors.counting()));
        assertThat(bySession)
                .hasSize(2)
                .allSatisfy((baggage, count) -> assertThat(count).isEqualTo(repetitions + 1));
    }

    /** Every control-plane call is authorized; the token exchange proves itself in its form. */
    @Test
    void everyCallCarriesItsCredential() {
        StepVerifier.create(caracal.spawn(s -> caracal.spawn(child -> Mono.just(1))))
                .expectNext(1)
                .expectComplete()
                .verify(LIMIT);
        assertThat(platform.received(Service.COORDINATOR))
                .isNotEmpty()
                .allSatisfy(r -> assertThat(r.bearer()).as("%s", r).isPresent());
    }

    @Test
    void aRevokedTokenIsExchangedAgainWithoutTheCallerNoticing() {
        StepVerifier.create(caracal.spawn(s -> Mono.just(1)))
                .expectNext(1)
                .expectComplete()
                .verify(LIMIT);
        platform.revokeTokens(platform.applicationId());
        StepVerifier.create(caracal.spawn(s -> Mono.just(2)))
                .expectNext(2)
                .expectComplete()
                .verify(LIMIT);
    }

    private void assertFails(CaracalConfig config, Class<? extends CaracalException> type, String... words) {
        Caracal broken = Caracal.create(config);
        StepVerifier.create(broken.spawn(s -> Mono.just(1)))
                .expectErrorSatisfies(e -> {
                    assertThat(e).isInstanceOf(type);
                    for (String word : words) {
                        assertThat(e).hasMessageContaining(word);
                    }
                    assertThat(e.getMessage()).doesNotContain(platform.clientSecret());
                })
                .verify(LIMIT);
        StepVerifier.create(broken.disposeLater()).expectComplete().verify(LIMIT);
    }

    @Test
    void badInput_aWrongSecret() {
        assertFails(config(c -> c.clientSecret("wrong")), StsException.class, "CARACAL_APP_CLIENT_SECRET");
    }

    @Test
    void badInput_anUnknownZoneAndApplication() {
        assertFails(config(c -> c.applicationId("nobody")), StsException.class, "CARACAL_APP");
        assertFails(config(c -> c.zoneId("nowhere")), StsException.class);
    }

    @Test
    void badInput_unreachableServices() {
        assertFails(config(c -> c.stsUrl("http://127.0.0.1:1")), TransportException.class, "127.0.0.1:1");
        assertFails(config(c -> c.coordinatorUrl("http://127.0.0.1:1")), TransportException.class, "127.0.0.1:1");
        assertFails(
                config(c -> c.stsUrl("http://no-such-host.invalid")), TransportException.class, "no-such-host.invalid");
    }

    @Test
    void badInput_aTimeoutSaysSo() {
        platform.faults(Service.STS, request -> Fault.delayResponse(Duration.ofSeconds(5)));
        assertFails(config(c -> c.stsTimeout(Duration.ofMillis(200))), TransportException.class, "/oauth/2/token");
    }

    @Test
    void badInput_malformedAnswers() {
        for (String body : List.of("", "<html>", "[]", "{}", "{\"access_token\":", "x".repeat(2_000_000))) {
            platform.faults(
                    Service.STS, request -> Fault.respond(200, Map.of("Content-Type", "application/json"), body));
            assertFails(config(c -> c), body.length() > 1_000_000 ? TransportException.class : ProtocolException.class);
        }
        platform.faults(Service.STS, FaultRule.none());
        platform.faults(
                Service.COORDINATOR,
                request -> request.method().equals("POST") ? Fault.respond(201, Map.of(), "{}") : Fault.none());
        assertFails(config(c -> c), ProtocolException.class);
    }

    @Test
    void badInput_aRedirectOfAServiceIsNotFollowed() {
        platform.faults(
                Service.STS, request -> Fault.respond(302, Map.of("Location", platform.stsUrl() + "/elsewhere"), ""));
        assertFails(config(c -> c), StsException.class, "302");
        assertThat(received(Service.STS, "/elsewhere")).isEmpty();
    }

    @Test
    void badInput_anUnknownResource() {
        HttpClient http = CaracalHttp.decorate(HttpClient.create(), caracal);
        StepVerifier.create(caracal.spawn(s -> get(
                        http.headers(h -> h.set("X-Caracal-Resource", "resource://unknown")),
                        platform.upstreamUrl() + "/x")))
                .expectErrorSatisfies(e ->
                        assertThat(e).isInstanceOf(RoutingException.class).hasMessageContaining("resource://unknown"))
                .verify(LIMIT);
        GatewayRequest request = caracal.gatewayRequest("resource://unknown", "/x");
        HttpClient scoped = CaracalHttp.decorate(
                HttpClient.create(), caracal, TransportOptions.defaults().withScopes("billing:charge"));
        StepVerifier.create(caracal.spawn(s ->
                        get(scoped.headers(h -> request.headers().forEach(h::set)), request.url())))
                .expectErrorSatisfies(e -> assertThat(e).isInstanceOfSatisfying(CoordinatorException.class, refused -> {
                    assertThat(refused.httpStatus()).isEqualTo(404);
                    assertThat(refused.code()).isEqualTo("resource_not_found");
                }))
                .verify(LIMIT);
    }

    @Test
    void theUpstreamsErrorIsToldApart() {
        HttpClient http = CaracalHttp.decorate(HttpClient.create(), caracal);
        for (int status : List.of(401, 403, 418, 429)) {
            Mono<GatewayError> refused = caracal.spawn(s -> error(http, platform.upstreamUrl() + "/status/" + status));
            StepVerifier.create(refused)
                    .assertNext(error -> {
                        assertThat(error.origin()).isEqualTo(GatewayError.Origin.UPSTREAM);
                        assertThat(error.httpStatus()).isEqualTo(status);
                    })
                    .expectComplete()
                    .verify(LIMIT);
        }
    }

    @Test
    void theCapacityLimitIsATypedErrorThatSaysWhatToDo() {
        LocalPlatform small = LocalPlatform.builder()
                .limits(PlatformLimits.builder().sessionsPerZone(1).build())
                .start();
        Caracal crowded = Caracal.create(Deployment.connected(small)
                .resource(small.resourceId(), small.upstreamUrl())
                .build());
        StepVerifier.create(crowded.spawn(s -> crowded.spawn(
                        SpawnOptions.builder().ttl(Duration.ofMinutes(1)).build(), child -> Mono.just(1))))
                .expectErrorSatisfies(e -> assertThat(e).isInstanceOfSatisfying(CoordinatorException.class, c -> {
                    assertThat(c.httpStatus()).isEqualTo(429);
                    assertThat(c.code()).isEqualTo("session_zone_limit_exceeded");
                }))
                .verify(LIMIT);
        StepVerifier.create(crowded.disposeLater()).expectComplete().verify(LIMIT);
        assertThat(small.openSessionCount()).isZero();
        StepVerifier.create(small.disposeLater()).expectComplete().verify(LIMIT);
    }

    /** Threads and connections go with the client. */
    @Test
    @Tag("soak")
    void clientsLeaveNoThread() {
        StepVerifier.create(caracal.disposeLater()).expectComplete().verify(LIMIT);
        for (int i = 0; i < Effort.of(20, 100); i++) {
            Caracal one = Caracal.create(config(c -> c));
            StepVerifier.create(one.spawn(s -> Mono.just(1)).then(one.disposeLater()))
                    .expectComplete()
                    .verify(LIMIT);
        }
        StepVerifier.create(Mono.fromSupplier(() -> Threads.named("caracal-"))
                        .filter(List::isEmpty)
                        .switchIfEmpty(Mono.error(() ->
                                new AssertionError(Threads.named("caracal-").toString())))
                        .retryWhen(Retry.fixedDelay(500, Duration.ofMillis(10))))
                .expectNextCount(1)
                .expectComplete()
                .verify(LIMIT);
    }

    @Test
    void aRequestBodyStreamsThroughTheGateway() {
        HttpClient http = CaracalHttp.decorate(HttpClient.create(), caracal);
        String part = "x".repeat(10_000);
        StepVerifier.create(caracal.spawn(s -> http.post()
                        .uri(platform.upstreamUrl() + "/echo")
                        .send(ByteBufFlux.fromString(Flux.range(0, 100).map(i -> part)))
                        .responseSingle((response, body) ->
                                body.asString().thenReturn(response.status().code()))))
                .expectNext(200)
                .expectComplete()
                .verify(LIMIT);
        assertThat(platform.received(Service.UPSTREAM))
                .last()
                .satisfies(request -> assertThat(request.body()).hasSize(1_000_000));
    }
}
