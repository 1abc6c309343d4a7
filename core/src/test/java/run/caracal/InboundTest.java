package run.caracal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static run.caracal.InboundRequests.HEADERS;
import static run.caracal.InboundRequests.TRACE;
import static run.caracal.InboundRequests.TRACEPARENT;
import static run.caracal.InboundRequests.bySession;
import static run.caracal.InboundRequests.proving;
import static run.caracal.test.FakePlatform.LIMIT;

import java.util.AbstractList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import reactor.core.Disposable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;
import reactor.test.StepVerifier;
import run.caracal.config.CaracalConfig;
import run.caracal.error.ClosedException;
import run.caracal.error.ConfigurationException;
import run.caracal.error.InboundException;
import run.caracal.error.InboundException.Reason;
import run.caracal.event.CaracalEvent;
import run.caracal.event.CaracalEvent.InboundRequest;
import run.caracal.event.CaracalEvent.InboundRequest.ActsAs;
import run.caracal.event.Completion;
import run.caracal.http.Propagation;
import run.caracal.internal.context.Provenance;
import run.caracal.internal.propagation.IncomingHeaders;
import run.caracal.test.FakePlatform;
import run.caracal.verify.MandateRequirements;
import run.caracal.verify.MandateVerifier;

/** How incoming requests are judged and bound. */
class InboundTest {
    private static final Boundary PROPAGATION = Boundary.propagationOnly();

    @RegisterExtension
    private final FakePlatform platform = new FakePlatform();

    private final Caracal caracal = platform.client();

    @AfterEach
    void nothingWasSent() {
        assertThat(platform.requests(request -> true))
                .as("judging needs no service")
                .isEmpty();
    }

    private CaracalContext bound(Map<String, String> headers, Boundary boundary) {
        return Objects.requireNonNull(
                caracal.bindFromHeaders(headers, boundary, caracal.current()).block(LIMIT));
    }

    private CaracalContext bound(Map<String, String> headers) {
        return bound(headers, PROPAGATION);
    }

    private InboundException refused(Function<String, List<String>> headers, Boundary boundary) {
        AtomicBoolean ran = new AtomicBoolean();
        Throwable error = caracal.bindFromHeaders(headers, boundary, Mono.fromRunnable(() -> ran.set(true)))
                .materialize()
                .mapNotNull(signal -> signal.getThrowable())
                .block(LIMIT);
        assertThat(ran).as("the work of a refused request").isFalse();
        assertThat(error).isInstanceOf(InboundException.class);
        return (InboundException) Objects.requireNonNull(error);
    }

    private InboundException refused(Map<String, String> headers, Boundary boundary) {
        return refused(IncomingHeaders.lookup(headers), boundary);
    }

    private static Map<String, String> with(String name, String value) {
        Map<String, String> headers = new HashMap<>(HEADERS);
        headers.put(name, value);
        return headers;
    }

    private InboundRequest judged(Map<String, String> headers, Boundary boundary) {
        Queue<CaracalEvent> events = new ConcurrentLinkedQueue<>();
        Caracal own = platform.client();
        Disposable listening = own.onEvent(events::add);
        StepVerifier.create(own.bindFromHeaders(headers, boundary, Mono.empty())
                        .onErrorComplete()
                        .then(own.disposeLater()))
                .expectComplete()
                .verify(LIMIT);
        listening.dispose();
        assertThat(events).hasSize(1);
        return (InboundRequest) events.element();
    }

    @Nested
    class Bearers {
        @Test
        void theBearerIsShownNowhere() {
            CaracalContext context = bound(HEADERS);
            assertThat(List.of(
                            context.toString(),
                            context.toMap().toString(),
                            context.carried().toString(),
                            String.valueOf(context.bound().provenance()),
                            Provenance.describe(context.bound())))
                    .noneMatch(text -> text.contains("caller-token"));
            assertThat(Provenance.describe(context.bound())).contains("session s-9", "not proven");
        }

