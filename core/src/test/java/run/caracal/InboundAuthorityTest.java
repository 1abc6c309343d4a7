package run.caracal;

import static org.assertj.core.api.Assertions.assertThat;
import static run.caracal.InboundRequests.HEADERS;
import static run.caracal.InboundRequests.TRACE;
import static run.caracal.InboundRequests.proving;
import static run.caracal.test.FakePlatform.BILLING;
import static run.caracal.test.FakePlatform.GATEWAY;
import static run.caracal.test.FakePlatform.LIMIT;

import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.test.StepVerifier;
import run.caracal.error.CaracalException;
import run.caracal.error.DelegationException;
import run.caracal.error.ForeignContextException;
import run.caracal.error.NoContextException;
import run.caracal.http.HttpRequest;
import run.caracal.http.OutboundDecision;
import run.caracal.http.Propagation;
import run.caracal.http.TransportOptions;
import run.caracal.test.FakePlatform;
import run.caracal.test.SentHeaders;

/** Operations under the context of a request's caller: calls, sessions, delegations. */
class InboundAuthorityTest {
    private static final String OTHER = "https://other.example.com/x";
    private static final Boundary PROPAGATION = Boundary.propagationOnly();

    /** A caller whose session is one of our own application. */
    private static final Boundary OURS = Boundary.verified(proving(m -> m.applicationId("app-1")
            .agentSessionId("s-1")
            .delegationEdgeId("e-1")
            .delegationPath(List.of("e-1"))
            .hopCount(1)));

    private static final Boundary THEIRS = Boundary.verified(proving(m -> m.agentSessionId("s-9")));

    private static final SpawnOptions NARROWED = SpawnOptions.builder()
            .grant(Grant.narrow("billing:charge").resource("resource://billing-api"))
            .build();

    @RegisterExtension
    private final FakePlatform platform = new FakePlatform();

    private final Caracal caracal = platform.client();

    private static <T> T get(Mono<T> mono) {
        return Objects.requireNonNull(mono.block(LIMIT));
    }

    private <T> Mono<T> inbound(Boundary boundary, Mono<T> work) {
        return caracal.bindFromHeaders(HEADERS, boundary, work);
    }

    private static Map<String, String> anonymous() {
        Map<String, String> headers = new HashMap<>(HEADERS);
        headers.remove("Authorization");
        return headers;
    }

    private <T> Mono<T> asApplication(Mono<T> work) {
        return caracal.bindFromHeaders(anonymous(), PROPAGATION.asApplication(), work);
    }

    private Mono<Map<String, String>> sent(TransportOptions options, String url) {
        return sent(options, url, null);
    }

    private Mono<Map<String, String>> sent(TransportOptions options, String url, @Nullable String resource) {
        return Mono.deferContextual(view -> caracal.outbound(options).resolve(url, resource, view))
                .map(call -> {
                    Map<String, String> headers = new HashMap<>();
                    if (resource != null) {
                        headers.put("X-Caracal-Resource", resource);
                    }
                    call.edit(new SentHeaders(headers));
                    return headers;
                });
    }

    private static Map<String, String> edited(OutboundDecision call) {
        Map<String, String> headers = new HashMap<>();
        call.edit(new SentHeaders(headers));
        return headers;
    }

    private static TransportOptions reaching(Propagation propagation) {
        return TransportOptions.defaults().withPropagation(propagation);
    }

    private static <E extends Throwable> E fails(Mono<?> work, Class<E> type) {
        Throwable[] seen = new Throwable[1];
        StepVerifier.create(work).expectErrorSatisfies(e -> seen[0] = e).verify(LIMIT);
        assertThat(seen[0]).isInstanceOf(type);
        return type.cast(seen[0]);
    }

    private List<HttpRequest> all() {
        return platform.requests(request -> true);
    }

