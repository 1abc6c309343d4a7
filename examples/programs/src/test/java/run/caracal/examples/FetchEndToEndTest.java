package run.caracal.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.springframework.core.io.buffer.DataBuffer;
import org.springframework.core.io.buffer.DataBufferUtils;
import org.springframework.http.MediaType;
import org.springframework.web.reactive.function.client.WebClient;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.netty.ByteBufFlux;
import reactor.netty.http.client.HttpClient;
import reactor.test.StepVerifier;
import reactor.util.retry.Retry;
import run.caracal.ApplicationOptions;
import run.caracal.Caracal;
import run.caracal.FederatedSubject;
import run.caracal.FetchRequest;
import run.caracal.Mandate;
import run.caracal.MandateOptions;
import run.caracal.SpawnOptions;
import run.caracal.config.CaracalConfig;
import run.caracal.error.AuthorityRevokedException;
import run.caracal.error.CaracalException;
import run.caracal.error.ClosedException;
import run.caracal.error.GatewayError;
import run.caracal.error.GatewayException;
import run.caracal.error.RoutingException;
import run.caracal.error.StsException;
import run.caracal.error.TransportException;
import run.caracal.http.HttpResponse;
import run.caracal.http.OutboundPolicy;
import run.caracal.netty.CaracalHttp;
import run.caracal.platform.AuditEvent;
import run.caracal.platform.Fault;
import run.caracal.platform.FaultRule;
import run.caracal.platform.GatewayMode;
import run.caracal.platform.LocalPlatform;
import run.caracal.platform.PlatformLimits;
import run.caracal.platform.ProtectedResource;
import run.caracal.platform.ReceivedRequest;
import run.caracal.platform.Service;
import run.caracal.platform.SessionSnapshot;
import run.caracal.test.Threads;
import run.caracal.webflux.CaracalExchangeFilter;