        @Test
        void withoutABearerARequestIsRefused() {
            for (Map<String, String> headers : List.of(
                    Map.<String, String>of(),
                    Map.of("traceparent", TRACEPARENT),
                    with("Authorization", ""),
                    with("Authorization", "Basic dXNlcjpwdw=="),
                    with("Authorization", "Bearertoken"),
                    with("Authorization", "Basic " + "x".repeat(10_000_000)))) {
                for (Boundary boundary : List.of(PROPAGATION, Boundary.verified(bySession()))) {
                    InboundException refusal = refused(headers, boundary);
                    assertThat(refusal.code()).isEqualTo("missing_token");
                    assertThat(refusal.httpStatus()).isEqualTo(401);
                }
            }
        }

        /** In no mode a request with a bad bearer counts as one without a bearer. */
        @Test
        void aBadBearerIsAlwaysRefused() {
            for (String value : List.of(
                    "Bearer",
                    "bearer ",
                    "Bearer a b",
                    "Bearer a,b",
                    "Bearer \u00e9",
                    "Bearer \"x\"",
                    "Bearer ===",
                    "Bearer a\r\nX-Evil: 1",
                    "Bearer " + "x".repeat(4097),
                    "Bearer " + "x".repeat(10_000_000),
                    "Bearer\ttab",
                    "BEARER \u0000")) {
                for (Boundary boundary : List.of(
                        PROPAGATION,
                        PROPAGATION.optional(),
                        PROPAGATION.asApplication(),
                        Boundary.verified(proving(m -> m)).optional(),
                        Boundary.verified(proving(m -> m)).asApplication())) {
                    InboundException refusal = refused(with("Authorization", value), boundary);
                    assertThat(refusal.code()).as("%.40s", value).isEqualTo("invalid_token");
                    assertThat(refusal).hasMessageNotContaining("Evil").hasMessageNotContaining("xxxx");
                }
            }
            for (Boundary boundary : List.of(
                    Boundary.verified(bySession()).optional(),
                    Boundary.verified(bySession()).asApplication())) {
                assertThat(refused(HEADERS, boundary).code()).isEqualTo("invalid_token");
            }
        }

        @Test
        void theLongestBearerOfThePlatformIsTaken() {
            assertThat(bound(with("Authorization", "bEARER   " + "x".repeat(4096) + "  "))
                            .agentSessionId())
                    .isEqualTo("s-9");
        }

        @Test
        void twoAuthorizationHeadersAreRefused() {
            for (List<String> both : List.of(
                    List.of("Bearer a", "Bearer a"),
                    List.of("Basic a", "Bearer a"),
                    List.of("Bearer a", ""),
                    Collections.nCopies(1_000_000, "Bearer a"))) {
                for (Boundary boundary : List.of(PROPAGATION, PROPAGATION.optional(), PROPAGATION.asApplication())) {
                    assertThat(refused(name -> name.equals("authorization") ? both : List.of(), boundary)
                                    .code())
                            .isEqualTo("invalid_token");
                }
            }
            Map<String, String> twice = new HashMap<>(HEADERS);
            twice.put("AUTHORIZATION", "Bearer other");
            assertThat(refused(twice, PROPAGATION).code()).isEqualTo("invalid_token");
        }

        @Test
        void optionalLetsARequestPassAsNobody() {
            Boundary optional = PROPAGATION.optional();
            Map<String, String> anonymous = new HashMap<>(HEADERS);
            anonymous.remove("Authorization");
            StepVerifier.create(caracal.bindFromHeaders(anonymous, optional, caracal.current()))
                    .expectComplete()
                    .verify(LIMIT);
            CaracalContext outer = bound(HEADERS);
            StepVerifier.create(caracal.bind(outer, caracal.bindFromHeaders(anonymous, optional, caracal.current())))
                    .as("an outer context is not used instead")
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(bound(HEADERS, optional).agentSessionId())
                    .as("with a bearer")
                    .isEqualTo("s-9");
        }