    @Test
    void theCallersBearerGoesToTheGatewayAlone() {
        for (Boundary boundary : List.of(PROPAGATION, OURS, THEIRS)) {
            Map<String, String> bound = get(inbound(boundary, sent(TransportOptions.defaults(), BILLING + "/charge")));
            assertThat(bound).containsEntry("Authorization", "Bearer caller-token");
            assertThat(bound).containsEntry("X-Caracal-Resource", "resource://billing-api");
            assertThat(bound.get("traceparent")).startsWith("00-" + TRACE);
            assertThat(bound.get("tracestate")).isEqualTo("vendor=1");
            Map<String, String> named =
                    get(inbound(boundary, sent(TransportOptions.defaults(), GATEWAY + "/x", "resource://billing-api")));
            assertThat(named).containsEntry("Authorization", "Bearer caller-token");
            for (TransportOptions options : List.of(
                    TransportOptions.defaults(),
                    TransportOptions.defaults().withAsApplication(),
                    reaching(Propagation.everywhere()),
                    reaching(Propagation.origins("https://third.example.com")))) {
                Map<String, String> other = get(inbound(boundary, sent(options, OTHER)));
                assertThat(other).doesNotContainKey("Authorization");
            }
        }
        assertThat(all()).as("nothing of ours was asked for").isEmpty();
    }

    @Test
    void aNamedOriginGetsTheCallersBearer() {
        TransportOptions options = reaching(Propagation.origins("https://other.example.com"));
        assertThat(get(inbound(PROPAGATION, sent(options, OTHER))))
                .containsEntry("Authorization", "Bearer caller-token");
        assertThat(all()).isEmpty();
    }

    @Test
    void elsewhereTraceAndBaggageGoAndTheCallersOwnAuthorizationStays() {
        TransportOptions options = reaching(Propagation.everywhere());
        Map<String, String> headers = get(inbound(PROPAGATION, sent(options, OTHER)));
        assertThat(headers.get("traceparent")).startsWith("00-" + TRACE);
        assertThat(headers.get("baggage")).contains("tenant=acme", "caracal.agent_session=s-9");
        OutboundDecision call = get(inbound(
                PROPAGATION,
                Mono.deferContextual(view -> caracal.outbound(options).resolve(OTHER, null, view))));
        Map<String, String> set = new HashMap<>(Map.of("Authorization", "Basic own"));
        call.edit(new SentHeaders(set));
        assertThat(set).containsEntry("Authorization", "Basic own");
    }

    @Test
    void nothingIsMintedForACaller() {
        Caracal scoped = Caracal.create(platform.config()
                .resource("resource://ledger", "https://ledger.example.com", "ledger:read")
                .build());
        TransportOptions options = TransportOptions.defaults().withScopes("ledger:read");
        for (Boundary boundary : List.of(PROPAGATION, OURS)) {
            Mono<Map<String, String>> call = Mono.deferContextual(
                            view -> scoped.outbound(options).resolve("https://ledger.example.com/a", null, view))
                    .map(InboundAuthorityTest::edited);
            assertThat(get(scoped.bindFromHeaders(HEADERS, boundary, call)))
                    .containsEntry("Authorization", "Bearer caller-token");
            ForeignContextException refused = fails(
                    scoped.bindFromHeaders(HEADERS, boundary, scoped.mintMandate("resource://ledger", "ledger:read")),
                    ForeignContextException.class);
            assertThat(refused).hasMessageContaining("spawn");
        }
        assertThat(all()).isEmpty();
        StepVerifier.create(scoped.disposeLater()).expectComplete().verify(LIMIT);
    }

    @Test
    void headersGiveNoBearerOfACaller() {
        for (Mono<Map<String, String>> headers : List.of(caracal.headers(), caracal.headersAsApplication())) {
            assertThat(fails(inbound(OURS, headers), ForeignContextException.class))
                    .hasMessageContaining("toMap()")
                    .hasMessageContaining("spawn")
                    .hasMessageNotContaining("caller-token");
        }
        assertThat(all()).isEmpty();
        Map<String, String> own = get(inbound(PROPAGATION, caracal.spawn(session -> caracal.headers())));
        assertThat(own).containsEntry("Authorization", "Bearer token-1");
    }

