package run.caracal.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;
import static run.caracal.examples.Calls.error;
import static run.caracal.examples.Calls.get;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
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
import reactor.core.Disposable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.netty.ByteBufFlux;
import reactor.netty.http.client.HttpClient;
import reactor.netty.resources.ConnectionProvider;
import reactor.test.StepVerifier;
import reactor.util.retry.Retry;
import run.caracal.Caracal;
import run.caracal.DelegationSpec;
import run.caracal.GatewayRequest;
import run.caracal.Grant;
import run.caracal.Mandate;
import run.caracal.SpawnOptions;
import run.caracal.config.CaracalConfig;
import run.caracal.error.ApprovalNotGrantedException;
import run.caracal.error.CoordinatorException;
import run.caracal.error.GatewayError;
import run.caracal.error.RoutingException;
import run.caracal.error.StsException;
import run.caracal.event.CaracalEvent;
import run.caracal.http.TransportOptions;
import run.caracal.netty.CaracalHttp;
import run.caracal.netty.NettyHttpTransport;
import run.caracal.platform.AuditEvent;
import run.caracal.platform.Fault;
import run.caracal.platform.FaultRule;
import run.caracal.platform.LocalPlatform;
import run.caracal.platform.PlatformLimits;
import run.caracal.platform.ProtectedResource;
import run.caracal.platform.ReceivedRequest;
import run.caracal.platform.Service;
import run.caracal.test.Effort;
import run.caracal.webflux.CaracalExchangeFilter;