        @Test
        void asApplicationKeepsTheTraceAndDiscardsWhatTheCallerSays() {
            Map<String, String> anonymous = new HashMap<>(HEADERS);
            anonymous.remove("Authorization");
            CaracalContext context = bound(anonymous, PROPAGATION.asApplication());
            assertThat(context.hasAgentSession()).isFalse();
            assertThatThrownBy(context::agentSessionId)
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("hasAgentSession");
            assertThat(context.delegationEdgeId()).isEmpty();
            assertThat(context.parentEdgeId()).isEmpty();
            assertThat(context.authorityRecordId()).isEmpty();
            assertThat(context.hop()).isZero();
            assertThat(context.traceId()).isEqualTo(TRACE);
            assertThat(context.baggage()).isEqualTo(Map.of("tenant", "acme"));
            assertThat(context.toMap().get("baggage")).isEqualTo("tenant=acme");
            assertThat(context.applicationId()).isEqualTo("app-1");
            assertThat(Provenance.describe(context.bound())).contains("no session", "without a caller");
        }
    }

    @Nested
    class Baggage {
        @Test
        void theCallersContextIsRebuilt() {
            CaracalContext context = bound(HEADERS);
            assertThat(context.hasAgentSession()).isTrue();
            assertThat(context.agentSessionId()).isEqualTo("s-9");
            assertThat(context.delegationEdgeId()).contains("e-9");
            assertThat(context.parentEdgeId()).contains("e-8");
            assertThat(context.authorityRecordId()).contains("rec-9");
            assertThat(context.hop()).isEqualTo(2);
            assertThat(context.traceId()).isEqualTo(TRACE);
            assertThat(context.baggage()).isEqualTo(Map.of("tenant", "acme"));
            assertThat(context.zoneId()).isEqualTo("zone-1");
            assertThat(context.applicationId()).isEqualTo("app-1");
            assertThat(context.verifiedMandate()).isEmpty();
        }

        /** A header over the limits counts as absent, and is read only until that is known. */
        @Test
        void oversizedBaggageCountsAsAbsentAndCostsLittle() {
            for (String baggage : List.of(
                    "a=" + "x".repeat(10_000_000),
                    "caracal.agent_session=s-9,".repeat(65),
                    ",".repeat(64),
                    "caracal.agent_session=s-9,big=" + "x".repeat(8192))) {
                CaracalContext context = bound(with("Baggage", baggage));
                assertThat(context.hasAgentSession()).isFalse();
                assertThat(context.baggage()).isEmpty();
                assertThat(context.traceId()).isEqualTo(TRACE);
            }
            for (String header : List.of("baggage", "tracestate", "traceparent")) {
                AtomicInteger read = new AtomicInteger();
                List<String> endless = new AbstractList<>() {
                    @Override
                    public String get(int index) {
                        read.incrementAndGet();
                        return "a=1";
                    }

                    @Override
                    public int size() {
                        return Integer.MAX_VALUE;
                    }
                };
                Function<String, List<String>> headers = name ->
                        name.equals(header) ? endless : name.equals("authorization") ? List.of("Bearer t") : List.of();
                CaracalContext context =
                        Objects.requireNonNull(caracal.bindFromHeaders(headers, PROPAGATION, caracal.current())
                                .block(LIMIT));
                assertThat(read).as(header).hasValueLessThanOrEqualTo(65);
                assertThat(context.baggage()).isEmpty();
            }
        }

        @Test
        void baggageWithinTheLimitsIsReadAcrossItsLines() {
            Map<String, List<String>> headers = Map.of(
                    "authorization", List.of("Bearer t"),
                    "baggage", List.of("a=1", "caracal.agent_session=s-1,b=2"));
            CaracalContext context = Objects.requireNonNull(caracal.bindFromHeaders(
                            name -> headers.getOrDefault(name, List.of()), PROPAGATION, caracal.current())
                    .block(LIMIT));
            assertThat(context.agentSessionId()).isEqualTo("s-1");
            assertThat(context.baggage()).isEqualTo(Map.of("a", "1", "b", "2"));
        }

        /** An invalid trace begins a new one, without the state of the old. */
        @Test
        void anInvalidTraceparentBeginsANewTrace() {
            for (String traceparent : List.of(
                    "",
                    "garbage",
                    "ff-" + TRACE + "-00f067aa0ba902b7-01",
                    "00-" + "0".repeat(32) + "-00f067aa0ba902b7-01",
                    "00-" + TRACE + "-0000000000000000-01",
                    TRACEPARENT.toUpperCase(java.util.Locale.ROOT),
                    TRACEPARENT + "-extra",
                    "x".repeat(10_000_000))) {
                CaracalContext context = bound(with("Traceparent", traceparent));
                assertThat(context.traceId()).matches("[0-9a-f]{32}").isNotEqualTo(TRACE);
                assertThat(context.toMap()).doesNotContainKey("tracestate");
            }
            assertThat(bound(HEADERS).toMap()).containsEntry("tracestate", "vendor=1");
            assertThat(bound(with("Tracestate", "x".repeat(10_000_000))).toMap())
                    .doesNotContainKey("tracestate");
        }