    @Test
    void theWorkOfARequestWithoutACallerActsAsTheApplication() {
        Map<String, String> call = get(asApplication(sent(TransportOptions.defaults(), BILLING + "/charge")));
        assertThat(call).containsEntry("Authorization", "Bearer token-1").containsEntry("baggage", "tenant=acme");
        assertThat(call.get("traceparent")).startsWith("00-" + TRACE);
        assertThat(get(asApplication(caracal.headers()))).containsEntry("Authorization", "Bearer token-1");
        Map<String, String> scoped =
                get(asApplication(sent(TransportOptions.defaults().withScopes("billing:charge"), BILLING + "/charge")));
        assertThat(scoped.get("Authorization")).startsWith("Bearer ").isNotEqualTo("Bearer token-1");
        assertThat(scoped.get("baggage")).contains("caracal.agent_session=", "tenant=acme");
        assertThat(scoped.get("traceparent")).startsWith("00-" + TRACE);
        assertThat(fails(asApplication(caracal.mintMandate("resource://billing-api", "a")), NoContextException.class))
                .hasMessageContaining("spawn");
        assertThat(platform.requests(FakePlatform::isMint)).hasSize(1);
    }

    /** A client rejects a caller that another client has verified, because their Gateways may differ. */
    @Test
    void anotherClientRefusesTheContext() {
        Caracal other = platform.client();
        CaracalContext context = get(inbound(OURS, caracal.current()));
        for (Mono<?> work : List.of(
                Mono.deferContextual(view -> other.outbound().resolve(BILLING + "/charge", null, view)),
                other.headers(),
                other.spawn(session -> Mono.just(session)),
                other.mintMandate("resource://billing-api", "a"),
                other.createDelegation(
                        DelegationSpec.builder().to("t-1", "app-2").scopes("a").build()))) {
            assertThat(fails(other.bind(context, work), ForeignContextException.class))
                    .hasMessageContaining("another Caracal client");
        }
        assertThat(all()).isEmpty();
        StepVerifier.create(other.disposeLater()).expectComplete().verify(LIMIT);
    }

    /** A caller not proven to be ours gives only its trace: the platform rejects a parent of another application. */
    @Test
    void aSessionUnderAForeignCallerIsARootInItsTrace() {
        for (Boundary boundary : List.of(PROPAGATION, THEIRS)) {
            CaracalContext session = get(inbound(boundary, caracal.spawn(context -> Mono.just(context))));
            assertThat(session.agentSessionId()).startsWith("session-");
            assertThat(session.applicationId()).isEqualTo("app-1");
            assertThat(session.delegationEdgeId()).isEmpty();
            assertThat(session.parentEdgeId()).isEmpty();
            assertThat(session.authorityRecordId()).isEmpty();
            assertThat(session.hop()).isZero();
            assertThat(session.traceId()).isEqualTo(TRACE);
            assertThat(session.baggage()).isEqualTo(Map.of("tenant", "acme"));
            assertThat(session.toMap()).containsEntry("tracestate", "vendor=1");
            assertThat(session.verifiedMandate()).isEmpty();
        }
        CaracalContext session = get(asApplication(caracal.spawn(context -> Mono.just(context))));
        assertThat(session.traceId()).isEqualTo(TRACE);
        assertThat(platform.requests(FakePlatform::isOpen))
                .hasSize(3)
                .allSatisfy(open -> assertThat(FakePlatform.body(open)).doesNotContain("parent", "s-9"));
    }

    @Test
    void aSessionUnderOurOwnProvenSessionIsItsChild() {
        CaracalContext child = get(inbound(OURS, caracal.spawn(context -> Mono.just(context))));
        assertThat(child.traceId()).isEqualTo(TRACE);
        assertThat(child.parentEdgeId()).contains("e-1");
        assertThat(child.delegationEdgeId()).contains("edge-1");
        assertThat(FakePlatform.body(platform.requests(FakePlatform::isOpen).get(0)))
                .contains("\"parent_id\":\"s-1\"", "\"inherit_parent_edge_id\":\"e-1\"");
        CaracalContext parent = get(inbound(OURS, caracal.current()));
        assertThat(get(caracal.spawn(SpawnOptions.builder().parent(parent).build(), context -> Mono.just(context)))
                        .traceId())
                .isEqualTo(TRACE);
    }

    @Test
    void ourOwnProvenSessionCanBeNarrowed() {
        CaracalContext child = get(inbound(OURS, caracal.spawn(NARROWED, context -> Mono.just(context))));
        assertThat(child.delegationEdgeId()).contains("edge-1");
        assertThat(child.parentEdgeId()).contains("e-1");
        assertThat(child.hop()).isEqualTo(2);
        assertThat(FakePlatform.body(platform.requests(FakePlatform::isDelegate).get(0)))
                .contains("\"source_session_id\":\"s-1\"", "\"parent_edge_id\":\"e-1\"");
    }