/** The whole way against a Gateway that takes one-shot mandates only: mint, use, action. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class OneShotTest {
    private static final Duration LIMIT = Duration.ofSeconds(30);
    private static final String BILLING = "resource://billing-api";
    private static final String LEDGER = "resource://ledger-api";

    /** How many calls are made, each with a bearer of its own, and how many at once. */
    private static final int BURST = Effort.of(1_000, 10_000);

    private static final int CONCURRENCY = 500;

    private LocalPlatform platform;
    private Caracal caracal;

    @BeforeAll
    void startPlatform() {
        platform = LocalPlatform.builder()
                .application("app-local", "secret-1")
                .resource(ProtectedResource.of(BILLING, "billing:charge", "billing:read")
                        .withRole("reader", "billing:read"))
                .resource(ProtectedResource.of(LEDGER, "ledger:read", "ledger:close")
                        .withApproval("high", "ledger:close"))
                .limits(PlatformLimits.builder()
                        .sessionsPerZone(10_000)
                        .sessionsPerApplication(10_000)
                        .coordinatorRequestsPerMinute(1_000_000)
                        .recordedRequests(100_000)
                        .auditEvents(100_000)
                        .mintsPerMinute(1_000_000)
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
        StepVerifier.create(caracal.disposeLater()).expectComplete().verify(LIMIT);
        assertThat(platform.openSessionCount()).isZero();
    }

    private CaracalConfig config(UnaryOperator<CaracalConfig.Builder> change) {
        return change.apply(Deployment.connected(platform)).build();
    }

    private List<ReceivedRequest> atGateway(String marker) {
        return platform.received(Service.GATEWAY).stream()
                .filter(r -> r.uri().contains(marker))
                .toList();
    }

    /** Its helper could get only a part of the received authority, and the platform rejects more: the error says so. */
    @Test
    void aSessionThatReceivedADelegationIsToldWhyItObtainsNoMore() {
        DelegationSpec.Builder received = DelegationSpec.builder()
                .scopes("billing:charge")
                .resource(BILLING)
                .ttl(Duration.ofSeconds(60));
        Mono<Mandate> obtained = caracal.spawn(source -> caracal.spawn(target -> caracal.bind(
                        source,
                        caracal.createDelegation(received.to(target.agentSessionId(), "app-local")
                                .build()))
                .then(caracal.mintMandate(BILLING))));

        StepVerifier.create(obtained)
                .expectErrorSatisfies(e -> assertThat(e)
                        .isInstanceOf(CoordinatorException.class)
                        .hasMessageContaining("delegation_exceeds_parent_authority")
                        .hasMessageContaining("in a session that received none"))
                .verify(LIMIT);
    }

    /** What a caller waits for needs no second thread; a termination goes over a loop that no caller can block. */
    @Test
    void aSessionRunsOnTheEventLoopsOfItsCallsAndIsTerminatedOnAnother() {
        Map<String, String> threads = new ConcurrentHashMap<>();
        Disposable listening = caracal.onOperation((event, context) -> threads.put(
                event instanceof CaracalEvent.CoordinatorCall call
                        ? call.operation()
                        : event.getClass().getSimpleName(),
                Thread.currentThread().getName()));
        Mono<String> behind = caracal.spawn(session -> caracal.mintMandate(BILLING))
                .map(mandate -> Thread.currentThread().getName());
        StepVerifier.create(behind)
                .expectNextMatches(thread -> thread.startsWith("reactor-http"))
                .expectComplete()
                .verify(LIMIT);
        listening.dispose();
        assertThat(threads.get("open")).startsWith("reactor-http");
        assertThat(threads.get("MandateMinted")).startsWith("reactor-http");
        assertThat(threads.get("terminate")).startsWith("caracal-http");
        assertThat(threads.get("SessionClosed")).startsWith("caracal-http");
    }

    /** The documented two lines, spawn and call, work unchanged on a current deployment. */
    @Test
    void theDocumentedTwoLinesWorkAndTheAuditShowsMintUseAndAction() {
        HttpClient http = CaracalHttp.decorate(HttpClient.create(), caracal);
        GatewayRequest request = caracal.gatewayRequest(BILLING, "/echo?marker=two-lines");
        String requestId = UUID.randomUUID().toString();

        Mono<Integer> status = caracal.spawn(
                session -> http.headers(headers -> request.headers().forEach(headers::set))
                        .headers(headers -> headers.set("X-Request-Id", requestId))
                        .post()
                        .uri(request.url())
                        .send(ByteBufFlux.fromString(Mono.just("{\"amount\": 1200}")))
                        .responseSingle((response, body) ->
                                body.asString().thenReturn(response.status().code())));

        int mintsBefore = mints().size();
        List<String> spawned = new CopyOnWriteArrayList<>();
        Disposable listening =
                caracal.onSessionStart(session -> Mono.fromRunnable(() -> spawned.add(session.agentSessionId())));
        StepVerifier.create(status).expectNext(200).expectComplete().verify(LIMIT);
        listening.dispose();
        assertThat(mints()).hasSize(mintsBefore + 1);
        AuditEvent mint = mints().get(mintsBefore);
        assertThat(mint.metadata())
                .containsEntry("agent_labels", List.of("app-local"))
                .containsEntry("agent_parent_id", spawned.get(0));
        assertThat(platform.sessions()).isEmpty();
        assertThat(platform.audit().ofCall(requestId))
                .startsWith(mint)
                .extracting(AuditEvent::eventType, AuditEvent::decision)
                .containsExactly(
                        tuple("token_exchange", "allow"),
                        tuple("token_exchange", "allow"),
                        tuple("gateway_resource_request", "allow"));
        assertThat(platform.audit().byRequestId(requestId).get(0).metadata())
                .containsEntry("agent_session_id", mint.metadata().get("agent_session_id"));
        // The baggage of the request agrees with its mandate.
        assertThat(atGateway("two-lines"))
                .singleElement()
                .satisfies(seen -> assertThat(seen.header("baggage").orElse(""))
                        .contains("caracal.agent_session=" + mint.metadata().get("agent_session_id")));
    }

    private List<AuditEvent> mints() {
        return platform.audit().events().stream()
                .filter(e -> e.eventType().equals("token_exchange")
                        && e.decision().equals("allow")
                        && e.metadata().get("agent_session_id") != null
                        && e.determiningPolicies().stream().noneMatch(p -> p.endsWith("-use")))
                .toList();
    }

    private long replays() {
        return platform.audit().events().stream()
                .filter(e -> e.eventType().equals("replay_detected"))
                .count();
    }

    @Test
    void aNarrowedChildMintsWithItsOwnDelegation() {
        HttpClient http = CaracalHttp.decorate(HttpClient.create(), caracal);
        SpawnOptions narrow = SpawnOptions.builder()
                .grant(Grant.narrow("billing:read").resource(BILLING))
                .build();
        long before = platform.totalOpened();
        Mono<String> narrowed = caracal.spawn(parent -> caracal.spawn(
                narrow,
                child -> get(http, platform.upstreamUrl() + "/echo?marker=narrow")
                        .map(answer -> answer + " " + child.agentSessionId())));
        String answer = Objects.requireNonNull(narrowed.block(LIMIT));
        assertThat(answer).startsWith("200 ");
        assertThat(platform.totalOpened() - before).isEqualTo(2);
        assertThat(atGateway("marker=narrow"))
                .singleElement()
                .satisfies(seen -> assertThat(seen.header("baggage").orElse(""))
                        .contains(answer.substring(answer.lastIndexOf(' ') + 1)));

        HttpClient more = CaracalHttp.decorate(
                HttpClient.create(), caracal, TransportOptions.defaults().withScopes("billing:charge"));
        StepVerifier.create(caracal.spawn(parent ->
                        caracal.spawn(narrow, child -> get(more, platform.upstreamUrl() + "/echo?marker=widened"))))
                .expectErrorSatisfies(e -> assertThat(e)
                        .isInstanceOf(StsException.AccessDenied.class)
                        .hasMessageContaining("widen Grant.narrow"))
                .verify(LIMIT);
        assertThat(atGateway("widened")).isEmpty();
    }

    /** Every bearer that the Gateway sees is a new one, through any client and at any concurrency. */
    @Test
    @Tag("soak")
    void noBearerIsSentTwice() {
        // Hundreds of mints at once queue for the SDK's own connections, on a busy machine longer than by default.
        NettyHttpTransport patient = NettyHttpTransport.builder()
                .acquireTimeout(Duration.ofMinutes(2))
                .build();
        Caracal caracal = Caracal.create(config(c -> c.resource(BILLING, platform.upstreamUrl(), "billing:charge")
                .stsTimeout(Duration.ofMinutes(2))
                .transport(patient)));
        HttpClient http = CaracalHttp.decorate(
                HttpClient.create(ConnectionProvider.builder("many")
                        .maxConnections(128)
                        .pendingAcquireMaxCount(-1)
                        .build()),
                caracal);
        WebClient filtered = WebClient.builder()
                .filter(CaracalExchangeFilter.create(caracal))
                .build();
        WebClient both = WebClient.builder()
                .clientConnector(new ReactorClientHttpConnector(http))
                .filter(CaracalExchangeFilter.create(caracal))
                .build();
        String url = platform.upstreamUrl() + "/echo?marker=burst";
        long before = platform.totalOpened();
        int mintsBefore = mints().size();
        long replaysBefore = replays();
        Mono<Long> calls = caracal.spawn(session -> Flux.range(0, BURST)
                .flatMap(
                        i -> switch (i % 20) {
                            case 0 -> filtered.get().uri(url).retrieve().bodyToMono(String.class);
                            case 1 -> both.get().uri(url).retrieve().bodyToMono(String.class);
                            default -> get(http, url).filter(text -> text.startsWith("200"));
                        },
                        CONCURRENCY)
                .count());
        StepVerifier.create(calls).expectNext((long) BURST).expectComplete().verify(Duration.ofMinutes(5));
        List<ReceivedRequest> seen = atGateway("marker=burst");
        assertThat(seen).hasSize(BURST);
        assertThat(seen.stream().map(r -> r.bearer().orElseThrow()).distinct()).hasSize(BURST);
        assertThat(mints()).hasSize(mintsBefore + BURST);
        assertThat(platform.totalOpened() - before).isEqualTo(2);
        assertThat(replays()).isEqualTo(replaysBefore);
        StepVerifier.create(caracal.disposeLater().then(patient.disposeLater()))
                .expectComplete()
                .verify(LIMIT);
    }

    @Test
    void aRetryOutsideGetsANewBearer() {
        HttpClient http = CaracalHttp.decorate(HttpClient.create(), caracal);
        platform.faults(
                Service.GATEWAY, request -> atGateway("marker=retry").size() < 3 ? Fault.dropResponse() : Fault.none());
        Mono<String> call =
                get(http, platform.upstreamUrl() + "/echo?marker=retry").retryWhen(Retry.max(5));
        StepVerifier.create(caracal.spawn(session -> call))
                .assertNext(answer -> assertThat(answer).startsWith("200"))
                .expectComplete()
                .verify(LIMIT);
        List<String> bearers = atGateway("marker=retry").stream()
                .map(r -> r.bearer().orElseThrow())
                .toList();
        assertThat(bearers).hasSizeGreaterThan(1).doesNotHaveDuplicates();
    }

    @Test
    void whatTheGatewayRefusesIsReadable() {
        HttpClient plain = HttpClient.create();
        String url = platform.gatewayUrl() + "/echo?marker=replay";
        Mono<GatewayError> replay = caracal.spawn(session -> caracal.mintMandate(BILLING)
                .map(Mandate::value)
                .map(bearer -> plain.headers(
                        h -> h.set("Authorization", "Bearer " + bearer).set("X-Caracal-Resource", BILLING)))
                .flatMap(http -> get(http, url)
                        .doOnNext(first -> assertThat(first).startsWith("200"))
                        .then(error(http, url))));
        StepVerifier.create(replay)
                .assertNext(refused -> {
                    assertThat(refused.origin()).isEqualTo(GatewayError.Origin.GATEWAY);
                    assertThat(refused.httpStatus()).isEqualTo(401);
                    assertThat(refused.description()).contains("replay");
                    assertThat(refused.hint()).isPresent();
                })
                .expectComplete()
                .verify(LIMIT);

        Mono<GatewayError> denied = caracal.spawn(session -> caracal.mintMandate(BILLING)
                .map(Mandate::value)
                .flatMap(bearer -> error(
                        plain.headers(
                                h -> h.set("Authorization", "Bearer " + bearer).set("X-Caracal-Resource", LEDGER)),
                        url)));
        StepVerifier.create(denied)
                .assertNext(refused -> {
                    assertThat(refused.httpStatus()).isEqualTo(403);
                    assertThat(refused.description()).contains("policy denied");
                    assertThat(refused.hint()).isPresent();
                })
                .expectComplete()
                .verify(LIMIT);
    }

    @Test
    void withoutScopesTheGatewaySaysWhatIsMissing() {
        Caracal unscoped = Caracal.create(config(c -> c.resource(BILLING, platform.upstreamUrl())));
        HttpClient http = CaracalHttp.decorate(HttpClient.create(), unscoped);
        StepVerifier.create(unscoped.spawn(session -> error(http, platform.upstreamUrl() + "/echo")))
                .assertNext(refused -> {
                    assertThat(refused.httpStatus()).isEqualTo(401);
                    assertThat(refused.origin()).isEqualTo(GatewayError.Origin.GATEWAY);
                    assertThat(refused.hint()).isPresent();
                })
                .expectComplete()
                .verify(LIMIT);
        StepVerifier.create(unscoped.disposeLater()).expectComplete().verify(LIMIT);
    }

    /** A held call is not sent; approved, it goes through in the same session. */
    @Test
    void aCallThatWaitsForAPersonGoesOnWhenApproved() {
        Caracal ledger = Caracal.create(config(c -> c.resource(LEDGER, platform.upstreamUrl(), "ledger:close")));
        HttpClient http = CaracalHttp.decorate(HttpClient.create(), ledger);
        Mono<String> call = get(http, platform.upstreamUrl() + "/echo?marker=approval");
        Mono<Void> person = Mono.fromSupplier(() -> platform.approvals().stream()
                        .filter(approval -> approval.state().equals("pending"))
                        .findFirst())
                .filter(Optional::isPresent)
                .repeatWhenEmpty(tries -> tries.delayElements(Duration.ofMillis(20)))
                .doOnNext(approval -> {
                    assertThat(atGateway("marker=approval")).isEmpty();
                    platform.decideApproval(approval.orElseThrow().id(), true);
                })
                .then();
        StepVerifier.create(
                        ledger.spawn(session -> ledger.withApproval(id -> call)).zipWith(person.thenReturn("decided")))
                .assertNext(both -> assertThat(both.getT1()).startsWith("200"))
                .expectComplete()
                .verify(LIMIT);
        assertThat(atGateway("marker=approval")).hasSize(1);
        Mono<Void> refusal = Mono.fromSupplier(() -> platform.approvals().stream()
                        .filter(approval -> approval.state().equals("pending"))
                        .findFirst())
                .filter(Optional::isPresent)
                .repeatWhenEmpty(tries -> tries.delayElements(Duration.ofMillis(20)))
                .doOnNext(approval ->
                        platform.decideApproval(approval.orElseThrow().id(), false))
                .then();
        StepVerifier.create(
                        ledger.spawn(session -> ledger.withApproval(id -> call)).mergeWith(refusal.then(Mono.empty())))
                .expectErrorSatisfies(e -> assertThat(e)
                        .isInstanceOfSatisfying(
                                ApprovalNotGrantedException.class,
                                rejected -> assertThat(rejected.state()).isEqualTo("rejected")))
                .verify(LIMIT);
        assertThat(atGateway("marker=approval")).hasSize(1);
        StepVerifier.create(ledger.disposeLater()).expectComplete().verify(LIMIT);
    }

    @Test
    void labelsChooseTheRole() {
        TransportOptions reader =
                TransportOptions.defaults().withScopes("billing:read").withLabels("reader");
        HttpClient http = CaracalHttp.decorate(HttpClient.create(), caracal, reader);
        HttpClient charges = CaracalHttp.decorate(HttpClient.create(), caracal, reader.withScopes("billing:charge"));
        String url = platform.upstreamUrl() + "/echo?marker=labels";
        StepVerifier.create(caracal.spawn(session -> get(http, url)))
                .assertNext(answer -> assertThat(answer).startsWith("200"))
                .expectComplete()
                .verify(LIMIT);
        StepVerifier.create(caracal.spawn(session -> get(charges, url)))
                .expectErrorSatisfies(e -> assertThat(e)
                        .isInstanceOf(StsException.AccessDenied.class)
                        .hasMessageContaining("label"))
                .verify(LIMIT);
        assertThat(atGateway("marker=labels")).hasSize(1);
    }

    /** WebClient sets its headers when the request is written, which is too late to mint for one of several resources. */
    @Test
    void aResourceHeaderOfWebClientIsEnoughWithTheFilterOnly() {
        Caracal two = Caracal.create(config(c -> c.resource(BILLING, platform.upstreamUrl(), "billing:charge")
                .resource(LEDGER, "http://ledger.invalid", "ledger:read")));
        WebClient decorated = WebClient.builder()
                .clientConnector(new ReactorClientHttpConnector(CaracalHttp.decorate(HttpClient.create(), two)))
                .build();
        WebClient filtered =
                decorated.mutate().filter(CaracalExchangeFilter.create(two)).build();
        String url = platform.gatewayUrl() + "/echo?marker=late";
        StepVerifier.create(two.spawn(session -> decorated
                        .get()
                        .uri(url)
                        .header("X-Caracal-Resource", LEDGER)
                        .retrieve()
                        .bodyToMono(String.class)))
                .expectErrorSatisfies(e ->
                        assertThat(e).hasCauseInstanceOf(RoutingException.class).hasMessageContaining("filter"))
                .verify(LIMIT);
        StepVerifier.create(two.spawn(session -> filtered.get()
                        .uri(url)
                        .header("X-Caracal-Resource", LEDGER)
                        .retrieve()
                        .bodyToMono(String.class)))
                .expectNextCount(1)
                .expectComplete()
                .verify(LIMIT);
        assertThat(atGateway("marker=late"))
                .singleElement()
                .satisfies(
                        seen -> assertThat(seen.headers("x-caracal-resource")).containsExactly(LEDGER));
        StepVerifier.create(two.disposeLater()).expectComplete().verify(LIMIT);
    }
}