        /** An invalid id counts as absent, because ids are written into logs, paths and headers. */
        @Test
        void hostileIdsCountAsAbsent() {
            for (String id : List.of("..", ".", "a%0d%0aX:1", "%00", "a%2Fb", "x".repeat(129), "%F0%9F%92%A3")) {
                CaracalContext context = bound(with(
                        "Baggage",
                        "caracal.agent_session=" + id + ",caracal.delegation_edge=" + id + ",caracal.parent_edge=" + id
                                + ",caracal.session=" + id + ",caracal.hop=99999999999999"));
                assertThat(context.hasAgentSession()).as(id).isFalse();
                assertThat(context.delegationEdgeId()).isEmpty();
                assertThat(context.parentEdgeId()).isEmpty();
                assertThat(context.authorityRecordId()).isEmpty();
                assertThat(context.hop()).isEqualTo(10);
            }
        }

        @Test
        @SuppressWarnings("NullAway") // a foreign map may contain null
        void oddCarriersAreNoTrap() {
            Map<String, String> odd = new HashMap<>();
            odd.put(null, "x");
            odd.put("authorization", null);
            odd.put("AUTHORIZATION", "Bearer t");
            odd.put("baggage", null);
            assertThat(bound(odd).hasAgentSession()).isFalse();
            Map<String, List<String>> lines = new HashMap<>();
            lines.put("authorization", java.util.Arrays.asList(null, "Bearer t", null));
            lines.put("baggage", java.util.Arrays.asList((String) null));
            assertThat(Objects.requireNonNull(caracal.bindFromHeaders(
                                            (Function<String, List<String>>) lines::get, PROPAGATION, caracal.current())
                                    .block(LIMIT))
                            .baggage())
                    .isEmpty();
        }

        /** Carriers that are no HTTP requests, with the same limits. */
        @Test
        void aContextTravelsInAMap() {
            CaracalContext sender = bound(HEADERS);
            Map<String, String> map = sender.toMap();
            assertThat(map).containsOnlyKeys("traceparent", "tracestate", "baggage");
            CarriedContext received = CarriedContext.fromMap(map);
            assertThat(received.agentSessionId()).contains("s-9");
            assertThat(received.delegationEdgeId()).contains("e-9");
            assertThat(received.parentEdgeId()).contains("e-8");
            assertThat(received.authorityRecordId()).contains("rec-9");
            assertThat(received.hop()).isEqualTo(2);
            assertThat(received.traceId()).isEqualTo(TRACE);
            assertThat(received.baggage()).isEqualTo(Map.of("tenant", "acme"));
            assertThat(received.toMap().get("baggage")).isEqualTo(map.get("baggage"));
            assertThat(received.toMap().get("traceparent"))
                    .startsWith("00-" + TRACE)
                    .isNotEqualTo(map.get("traceparent"));
            assertThatThrownBy(() -> map.put("a", "b")).isInstanceOf(UnsupportedOperationException.class);
            assertThat(CarriedContext.fromMap(HEADERS).toMap().values()).noneMatch(v -> v.contains("caller-token"));
        }

        @Test
        @SuppressWarnings("NullAway") // a foreign map may contain null
        void aMapHasTheLimitsOfHeaders() {
            Map<String, Object> hostile = new HashMap<>();
            hostile.put("BAGGAGE", "a=" + "x".repeat(10_000_000));
            hostile.put("traceparent", 7);
            hostile.put("tracestate", null);
            hostile.put(null, "x");
            CarriedContext carried = CarriedContext.fromMap(hostile);
            assertThat(carried.agentSessionId()).isEmpty();
            assertThat(carried.baggage()).isEmpty();
            assertThat(carried.traceId()).matches("[0-9a-f]{32}");
            assertThat(CarriedContext.fromMap(Map.of("baggage", "caracal.agent_session=..,k=v%0A"))
                            .toString())
                    .contains("agentSessionId=null", "[k]")
                    .doesNotContain("\n");
        }
    }