    @Test
    void nothingIsNarrowedOrParentedUnderAForeignCaller() {
        CaracalContext caller = get(inbound(PROPAGATION, caracal.current()));
        for (Boundary boundary : List.of(PROPAGATION, THEIRS)) {
            DelegationException narrowed = fails(
                    inbound(boundary, caracal.spawn(NARROWED, context -> Mono.just(context))),
                    DelegationException.class);
            assertThat(narrowed.reason()).isEqualTo(DelegationException.Reason.NO_PARENT);
        }
        SpawnOptions named = SpawnOptions.builder().parent(caller).build();
        assertThat(named.toString()).contains("s-9");
        assertThat(fails(caracal.spawn(named, context -> Mono.just(context)), ForeignContextException.class))
                .hasMessageContaining("not proven");
        assertThat(fails(
                        caracal.spawnService(
                                ServiceOptions.builder().parent(caller).build()),
                        ForeignContextException.class))
                .hasMessageContaining("not proven");
        assertThat(all()).isEmpty();
    }

    @Test
    void onlyOurOwnProvenSessionDelegates() {
        DelegationSpec spec = DelegationSpec.builder()
                .to("t-1", "app-2")
                .scopes("billing:charge")
                .resource("resource://billing-api")
                .build();
        for (Boundary boundary : List.of(PROPAGATION, THEIRS)) {
            for (Mono<?> work : List.of(
                    caracal.createDelegation(spec),
                    caracal.delegate(spec, context -> Mono.just(context)),
                    caracal.acceptDelegation("e-5", context -> Mono.just(context)))) {
                assertThat(fails(inbound(boundary, work), ForeignContextException.class))
                        .hasMessageContaining("not proven");
            }
        }
        assertThat(fails(asApplication(caracal.createDelegation(spec)), NoContextException.class))
                .hasMessageContaining("spawn");
        assertThat(all()).isEmpty();
        Map<String, String> call = get(inbound(
                OURS, caracal.delegate(spec, derived -> sent(TransportOptions.defaults(), BILLING + "/charge"))));
        assertThat(call).as("still the caller's").containsEntry("Authorization", "Bearer caller-token");
        assertThat(call.get("baggage"))
                .contains("caracal.delegation_edge=edge-1", "caracal.parent_edge=e-1", "caracal.hop=2");
        assertThat(FakePlatform.body(platform.requests(FakePlatform::isDelegate).get(0)))
                .contains("\"source_session_id\":\"s-1\"");
        CaracalContext accepted = get(inbound(OURS, caracal.acceptDelegation("e-5", context -> Mono.just(context))));
        assertThat(accepted.agentSessionId()).isEqualTo("s-1");
        assertThat(accepted.verifiedMandate()).isPresent();
    }

    @Test
    void aServiceUnderACallerKeepsTheTraceAlone() {
        for (Boundary boundary : List.of(PROPAGATION, OURS)) {
            ServiceAgent agent = get(inbound(boundary, caracal.spawnService()));
            assertThat(agent.context().traceId()).isEqualTo(TRACE);
            assertThat(agent.context().baggage()).isEmpty();
            StepVerifier.create(agent.disposeLater()).expectComplete().verify(LIMIT);
        }
        assertThat(platform.requests(FakePlatform::isOpen))
                .allSatisfy(open -> assertThat(FakePlatform.body(open)).doesNotContain("parent"));
        assertThat(get(asApplication(caracal.describeAuthority()))).contains("no session");
    }