/** Calls that the SDK sends itself, and calls as the application itself, against a Gateway that takes a bearer once. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class FetchEndToEndTest {
    private static final Duration LIMIT = Duration.ofSeconds(30);
    private static final String BILLING = "resource://billing-api";
    private static final Duration SHORT = Duration.ofMillis(100);
    private static final String LEDGER = "resource://ledger-api";

    private LocalPlatform platform;
    private Caracal caracal;

    @BeforeAll
    void startPlatform() {
        platform = LocalPlatform.builder()
                .gatewayMode(GatewayMode.ONE_SHOT)
                .application("app-local", "secret-1")
                .resource(ProtectedResource.of(BILLING, "billing:charge", "billing:read"))
                .resource(ProtectedResource.of(LEDGER, "ledger:close").withApproval("high", "ledger:close"))
                .limits(PlatformLimits.builder()
                        .coordinatorRequestsPerMinute(100_000)
                        .build())
                .start();
    }

    @AfterAll
    void stopPlatform() {
        StepVerifier.create(platform.disposeLater()).expectComplete().verify(LIMIT);
    }

    @BeforeEach
    void connect() {
        caracal = Caracal.create(config(c -> c.resource(BILLING, platform.upstreamUrl(), "billing:charge")));
    }

    @AfterEach
    void nothingStaysOpen() {
        platform.faults(Service.GATEWAY, FaultRule.none());
        platform.faults(Service.STS, FaultRule.none());
        StepVerifier.create(caracal.disposeLater()).expectComplete().verify(LIMIT);
        assertThat(platform.openSessionCount()).isZero();
    }

    private CaracalConfig config(UnaryOperator<CaracalConfig.Builder> change) {
        return change.apply(CaracalConfig.builder()
                        .zoneId(platform.zoneId())
                        .applicationId(platform.applicationId())
                        .clientSecret(platform.clientSecret())
                        .stsUrl(platform.stsUrl())
                        .coordinatorUrl(platform.coordinatorUrl())
                        .gatewayUrl(platform.gatewayUrl()))
                .build();
    }

    private List<ReceivedRequest> atGateway(String marker) {
        return platform.received(Service.GATEWAY).stream()
                .filter(r -> r.uri().contains(marker))
                .toList();
    }

    private static String text(HttpResponse response) {
        return response.status() + " " + new String(response.body(), StandardCharsets.UTF_8);
    }

    private <T> void assertRefused(Mono<T> call, Consumer<GatewayException> check) {
        StepVerifier.create(call)
                .expectErrorSatisfies(e -> assertThat(e).isInstanceOfSatisfying(GatewayException.class, check))
                .verify(LIMIT);
    }

    @Test
    void aCallAndItsMandateAreOneRequestInTheAudit() {
        String id = "fetch-" + System.nanoTime();
        FetchRequest charge = FetchRequest.builder(BILLING, "/charge")
                .json("{\"amount\": 1200}")
                .requestId(id)
                .build();
        StepVerifier.create(caracal.spawn(session -> caracal.fetch(charge)).map(FetchEndToEndTest::text))
                .assertNext(answer -> assertThat(answer).startsWith("200 ").contains("\"charged\""))
                .expectComplete()
                .verify(LIMIT);
        assertThat(platform.audit().byRequestId(id))
                .extracting(AuditEvent::eventType, AuditEvent::decision)
                .containsExactly(
                        tuple("token_exchange", "allow"),
                        tuple("token_exchange", "allow"),
                        tuple("gateway_resource_request", "allow"));
    }

    /** An id that the caller gives a decorated client, or WebClient with the filter, is that of the mint too. */
    @Test
    void theCallersRequestIdReachesTheMint() {
        HttpClient http = CaracalHttp.decorate(HttpClient.create(), caracal);
        WebClient web = WebClient.builder()
                .filter(CaracalExchangeFilter.create(caracal))
                .build();
        String url = platform.upstreamUrl() + "/echo";
        Mono<Void> both = caracal.spawn(session -> http.headers(h -> h.set("X-Request-Id", "early-netty"))
                .get()
                .uri(url)
                .responseSingle((response, body) -> body.asString())
                .then(web.get()
                        .uri(url)
                        .header("X-Request-Id", "early-webclient")
                        .retrieve()
                        .bodyToMono(Void.class)));
        StepVerifier.create(both).expectComplete().verify(LIMIT);
        for (String id : List.of("early-netty", "early-webclient")) {
            assertThat(platform.audit().byRequestId(id)).as(id).hasSize(3);
        }
        // A mandate that is minted by hand says under which id to send the call.
        Mono<Mandate> byHand = caracal.spawn(session -> caracal.mintMandate(BILLING));
        String requestId = Objects.requireNonNull(byHand.block(LIMIT)).requestId();
        assertThat(platform.audit().byRequestId(requestId)).hasSize(1);
    }

    @Test
    void whatTheUpstreamSaysIsNotTakenForTheGatewaysAndNothingIsRepeated() {
        for (int status : new int[] {401, 403, 429, 503}) {
            FetchRequest request = FetchRequest.of(BILLING, "/status/" + status + "?marker=upstream-" + status);
            assertRefused(caracal.spawn(session -> caracal.fetch(request)), e -> {
                assertThat(e.origin()).isEqualTo(GatewayError.Origin.UPSTREAM);
                assertThat(e.httpStatus()).isEqualTo(status);
                assertThat(e.requestId()).isPresent();
                assertThat(new String(e.body(), StandardCharsets.UTF_8)).contains("" + status);
            });
            assertThat(atGateway("marker=upstream-" + status)).hasSize(1);
        }
    }

    @Test
    void aRefusalOfTheGatewayIsTypedAndNoBearerIsSentTwice() {
        FetchRequest request = FetchRequest.of(BILLING, "/echo?marker=replayed");
        platform.faults(
                Service.GATEWAY,
                seen -> atGateway("marker=replayed").size() < 2
                        ? Fault.respond(
                                401,
                                Map.of(),
                                "{\"error\":\"invalid_token\",\"error_description\":\"token replay detected\"}")
                        : Fault.none());
        assertRefused(caracal.spawn(session -> caracal.fetch(request)), e -> {
            assertThat(e.origin()).isEqualTo(GatewayError.Origin.GATEWAY);
            assertThat(e.isRetryable()).isTrue();
            assertThat(e).hasMessageContaining("new one");
        });
        assertThat(atGateway("marker=replayed")).hasSize(1);
        // A retry by the caller gets a mandate of its own.
        Mono<HttpResponse> repeated = caracal.fetch(request)
                .retryWhen(Retry.max(3).filter(e -> e instanceof CaracalException c && c.isRetryable()));
        StepVerifier.create(caracal.spawn(session -> repeated))
                .expectNextCount(1)
                .expectComplete()
                .verify(LIMIT);
        assertThat(atGateway("marker=replayed"))
                .extracting(r -> r.bearer().orElseThrow())
                .doesNotHaveDuplicates()
                .hasSize(2);
    }

    /** The same answer to a decorated client is no error of its own, and one request. */
    @Test
    void aReplayIsReadableFromADecoratedClient() {
        platform.faults(
                Service.GATEWAY,
                seen -> Fault.respond(
                        401,
                        Map.of(),
                        "{\"error\":\"invalid_token\",\"error_description\":\"token replay detected\"}"));
        HttpClient http = CaracalHttp.decorate(HttpClient.create(), caracal);
        StepVerifier.create(caracal.spawn(
                        session -> Calls.error(http, platform.upstreamUrl() + "/echo?marker=decorated-replay")))
                .assertNext(error -> {
                    assertThat(error.origin()).isEqualTo(GatewayError.Origin.GATEWAY);
                    assertThat(error.httpStatus()).isEqualTo(401);
                    assertThat(error.hint().orElseThrow()).contains("new one");
                })
                .expectComplete()
                .verify(LIMIT);
        platform.faults(Service.GATEWAY, FaultRule.none());
        assertThat(atGateway("marker=decorated-replay")).hasSize(1);
    }

    @Test
    void aFederatedUserIsNamedByTheSessionsThatActForIt() {
        Mono<String> acting = caracal.federateSubject(platform.idToken("alice"))
                .flatMap(user -> caracal.spawn(
                        SpawnOptions.builder()
                                .subjectAuthorityRecordId(user.authorityRecordId())
                                .build(),
                        session -> caracal.fetch(FetchRequest.of(BILLING, "/echo?marker=for-alice"))
                                .map(answer -> {
                                    assertThat(platform.sessions())
                                            .extracting(SessionSnapshot::subjectAuthorityRecordId)
                                            .containsOnly(user.authorityRecordId());
                                    return user.authorityRecordId();
                                })));
        StepVerifier.create(acting)
                .assertNext(record -> assertThat(atGateway("marker=for-alice"))
                        .singleElement()
                        .satisfies(request ->
                                assertThat(request.header("baggage").orElse("")).contains("caracal.session=" + record)))
                .expectComplete()
                .verify(LIMIT);
    }

    @Test
    void withoutScopesTheGatewaySaysWhatIsMissing() {
        Caracal unscoped = Caracal.create(config(c -> c.resource(BILLING, platform.upstreamUrl())));
        assertRefused(unscoped.spawn(session -> unscoped.fetch(FetchRequest.of(BILLING, "/echo"))), e -> {
            assertThat(e.httpStatus()).isEqualTo(401);
            assertThat(e).hasMessageContaining("one-shot mandate");
            assertThat(e.isRetryable()).isFalse();
        });
        StepVerifier.create(unscoped.disposeLater()).expectComplete().verify(LIMIT);
    }

    @Test
    void anErrorPageOfAnySizeKeepsItsStatus() {
        String page = "<html>" + "x".repeat(3_000_000);
        platform.faults(Service.GATEWAY, seen -> Fault.respond(502, Map.of("Content-Type", "text/html"), page));
        assertRefused(caracal.spawn(session -> caracal.fetch(FetchRequest.of(BILLING, "/echo"))), e -> {
            assertThat(e.httpStatus()).isEqualTo(502);
            assertThat(e.getMessage()).hasSizeLessThan(300).doesNotContain("html");
            assertThat(e.body()).hasSize(FetchRequest.DEFAULT_MAX_RESPONSE_BYTES);
        });
    }

    @Test
    void aRedirectIsAResultAndNotFollowed() {
        FetchRequest request = FetchRequest.of(BILLING, "/status/302?location=/echo%3Fmarker=followed");
        StepVerifier.create(caracal.spawn(session -> caracal.fetch(request)))
                .assertNext(answer -> assertThat(answer.status()).isEqualTo(302))
                .expectComplete()
                .verify(LIMIT);
        assertThat(atGateway("/echo?marker=followed")).isEmpty();
    }

    @Test
    void badInput_aResourceThatIsNotBoundAndAnApprovalThatIsUnknownOrSpent() {
        FetchRequest unknown =
                FetchRequest.builder("resource://unknown", "/x").scopes("a").build();
        StepVerifier.create(caracal.spawn(session -> caracal.fetch(unknown)))
                .expectErrorSatisfies(e ->
                        assertThat(e).isInstanceOf(CaracalException.class).hasMessageContaining("CARACAL_RESOURCES"))
                .verify(LIMIT);
        FetchRequest close = FetchRequest.builder(LEDGER, "/echo?marker=close")
                .scopes("ledger:close")
                .build();
        StepVerifier.create(caracal.spawn(session -> caracal.fetch(close.mutate()
                        .approvalId("5f2c1c1e-0000-4000-8000-000000000000")
                        .build())))
                .expectErrorSatisfies(
                        e -> assertThat(e).isInstanceOf(StsException.class).hasMessageContaining("without it"))
                .verify(LIMIT);
        assertThat(atGateway("marker=close")).isEmpty();

        // Approved once, it carries one call; mandates of another session do not find it.
        Mono<Void> person = Mono.fromSupplier(() -> platform.approvals().stream()
                        .filter(approval -> approval.state().equals("pending"))
                        .toList())
                .filter(pending -> !pending.isEmpty())
                .repeatWhenEmpty(tries -> tries.delayElements(Duration.ofMillis(20)))
                .doOnNext(pending -> platform.decideApproval(pending.get(0).id(), true))
                .then();
        Mono<HttpResponse> approved = caracal.spawn(session -> caracal.withApproval(id -> caracal.fetch(
                id.map(approval -> close.mutate().approvalId(approval).build()).orElse(close))));
        StepVerifier.create(approved.zipWith(person.thenReturn("decided")))
                .assertNext(both -> assertThat(both.getT1().status()).isEqualTo(200))
                .expectComplete()
                .verify(LIMIT);
        assertThat(atGateway("marker=close")).hasSize(1);
        String spent = platform.approvals().stream()
                .filter(approval -> approval.state().equals("consumed"))
                .findFirst()
                .orElseThrow()
                .id();
        StepVerifier.create(caracal.spawn(session -> caracal.mintMandate(
                        LEDGER,
                        List.of("ledger:close"),
                        MandateOptions.defaults().withApprovalId(spent))))
                .expectErrorSatisfies(
                        e -> assertThat(e).isInstanceOf(StsException.class).hasMessageContaining("without it"))
                .verify(LIMIT);
    }

    /** Holds for every client and any bound context; the authority is shared, the bearers are not. */
    @Test
    void theApplicationItselfCallsOneResourceAndNothingElse() {
        OutboundPolicy policy = caracal.applicationTransport(BILLING, "billing:read");
        HttpClient http = CaracalHttp.decorate(HttpClient.create(), policy);
        WebClient web =
                WebClient.builder().filter(CaracalExchangeFilter.create(policy)).build();
        String url = platform.upstreamUrl() + "/echo?marker=application";
        long before = platform.totalOpened();
        Mono<String> plain = http.get()
                .uri(url)
                .responseSingle((response, body) ->
                        body.asString().map(text -> response.status().code() + text));
        Mono<String> filtered = web.get().uri(url).retrieve().bodyToMono(String.class);
        Mono<HttpResponse> fetched = caracal.fetch(FetchRequest.builder(BILLING, "/echo?marker=application")
                .scopes("billing:read")
                .asApplication()
                .build());
        StepVerifier.create(Mono.zip(plain, filtered, fetched))
                .assertNext(all -> assertThat(all.getT1()).startsWith("200"))
                .expectComplete()
                .verify(LIMIT);
        StepVerifier.create(caracal.spawn(session -> plain.then(filtered)))
                .expectNextCount(1)
                .expectComplete()
                .verify(LIMIT);
        assertThat(platform.totalOpened() - before).isEqualTo(3); // the two, and that of spawn
        assertThat(atGateway("marker=application"))
                .hasSize(5)
                .extracting(r -> r.bearer().orElseThrow())
                .doesNotHaveDuplicates();
        assertThat(atGateway("marker=application").stream()
                        .map(r -> r.header("baggage").orElse(""))
                        .distinct())
                .hasSize(1);

        StepVerifier.create(http.get()
                        .uri("http://localhost:1/elsewhere")
                        .responseSingle((response, body) -> body.asString()))
                .expectError(RoutingException.class)
                .verify(LIMIT);
        StepVerifier.create(
                        web.get().uri("http://localhost:1/elsewhere").retrieve().bodyToMono(String.class))
                .expectError(RoutingException.class)
                .verify(LIMIT);
        assertThat(platform.openSessionCount()).isEqualTo(2);
    }

    @Test
    void anApplicationTransportOutlivesItsSessionsAtThePlatform() {
        OutboundPolicy policy = caracal.applicationTransport(
                BILLING, List.of("billing:read"), ApplicationOptions.defaults().withTtl(Duration.ofSeconds(60)));
        HttpClient http = CaracalHttp.decorate(HttpClient.create(), policy);
        Mono<Integer> call = http.get()
                .uri(platform.upstreamUrl() + "/echo")
                .responseSingle((response, body) ->
                        body.asString().thenReturn(response.status().code()));
        StepVerifier.create(call).expectNext(200).expectComplete().verify(LIMIT);
        String edge = platform.delegations().stream()
                .filter(delegation -> delegation.status().equals("active"))
                .findFirst()
                .orElseThrow()
                .id();
        StepVerifier.create(caracal.revokeDelegation(edge)).expectComplete().verify(LIMIT);
        StepVerifier.create(call).expectNext(200).expectComplete().verify(LIMIT);
        assertThat(platform.delegations())
                .filteredOn(delegation -> delegation.status().equals("active"))
                .isNotEmpty()
                .noneMatch(renewed -> renewed.id().equals(edge));
    }

    /** Forty events, a fifth of a second apart; the delegation is revoked when the first has arrived at the Gateway. */
    @Test
    void anAnswerThatTheGatewayCutsOffIsNoSuccessForAnyClient() {
        HttpClient http = CaracalHttp.decorate(HttpClient.create(), caracal);
        WebClient web = WebClient.builder()
                .filter(CaracalExchangeFilter.create(caracal))
                .build();
        String path = "/stream?count=40&ms=200";
        String url = platform.upstreamUrl() + path;
        Flux<String> netty = http.get().uri(url).responseContent().asString();
        Flux<String> filtered = web.get()
                .uri(url)
                .exchangeToFlux(answer -> answer.bodyToFlux(DataBuffer.class).map(piece -> {
                    String text = piece.toString(StandardCharsets.UTF_8);
                    DataBufferUtils.release(piece);
                    return text;
                }));
        for (Flux<String> body : List.of(netty, filtered)) {
            StringBuilder arrived = new StringBuilder();
            assertCut(body.doOnNext(piece -> {
                if (arrived.isEmpty()) {
                    revoke();
                }
                arrived.append(piece);
            }));
            assertThat(arrived.toString()).contains("data: 0").doesNotContain("data: 39");
        }
        String marker = "&marker=cut-fetch";
        Mono<HttpResponse> collected = caracal.fetch(FetchRequest.of(BILLING, path + marker));
        Mono<HttpResponse> revoked = Mono.fromSupplier(() -> platform.received(Service.UPSTREAM).stream()
                        .anyMatch(seen -> seen.uri().contains(marker)))
                .filter(Boolean::booleanValue)
                .repeatWhenEmpty(tries -> tries.delayElements(Duration.ofMillis(10)))
                .doOnNext(arrived -> revoke())
                .then(Mono.empty());
        assertCut(Flux.merge(collected, revoked));
    }

    private void revoke() {
        platform.delegations().stream()
                .filter(delegation -> delegation.status().equals("active"))
                .forEach(delegation -> {
                    var unused = caracal.revokeDelegation(delegation.id()).subscribe();
                });
    }

    private void assertCut(Flux<?> body) {
        StepVerifier.create(caracal.spawn(session -> body.then()))
                .expectErrorSatisfies(e -> assertThat(e)
                        .isInstanceOfSatisfying(
                                AuthorityRevokedException.class,
                                cut -> assertThat(cut.resource()).isEqualTo(BILLING)))
                .verify(LIMIT);
    }

    @Test
    void aFederatedUsersRecordIsReadFromTheAnswer() {
        Base64.Encoder base64 = Base64.getUrlEncoder().withoutPadding();
        String claims =
                base64.encodeToString("{\"sid\":\"record-1\",\"exp\":4102444800}".getBytes(StandardCharsets.UTF_8));
        String header = base64.encodeToString("{\"alg\":\"ES256\"}".getBytes(StandardCharsets.UTF_8));
        String token = header + "." + claims + ".c2ln";
        StepVerifier.create(caracal.federateSubject(token))
                .expectErrorSatisfies(e -> assertThat(e)
                        .isInstanceOf(StsException.InvalidToken.class)
                        .hasMessageContaining("issuer"))
                .verify(LIMIT);
        platform.faults(
                Service.STS,
                seen -> Fault.respond(
                        200,
                        Map.of(),
                        "{\"access_token\":\"" + token + "\",\"token_type\":\"Bearer\",\"expires_in\":900}"));
        StepVerifier.create(caracal.federateSubject(token).map(FederatedSubject::authorityRecordId))
                .expectNext("record-1")
                .expectComplete()
                .verify(LIMIT);
    }

    /** The second part of each body is not made before the Gateway has seen the request, so no client buffers it. */
    @Test
    void requestBodiesStream() {
        HttpClient http = CaracalHttp.decorate(HttpClient.create(), caracal);
        WebClient web = WebClient.builder()
                .filter(CaracalExchangeFilter.create(caracal))
                .build();
        String part = "x".repeat(10_000);
        String url = platform.upstreamUrl() + "/echo?marker=streamed-";
        Mono<Integer> plain = http.post()
                .uri(url + "netty")
                .send(ByteBufFlux.fromString(streamed(part, "streamed-netty")))
                .responseSingle((response, body) ->
                        body.asString().thenReturn(response.status().code()));
        Mono<Integer> filtered = web.post()
                .uri(url + "webclient")
                .contentType(MediaType.TEXT_PLAIN)
                .body(streamed(part, "streamed-webclient"), String.class)
                .exchangeToMono(response ->
                        response.releaseBody().thenReturn(response.statusCode().value()));
        StepVerifier.create(caracal.spawn(session -> Mono.zip(plain, filtered)))
                .assertNext(both -> assertThat(both.getT1() + both.getT2()).isEqualTo(400))
                .expectComplete()
                .verify(LIMIT);
        assertThat(platform.received(Service.UPSTREAM))
                .filteredOn(r -> r.uri().contains("marker=streamed-"))
                .hasSize(2)
                .allSatisfy(r -> assertThat(r.body()).hasSize(500 * 10_000));
    }

    private Flux<String> streamed(String part, String marker) {
        Mono<String> seen = Mono.fromSupplier(() -> atGateway(marker).size())
                .filter(count -> count > 0)
                .repeatWhenEmpty(tries -> tries.delayElements(Duration.ofMillis(10)))
                .map(count -> part);
        return Flux.concat(Mono.just(part), seen, Flux.range(0, 498).map(i -> part));
    }

    /** The connections of fetch go with the client. */
    @Test
    void theConnectionsOfFetchGoWithTheClient() {
        List<Thread> before = Threads.named("caracal-http");
        for (int i = 0; i < 10; i++) {
            Caracal one = Caracal.create(config(c -> c.resource(BILLING, platform.upstreamUrl(), "billing:charge")));
            StepVerifier.create(one.spawn(session -> one.fetch(FetchRequest.of(BILLING, "/echo")))
                            .then(one.disposeLater()))
                    .expectComplete()
                    .verify(LIMIT);
        }
        StepVerifier.create(Mono.fromSupplier(() -> Threads.named("caracal-http").stream()
                                .filter(thread -> !before.contains(thread))
                                .toList())
                        .filter(List::isEmpty)
                        .switchIfEmpty(Mono.error(() -> new AssertionError("threads of a transport are left")))
                        .retryWhen(Retry.fixedDelay(500, Duration.ofMillis(10))))
                .expectNextCount(1)
                .expectComplete()
                .verify(LIMIT);
    }

    /** Work that outlasts the bound of the close is not signalled, but its call fails with the closed connection. */
    @Test
    void aCallUnderWayFailsWhenTheClientIsClosed() {
        platform.faults(Service.GATEWAY, seen -> Fault.delay(Duration.ofMinutes(5)));
        String marker = "under-way-" + System.nanoTime();
        Caracal one = Caracal.create(config(c ->
                c.resource(BILLING, platform.upstreamUrl(), "billing:charge").disposeTimeout(SHORT)));
        Mono<Void> arrived = Mono.fromSupplier(() -> atGateway(marker).size())
                .filter(count -> count == 1)
                .repeatWhenEmpty(tries -> tries.delayElements(Duration.ofMillis(10)))
                .then();
        FetchRequest call = FetchRequest.builder(BILLING, "/echo?marker=" + marker)
                .timeout(FetchRequest.MAX_TIMEOUT)
                .build();
        StepVerifier.create(Flux.mergeDelayError(
                        2,
                        one.spawn(session -> one.fetch(call)),
                        arrived.then(one.disposeLater()).cast(HttpResponse.class)))
                .expectErrorSatisfies(e -> assertThat(e)
                        .isInstanceOfSatisfying(
                                TransportException.class,
                                lost -> assertThat(lost.isAmbiguous()).isTrue())
                        .hasMessageContaining("closed"))
                .verify(LIMIT);
        StepVerifier.create(one.fetch(call)).expectError(ClosedException.class).verify(LIMIT);
        assertThat(atGateway(marker)).hasSize(1);
    }
}