    @Nested
    class Verifying {
        /** Verified claims replace the identity in the baggage, and an absent claim is not filled from it. */
        @Test
        void verifiedClaimsReplaceTheBaggageCompletely() {
            CaracalContext bare = bound(HEADERS, Boundary.verified(proving(m -> m)));
            assertThat(bare.hasAgentSession()).isFalse();
            assertThat(bare.delegationEdgeId()).isEmpty();
            assertThat(bare.parentEdgeId()).isEmpty();
            assertThat(bare.authorityRecordId()).contains("rec-1");
            assertThat(bare.hop()).isZero();
            assertThat(bare.zoneId()).isEqualTo("zone-1");
            assertThat(bare.applicationId()).isEqualTo("app-9");
            assertThat(bare.traceId()).isEqualTo(TRACE);
            assertThat(bare.baggage()).isEqualTo(Map.of("tenant", "acme"));
            CaracalContext full = bound(
                    HEADERS,
                    Boundary.verified(proving(m -> m.zoneId("zone-7")
                            .agentSessionId("s-1")
                            .delegationEdgeId("e-2")
                            .delegationPath(List.of("e-0", "e-1", "e-2"))
                            .hopCount(3))));
            assertThat(full.zoneId()).isEqualTo("zone-7");
            assertThat(full.agentSessionId()).isEqualTo("s-1");
            assertThat(full.delegationEdgeId()).contains("e-2");
            assertThat(full.parentEdgeId()).contains("e-1");
            assertThat(full.hop()).isEqualTo(3);
            assertThat(full.verifiedMandate())
                    .hasValueSatisfying(m -> assertThat(m.jti()).isEqualTo("jti-1"));
            assertThat(Provenance.describe(full.bound())).contains("session s-1", "and proven", "application app-9");
        }

        @Test
        void aMismatchIsSeen() {
            assertThat(judged(HEADERS, Boundary.verified(proving(m -> m))).mismatch())
                    .isTrue();
            assertThat(judged(
                                    with("Baggage", "tenant=acme,caracal.agent_session=s-1"),
                                    Boundary.verified(proving(m -> m.agentSessionId("s-1"))))
                            .mismatch())
                    .isFalse();
            assertThat(judged(
                                    with("Baggage", "caracal.agent_session=s-1,caracal.hop=4"),
                                    Boundary.verified(proving(m -> m.agentSessionId("s-1"))))
                            .mismatch())
                    .isTrue();
            assertThat(judged(with("Baggage", ""), Boundary.verified(proving(m -> m.agentSessionId("s-1"))))
                            .mismatch())
                    .as("absent baggage contradicts no claim")
                    .isFalse();
        }

        @Test
        void theVerifierGetsTheBearerAndTheRequirements() {
            MandateRequirements requirements = MandateRequirements.builder()
                    .scopes("billing:charge")
                    .session(true)
                    .build();
            Queue<Object> asked = new ConcurrentLinkedQueue<>();
            MandateVerifier verifier = (bearer, required) -> {
                asked.add(bearer);
                asked.add(required);
                return Mono.error(new InboundException(Reason.INSUFFICIENT_SCOPE, "billing:charge is missing"));
            };
            InboundException refusal =
                    refused(HEADERS, Boundary.verified(verifier).requiring(requirements));
            assertThat(refusal.reason()).isEqualTo(Reason.INSUFFICIENT_SCOPE);
            assertThat(asked).containsExactly("caller-token", requirements);
        }