    @Test
    void aSessionActsForItselfInTheTraceOfItsCaller() {
        ServiceAgent agent = get(caracal.spawnService());
        String own = agent.context().traceId();
        Map<String, String> call = get(inbound(
                PROPAGATION,
                caracal.current()
                        .flatMap(caller -> caracal.bind(
                                agent.context().inTraceOf(caller),
                                sent(TransportOptions.defaults(), BILLING + "/charge")))));
        assertThat(call).containsEntry("Authorization", "Bearer token-1").containsEntry("tracestate", "vendor=1");
        assertThat(call.get("traceparent")).startsWith("00-" + TRACE);
        assertThat(call.get("baggage"))
                .contains("caracal.agent_session=" + agent.agentSessionId(), "tenant=acme")
                .doesNotContain("s-9", "e-9", "rec-9");
        assertThat(agent.context().traceId()).as("unchanged").isEqualTo(own).isNotEqualTo(TRACE);
        CaracalContext message = agent.context().inTraceOf(CarriedContext.fromMap(HEADERS));
        assertThat(message.traceId()).isEqualTo(TRACE);
        assertThat(message.agentSessionId()).isEqualTo(agent.agentSessionId());
        assertThat(message.toMap().get("traceparent")).startsWith("00-" + TRACE);
        StepVerifier.create(agent.disposeLater()).expectComplete().verify(LIMIT);
    }

    @Test
    void childrenDelegationsAndMandatesStayInThatTrace() {
        CarriedContext message = CarriedContext.fromMap(HEADERS);
        DelegationSpec spec = DelegationSpec.builder()
                .to("t-1", "app-2")
                .scopes("billing:charge")
                .resource("resource://billing-api")
                .build();
        TransportOptions scoped = TransportOptions.defaults().withScopes("billing:charge");
        Mono<List<Map<String, String>>> calls = caracal.spawn(root -> {
            CaracalContext handling = root.inTraceOf(message);
            Mono<Map<String, String>> minted = sent(scoped, BILLING + "/charge");
            Mono<Map<String, String>> child =
                    caracal.spawn(c -> sent(TransportOptions.defaults(), BILLING + "/charge"));
            Mono<Map<String, String>> narrowed = caracal.spawn(NARROWED, c -> minted);
            Mono<Map<String, String>> shown =
                    caracal.delegate(spec, derived -> sent(TransportOptions.defaults(), BILLING + "/charge"));
            Mono<Map<String, String>> shownAndMinted = caracal.delegate(spec, derived -> minted);
            Mono<Map<String, String>> lateTrace = caracal.bind(
                    root, caracal.delegate(spec, derived -> caracal.bind(derived.inTraceOf(message), child)));
            return Flux.concat(minted, child, narrowed, shown, shownAndMinted, lateTrace)
                    .collectList()
                    .contextWrite(handling.bound()::bind);
        });
        assertThat(get(calls)).hasSize(6).allSatisfy(headers -> {
            assertThat(headers.get("traceparent")).startsWith("00-" + TRACE);
            assertThat(headers).containsEntry("tracestate", "vendor=1");
            assertThat(headers.get("baggage"))
                    .contains("tenant=acme", "caracal.agent_session=session-")
                    .doesNotContain("s-9", "e-9", "rec-9");
        });
    }

    @Test
    void aRenewedDelegationIsFollowedInAnotherTrace() {
        ServiceAgent agent = get(caracal.spawnService(ServiceOptions.builder()
                .grant(Grant.narrow("ledger:read").resource("resource://ledger").ttl(Duration.ofSeconds(40)))
                .build()));
        CaracalContext handling = agent.context().inTraceOf(CarriedContext.fromMap(HEADERS));
        String first = handling.delegationEdgeId().orElseThrow();
        Mono<Map<String, String>> call = caracal.bind(handling, sent(TransportOptions.defaults(), BILLING + "/charge"));
        StepVerifier.create(call.map(headers -> Objects.requireNonNull(headers.get("baggage")))
                        .filter(baggage -> !baggage.contains("caracal.delegation_edge=" + first + ","))
                        .repeatWhenEmpty(500, n -> n.delayElements(Duration.ofMillis(10))))
                .expectNextCount(1)
                .expectComplete()
                .verify(LIMIT);
        assertThat(get(call).get("traceparent")).startsWith("00-" + TRACE);
        assertThat(handling.toMap().get("baggage")).doesNotContain("caracal.delegation_edge=" + first + ",");
        StepVerifier.create(agent.disposeLater()).expectComplete().verify(LIMIT);
    }

    @Test
    void typedErrorsSayWhatToDo() {
        CaracalException foreign = fails(inbound(PROPAGATION, caracal.headers()), CaracalException.class);
        assertThat(foreign.code()).isEqualTo("foreign_context");
        assertThat(foreign.isRetryable()).isFalse();
    }
}