        /** A failed verifier has neither denied nor allowed the request. */
        @Test
        @SuppressWarnings("NullAway") // a foreign verifier may return null
        void aVerifierThatCannotTellIsNoDenial() {
            for (MandateVerifier broken : List.<MandateVerifier>of(
                    (bearer, requirements) -> Mono.error(new TimeoutException("jwks")),
                    (bearer, requirements) -> Mono.error(new AssertionError("odd")),
                    (bearer, requirements) -> Mono.empty(),
                    (bearer, requirements) -> null,
                    (bearer, requirements) -> {
                        throw new IllegalStateException("at once");
                    })) {
                for (Boundary boundary : List.of(
                        Boundary.verified(broken),
                        Boundary.verified(broken).optional(),
                        Boundary.verified(broken).asApplication())) {
                    InboundException refusal = refused(HEADERS, boundary);
                    assertThat(refusal.reason()).isEqualTo(Reason.VERIFIER_UNAVAILABLE);
                    assertThat(refusal.httpStatus()).isEqualTo(503);
                    assertThat(refusal.isRetryable()).isTrue();
                    assertThat(refusal).hasCauseInstanceOf(Throwable.class);
                    assertThat(refusal.description()).doesNotContain("jwks");
                }
            }
        }

        @Test
        void cancellingEndsTheVerification() {
            AtomicBoolean cancelled = new AtomicBoolean();
            Boundary boundary = Boundary.verified((bearer, requirements) ->
                    Mono.<run.caracal.verify.VerifiedMandate>never().doOnCancel(() -> cancelled.set(true)));
            StepVerifier.create(caracal.bindFromHeaders(HEADERS, boundary, caracal.current()))
                    .thenCancel()
                    .verify(LIMIT);
            assertThat(cancelled).isTrue();
        }

        @Test
        void productionWantsProofOrAStatement() {
            CaracalConfig production = platform.config()
                    .production(true)
                    .propagation(Propagation.gatewayOnly())
                    .build();
            Caracal client = Caracal.create(production);
            for (Boundary unproven : List.of(PROPAGATION, PROPAGATION.optional(), PROPAGATION.asApplication())) {
                assertThatThrownBy(() -> client.inbound(unproven))
                        .isInstanceOf(ConfigurationException.class)
                        .hasMessageContaining("Boundary.verified")
                        .hasMessageContaining("trusted()");
            }
            assertThatThrownBy(() -> client.bindFromHeaders(HEADERS, Mono.empty()))
                    .isInstanceOf(ConfigurationException.class);
            // A request without a bearer must not get more authority than one with a bearer.
            Boundary verified = Boundary.verified((bearer, requirements) -> Mono.empty());
            assertThatThrownBy(() -> client.inbound(verified.asApplication()))
                    .isInstanceOf(ConfigurationException.class);
            assertThat(client.inbound(verified.asApplication().trusted())).isNotNull();
            assertThat(client.inbound(verified.optional())).isNotNull();
            StepVerifier.create(client.bindFromHeaders(HEADERS, PROPAGATION.trusted(), client.current())
                            .map(CaracalContext::agentSessionId))
                    .expectNext("s-9")
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(client.inbound(Boundary.verified(bySession()))).isNotNull();
            StepVerifier.create(client.disposeLater()).expectComplete().verify(LIMIT);
        }

        @Test
        void boundariesThatMeanNothingAreRefused() {
            Boundary verified = Boundary.verified(bySession());
            assertThatThrownBy(verified::trusted).isInstanceOf(IllegalStateException.class);
            assertThatThrownBy(() -> PROPAGATION.requiring(MandateRequirements.defaults()))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("Boundary.verified");
            assertThat(verified.optional().asApplication().toString()).contains("RUNS_AS_APPLICATION");
            assertThat(PROPAGATION.asApplication().optional().toString()).contains("PASSES");
        }
    }

    @Nested
    class Binding {
        @Test
        void manyResultsFlowWithTheCallerBound() {
            StepVerifier.create(caracal.bindFromHeaders(
                            HEADERS,
                            Flux.range(0, 3).concatMap(i -> caracal.current().map(c -> c.agentSessionId() + i))))
                    .expectNext("s-90", "s-91", "s-92")
                    .expectComplete()
                    .verify(LIMIT);
            StepVerifier.create(
                            caracal.bindFromHeaders(HEADERS, caracal.current()).map(CaracalContext::agentSessionId))
                    .expectNext("s-9")
                    .expectComplete()
                    .verify(LIMIT);
        }

        @Test
        void everyJudgementIsAnEvent() {
            InboundRequest refused = judged(Map.of(), PROPAGATION);
            assertThat(refused.actsAs()).isEqualTo(ActsAs.NOBODY);
            assertThat(refused.completion().outcome()).isEqualTo(Completion.Outcome.FAILURE);
            assertThat(refused.completion().code()).isEqualTo("missing_token");
            assertThat(judged(HEADERS, PROPAGATION).actsAs()).isEqualTo(ActsAs.CALLER_UNPROVEN);
            assertThat(judged(HEADERS, Boundary.verified(proving(m -> m))).actsAs())
                    .isEqualTo(ActsAs.CALLER);
            assertThat(judged(Map.of(), PROPAGATION.asApplication()).actsAs()).isEqualTo(ActsAs.APPLICATION);
            InboundRequest passed = judged(Map.of(), PROPAGATION.optional());
            assertThat(passed.actsAs()).isEqualTo(ActsAs.NOBODY);
            assertThat(passed.completion().outcome()).isEqualTo(Completion.Outcome.SUCCESS);
            assertThat(passed.completion().code()).isNull();
        }

        @Test
        void aRefusalOfTheWorkItselfIsNotTheBoundarys() {
            InboundException own = new InboundException(Reason.INSUFFICIENT_SCOPE, "of the work");
            StepVerifier.create(caracal.bindFromHeaders(HEADERS, Mono.error(own)))
                    .expectErrorMatches(e -> e == own)
                    .verify(LIMIT);
        }

        @Test
        void judgingIsLazyAndAnewForEachSubscription() {
            AtomicInteger asked = new AtomicInteger();
            Function<String, List<String>> headers = name -> {
                asked.incrementAndGet();
                return name.equals("authorization") ? List.of("Bearer t") : List.of();
            };
            Mono<CaracalContext> bound = caracal.bindFromHeaders(headers, PROPAGATION, caracal.current());
            assertThat(asked).hasValue(0);
            String first = Objects.requireNonNull(bound.block(LIMIT)).traceId();
            int once = asked.get();
            assertThat(once).isBetween(1, 4);
            assertThat(Objects.requireNonNull(bound.block(LIMIT)).traceId()).isNotEqualTo(first);
            assertThat(asked).hasValue(2 * once);
        }

        /** Changes of thread and repeated attempts keep the caller. */
        @Test
        void theCallerSurvivesThreadsAndRetries() {
            AtomicInteger attempts = new AtomicInteger();
            Mono<String> work = Mono.just(1)
                    .publishOn(Schedulers.boundedElastic())
                    .flatMap(i -> caracal.current())
                    .publishOn(Schedulers.parallel())
                    .flatMap(context -> attempts.incrementAndGet() < 4
                            ? Mono.error(new IllegalStateException("again"))
                            : Mono.just(context.agentSessionId()))
                    .retry(3);
            StepVerifier.create(caracal.bindFromHeaders(HEADERS, work))
                    .expectNext("s-9")
                    .expectComplete()
                    .verify(LIMIT);
        }

        @Test
        void callersNeverMix() {
            Boundary boundary = Boundary.verified((bearer, requirements) ->
                    bySession().verify(bearer, requirements).publishOn(Schedulers.parallel()));
            Flux<Boolean> all = Flux.range(0, 2000)
                    .flatMap(
                            i -> caracal.bindFromHeaders(
                                            with("Authorization", "Bearer token-of-s" + i),
                                            boundary,
                                            Mono.just(i)
                                                    .publishOn(Schedulers.boundedElastic())
                                                    .flatMap(x -> caracal.current()))
                                    .map(context -> context.agentSessionId().equals("s" + i)),
                            64);
            StepVerifier.create(all.all(own -> own))
                    .expectNext(true)
                    .expectComplete()
                    .verify(LIMIT);
        }

        @Test
        void aClosedClientJudgesNothing() {
            Caracal closed = platform.client();
            Mono<CaracalContext> bound = closed.bindFromHeaders(HEADERS, PROPAGATION, closed.current());
            StepVerifier.create(closed.disposeLater()).expectComplete().verify(LIMIT);
            StepVerifier.create(bound).expectError(ClosedException.class).verify(LIMIT);
        }
    }
}
