package run.caracal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;
import static run.caracal.Calls.assertFails;
import static run.caracal.Calls.form;
import static run.caracal.Calls.headers;
import static run.caracal.Calls.resolve;
import static run.caracal.test.FakePlatform.BILLING;
import static run.caracal.test.FakePlatform.GATEWAY;
import static run.caracal.test.FakePlatform.LIMIT;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;
import reactor.test.StepVerifier;
import run.caracal.config.CaracalConfig;
import run.caracal.error.ApprovalRequiredException;
import run.caracal.error.ClosedException;
import run.caracal.error.ConfigurationException;
import run.caracal.error.CoordinatorException;
import run.caracal.error.DelegationException;
import run.caracal.error.NoContextException;
import run.caracal.error.ProtocolException;
import run.caracal.error.RoutingException;
import run.caracal.error.StsException;
import run.caracal.error.TransportException;
import run.caracal.event.CaracalEvent;
import run.caracal.http.HttpRequest;
import run.caracal.http.OutboundDecision;
import run.caracal.http.OutboundPolicy;
import run.caracal.http.Propagation;
import run.caracal.http.TransportOptions;
import run.caracal.test.FakePlatform;

/** One-shot mandates: minted by hand, by the transport, and for sessions that hold no delegation. */
class MandateTest {
    private static final String RESOURCE = "resource://billing-api";
    private static final String CHARGE = BILLING + "/charge";

    @RegisterExtension
    private final FakePlatform platform = new FakePlatform();

    private final Caracal caracal = platform.client();
    private final TransportOptions scoped = TransportOptions.defaults().withScopes("billing:charge");

    private List<HttpRequest> mints() {
        return platform.requests(FakePlatform::isMint);
    }

    private static Grant.Narrow narrowed() {
        return Grant.narrow("billing:read").resource(RESOURCE);
    }

    private <T> Mono<T> inNarrowed(Mono<T> work) {
        return caracal.spawn(
                parent -> caracal.spawn(SpawnOptions.builder().grant(narrowed()).build(), child -> work));
    }

    private static Mono<String> bearer(OutboundPolicy policy) {
        return resolve(policy, CHARGE, null)
                .map(call -> Objects.requireNonNull(headers(call).get("Authorization")));
    }

    @Nested
    class Minting {
        @Test
        void aNarrowedSessionMintsWithItsOwnDelegationAndEachTimeAnew() {
            List<Mandate> two = Objects.requireNonNull(inNarrowed(Flux.concat(
                                    caracal.mintMandate(RESOURCE, "b", "a"), caracal.mintMandate(RESOURCE, "b", "a"))
                            .collectList())
                    .block(LIMIT));
            assertThat(two).extracting(Mandate::value).containsExactly("token-2", "token-3");
            assertThat(two.get(0)).satisfies(mandate -> {
                assertThat(mandate.agentSessionId()).isEqualTo("session-2");
                assertThat(mandate.delegationEdgeId()).isEqualTo("edge-1");
                assertThat(mandate.remaining()).isBetween(Duration.ofSeconds(880), Duration.ofSeconds(900));
                assertThat(mandate.isUsable()).isTrue();
                assertThat(mandate.toString()).contains(RESOURCE).doesNotContain(mandate.value());
            });
            assertThat(form(mints().get(0)))
                    .containsEntry("scope", "a b")
                    .containsEntry("resource", RESOURCE)
                    .containsEntry("agent_session_id", "session-2")
                    .containsEntry("delegation_edge_id", "edge-1")
                    .containsEntry("client_secret", "the-client-secret")
                    .doesNotContainKeys("ttl_seconds", "approval_id");
            assertThat(platform.opened()).isEqualTo(2);
        }

        @Test
        void optionsAreSentAndLimitsAreCheckedBeforeAnyCall() {
            MandateOptions options =
                    MandateOptions.defaults().withTtl(Duration.ofSeconds(36)).withApprovalId("approval-1");
            Mono<Mandate> mandate = caracal.mintMandate(RESOURCE, List.of("a"), options);
            StepVerifier.create(inNarrowed(mandate))
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(form(mints().get(0)))
                    .containsEntry("ttl_seconds", "36")
                    .containsEntry("approval_id", "approval-1");
            for (Duration ttl : List.of(
                    Duration.ofSeconds(35), Duration.ofSeconds(3601), Duration.ofMillis(36_500), Duration.ZERO)) {
                assertThatThrownBy(() -> MandateOptions.defaults().withTtl(ttl))
                        .isInstanceOf(IllegalArgumentException.class)
                        .hasMessageContaining("36");
            }
            assertThatThrownBy(() -> MandateOptions.defaults().withApprovalId("../x"))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("approvalId");
            assertThatThrownBy(() -> MandateOptions.defaults().withLabels(" "))
                    .isInstanceOf(IllegalArgumentException.class);
            for (String scope : List.of("a b", "", "agent:lifecycle")) {
                assertThatThrownBy(() -> caracal.mintMandate(RESOURCE, scope))
                        .isInstanceOf(IllegalArgumentException.class)
                        .hasMessageContaining("scopes");
                assertThatThrownBy(() -> TransportOptions.defaults().withScopes(scope))
                        .isInstanceOf(IllegalArgumentException.class)
                        .hasMessageContaining("scopes");
            }
            assertThatThrownBy(() -> TransportOptions.defaults().withScopes())
                    .isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> caracal.mintMandate("a b", "a")).isInstanceOf(IllegalArgumentException.class);
        }

        @Test
        void withoutAContextScopesOrCredentialsNothingIsSent() {
            assertFails(caracal.mintMandate(RESOURCE, "a"), NoContextException.class, "spawn");
            assertThat(platform.requests(r -> true)).isEmpty();
            assertFails(
                    caracal.spawn(session -> caracal.mintMandate(RESOURCE)),
                    ConfigurationException.class,
                    RESOURCE,
                    "CARACAL_RESOURCE_SCOPES");
            Caracal fixed = Caracal.create(CaracalConfig.builder()
                    .zoneId("zone-1")
                    .applicationId("app-1")
                    .subjectToken("static-token")
                    .stsUrl("https://sts.example.com")
                    .coordinatorUrl("https://coordinator.example.com")
                    .gatewayUrl(GATEWAY)
                    .resource(RESOURCE, BILLING, "billing:charge")
                    .transport(platform)
                    .build());
            int before = platform.requests(r -> true).size();
            assertFails(
                    fixed.spawn(session -> resolve(fixed.outbound(), CHARGE, null)),
                    ConfigurationException.class,
                    "clientSecret");
            assertFails(
                    fixed.spawn(session -> fixed.mintMandate(RESOURCE)), ConfigurationException.class, "clientSecret");
            assertThat(platform.requests(r -> true)
                            .subList(before, platform.requests(r -> true).size()))
                    .allMatch(r -> FakePlatform.isOpen(r) || FakePlatform.isTerminate(r));
            StepVerifier.create(fixed.disposeLater()).expectComplete().verify(LIMIT);
            assertFails(fixed.mintMandate(RESOURCE, "a"), ClosedException.class);
        }

        /** A mint is sent once, even if its answer is lost, and each failure has its own type. */
        @Test
        void aMintIsOneAttemptWithATypedError() {
            platform.nextAnswer(FakePlatform::isMint, 503, "{\"error\":\"sts_unavailable\"}");
            assertFails(inNarrowed(caracal.mintMandate(RESOURCE, "a")), StsException.ServiceUnavailable.class);
            assertThat(mints()).hasSize(1);
            platform.nextLost(FakePlatform::isMint, new TransportException(TransportException.Kind.IO, "lost", null));
            assertFails(inNarrowed(caracal.mintMandate(RESOURCE, "a")), TransportException.class);
            assertThat(mints()).hasSize(2);
            platform.nextAnswer(
                    FakePlatform::isMint,
                    403,
                    "{\"error\":\"access_denied\",\"error_description\":\"policy denied (role_scope_mismatch)\"}");
            assertFails(
                    inNarrowed(caracal.mintMandate(RESOURCE, "a")),
                    StsException.AccessDenied.class,
                    "role of the grant");
            platform.nextAnswer(
                    FakePlatform::isMint,
                    403,
                    "{\"error\":\"access_denied\",\"error_description\":\"policy denied (role_scope_mismatch)\"}");
            assertFails(
                    inNarrowed(caracal.mintMandate(RESOURCE, "a")),
                    StsException.AccessDenied.class,
                    "application id, which labelledAsApplication()");
            platform.nextAnswer(
                    FakePlatform::isMint,
                    200,
                    "{\"access_token\":\"t\",\"token_type\":\"Bearer\",\"target_resources\":[\"resource://other\"]}");
            assertFails(inNarrowed(caracal.mintMandate(RESOURCE, "a")), ProtocolException.class, RESOURCE);
            platform.nextAnswer(
                    FakePlatform::isMint,
                    401,
                    "{\"error\":\"interaction_required\",\"approval_type\":\"human_approval\",\"approval_id\":\"approval-1\",\"state\":\"pending\"}");
            StepVerifier.create(inNarrowed(caracal.mintMandate(RESOURCE, "a")))
                    .expectErrorSatisfies(e -> assertThat(e)
                            .isInstanceOfSatisfying(ApprovalRequiredException.class, held -> {
                                assertThat(held.approvalId()).isEqualTo("approval-1");
                                assertThat(held.resource()).contains(RESOURCE);
                            }))
                    .verify(LIMIT);
            assertThat(mints()).hasSize(6);
        }

        @Test
        void everyMintIsAnEvent() {
            List<CaracalEvent> events = new CopyOnWriteArrayList<>();
            var listening = caracal.onEvent(events::add);
            platform.nextAnswer(FakePlatform::isMint, 403, "{\"error\":\"access_denied\",\"requestId\":\"r-1\"}");
            StepVerifier.create(caracal.spawn(session ->
                            caracal.mintMandate(RESOURCE, "a").onErrorResume(e -> caracal.mintMandate(RESOURCE, "a"))))
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(LIMIT);
            StepVerifier.create(caracal.disposeLater()).expectComplete().verify(LIMIT);
            listening.dispose();
            List<CaracalEvent.MandateMinted> minted = new ArrayList<>();
            events.forEach(event -> {
                if (event instanceof CaracalEvent.MandateMinted mint) {
                    minted.add(mint);
                }
            });
            assertThat(minted)
                    .extracting(
                            CaracalEvent.MandateMinted::resource,
                            m -> m.completion().status(),
                            m -> m.completion().code())
                    .containsExactly(tuple(RESOURCE, 403, "access_denied"), tuple(RESOURCE, 200, null));
            assertThat(events.stream().filter(e -> e instanceof CaracalEvent.SessionOpened))
                    .hasSize(2);
            assertThat(events.stream().filter(e -> e instanceof CaracalEvent.SessionClosed))
                    .hasSize(2);
        }
    }

    @Nested
    class Calling {
        @Test
        void scopesAreThoseOfTheTransportThenOfTheGrantThenOfTheConfiguration() {
            Caracal configured = Caracal.create(platform.config()
                    .resourceScopes(RESOURCE, "billing:configured")
                    .build());
            OutboundPolicy plain = configured.outbound();
            OutboundPolicy explicit = configured.outbound(scoped);
            SpawnOptions narrow = SpawnOptions.builder().grant(narrowed()).build();
            SpawnOptions elsewhere = SpawnOptions.builder()
                    .grant(Grant.narrow("other:read").resource("resource://other"))
                    .build();
            StepVerifier.create(configured.spawn(s -> bearer(plain)
                            .then(configured.mintMandate(RESOURCE))
                            .then(configured.spawn(
                                    narrow,
                                    c -> bearer(plain)
                                            .then(configured.spawn(grandchild -> bearer(plain)))
                                            .then(configured.mintMandate(RESOURCE))
                                            .then(bearer(explicit))))
                            .then(configured.spawn(elsewhere, c -> bearer(plain)))))
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(mints())
                    .extracting(m -> form(m).get("scope"))
                    .containsExactly(
                            "billing:configured",
                            "billing:configured",
                            "billing:read",
                            "billing:read",
                            "billing:read",
                            "billing:charge",
                            "billing:configured");
            StepVerifier.create(configured.disposeLater()).expectComplete().verify(LIMIT);
        }

        @Test
        void eachResolutionMintsItsOwnAndTheEnvelopeSaysWhoActs() {
            List<Map<String, String>> sent = Objects.requireNonNull(inNarrowed(resolve(caracal.outbound(), CHARGE, null)
                            .repeat(2)
                            .map(c -> headers(c))
                            .collectList())
                    .block(LIMIT));
            assertThat(sent)
                    .extracting(h -> h.get("Authorization"))
                    .doesNotHaveDuplicates()
                    .hasSize(3);
            assertThat(sent).allSatisfy(h -> {
                assertThat(h.get("X-Caracal-Resource")).isEqualTo(RESOURCE);
                assertThat(h.get("baggage"))
                        .contains("caracal.agent_session=session-2", "caracal.delegation_edge=edge-1", "caracal.hop=1");
            });
            assertThat(mints()).hasSize(3);
        }

        /** One id joins mint and call in the audit log; an id that the caller has given early is that of both. */
        @Test
        void mintAndCallHaveOneRequestId() {
            Map<String, String> own = headers(Objects.requireNonNull(
                    inNarrowed(resolve(caracal.outbound(), CHARGE, null)).block(LIMIT)));
            assertThat(own.get("X-Request-Id"))
                    .isNotBlank()
                    .isEqualTo(FakePlatform.header(mints().get(0), "X-Request-Id"));
            // Set too late for the mint, the caller's stays nevertheless.
            OutboundDecision late = Objects.requireNonNull(
                    inNarrowed(resolve(caracal.outbound(), CHARGE, null)).block(LIMIT));
            assertThat(headers(late, "X-Request-Id", "mine")).containsEntry("X-Request-Id", "mine");
            Map<String, String> early =
                    headers(Objects.requireNonNull(inNarrowed(resolve(caracal.outbound(), CHARGE, null)
                                    .contextWrite(view -> view.put(OutboundPolicy.REQUEST_ID, "early")))
                            .block(LIMIT)));
            assertThat(early).containsEntry("X-Request-Id", "early");
            assertThat(FakePlatform.header(mints().get(2), "X-Request-Id")).isEqualTo("early");
            for (String none : List.of("a b", "x".repeat(129), "")) {
                Map<String, String> replaced =
                        headers(Objects.requireNonNull(inNarrowed(resolve(caracal.outbound(), CHARGE, null)
                                        .contextWrite(view -> view.put(OutboundPolicy.REQUEST_ID, none)))
                                .block(LIMIT)));
                assertThat(replaced.get("X-Request-Id")).matches("[0-9a-f]{32}");
            }
            assertThat(mints())
                    .extracting(m -> FakePlatform.header(m, "X-Request-Id"))
                    .doesNotHaveDuplicates();
            Mandate byHand = Objects.requireNonNull(
                    inNarrowed(caracal.mintMandate(RESOURCE, "a")).block(LIMIT));
            assertThat(byHand.requestId()).isEqualTo(FakePlatform.header(mints().get(6), "X-Request-Id"));
        }

        @Test
        void aMandateIsGoodForOneRequest() {
            OutboundDecision call = Objects.requireNonNull(
                    inNarrowed(resolve(caracal.outbound(), CHARGE, null)).block(LIMIT));
            assertThat(headers(call)).containsEntry("Authorization", "Bearer token-2");
            assertThatThrownBy(() -> headers(call))
                    .isInstanceOf(RoutingException.class)
                    .hasMessageContaining("one request");
        }

        @Test
        void nothingIsMintedForWhatDoesNotGoToTheGateway() {
            OutboundPolicy policy = caracal.outbound(scoped.withPropagation(Propagation.everywhere()));
            OutboundDecision other =
                    Objects.requireNonNull(inNarrowed(resolve(policy, "https://other.example.com/x", null))
                            .block(LIMIT));
            assertThat(headers(other)).containsEntry("Authorization", "Bearer token-1");
            assertThat(mints()).isEmpty();
            assertFails(resolve(policy, CHARGE, null), NoContextException.class);
            assertFails(
                    inNarrowed(resolve(policy, GATEWAY + "/x", "resource://unknown")),
                    RoutingException.class,
                    "not configured");
            assertThat(mints()).isEmpty();
        }

        @Test
        void aResourceNamedLateIsTheOnlyOneOrAnError() {
            OutboundPolicy policy = caracal.outbound(scoped);
            Mono<OutboundDecision> late = resolve(policy, GATEWAY + "/x", null);
            OutboundDecision call = Objects.requireNonNull(inNarrowed(late).block(LIMIT));
            assertThat(headers(call))
                    .as("the only one is meant")
                    .containsEntry("X-Caracal-Resource", RESOURCE)
                    .containsEntry("Authorization", "Bearer token-2");
            OutboundDecision named = Objects.requireNonNull(inNarrowed(late).block(LIMIT));
            assertThat(headers(named, "x-caracal-resource", RESOURCE)).containsKey("Authorization");
            OutboundDecision wrong = Objects.requireNonNull(inNarrowed(late).block(LIMIT));
            assertThat(caracal.gatewayRequest("resource://late", "/").url()).isNotBlank();
            assertThatThrownBy(() -> headers(wrong, "x-caracal-resource", "resource://late"))
                    .isInstanceOf(RoutingException.class)
                    .hasMessageContaining("too late");
            Caracal two = Caracal.create(platform.config()
                    .resource("resource://second", "https://second.example.com")
                    .build());
            int before = mints().size();
            assertFails(
                    two.spawn(s -> resolve(two.outbound(scoped), GATEWAY + "/x", null)),
                    RoutingException.class,
                    "X-Caracal-Resource",
                    "headers(...)",
                    "filter");
            assertThat(mints()).hasSize(before);
            // Without scopes the token is good for any of them.
            StepVerifier.create(two.spawn(s -> resolve(two.outbound(), GATEWAY + "/x", null)))
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(LIMIT);
            StepVerifier.create(two.disposeLater()).expectComplete().verify(LIMIT);
        }
    }

    @Nested
    class OnDemand {
        @Test
        void onDemand_aPlainSessionObtainsAuthorityOnceAndItEndsWithTheSession() {
            OutboundPolicy policy = caracal.outbound(scoped);
            List<String> bearers = Objects.requireNonNull(caracal.spawn(session ->
                            Flux.range(0, 50).flatMap(i -> bearer(policy), 50).collectList())
                    .block(LIMIT));
            assertThat(bearers).hasSize(50).doesNotHaveDuplicates();
            assertThat(platform.requests(FakePlatform::isOpen)).hasSize(2);
            assertThat(FakePlatform.body(platform.requests(FakePlatform::isOpen).get(1)))
                    .contains("\"parent_id\":\"session-1\"", "\"parent_authority\":\"none\"", "\"labels\":[\"app-1\"]");
            assertThat(platform.requests(FakePlatform::isDelegate)).hasSize(1);
            assertThat(FakePlatform.body(
                            platform.requests(FakePlatform::isDelegate).get(0)))
                    .contains(
                            "\"scopes\":[\"billing:charge\"]",
                            "\"resource_id\":\"" + RESOURCE + "\"",
                            "\"source_session_id\":\"session-1\"",
                            "\"target_session_id\":\"session-2\"");
            assertThat(mints())
                    .hasSize(50)
                    .allSatisfy(m -> assertThat(form(m))
                            .containsEntry("agent_session_id", "session-2")
                            .containsEntry("delegation_edge_id", "edge-1"));
            assertThat(platform.ended()).containsExactly("session-2", "session-1");
        }

        @Test
        void onDemand_theEnvelopeIsThatOfTheSessionThatActs() {
            Map<String, String> sent = headers(
                    Objects.requireNonNull(caracal.spawn(session -> resolve(caracal.outbound(scoped), CHARGE, null))
                            .block(LIMIT)));
            assertThat(sent.get("baggage"))
                    .contains("caracal.agent_session=session-2", "caracal.delegation_edge=edge-1", "caracal.hop=1")
                    .doesNotContain("session-1");
        }

        @Test
        void onDemand_oneChildForEachLabelSetAndOneDelegationForEachNeed() {
            OutboundPolicy policy = caracal.outbound(scoped);
            OutboundPolicy labelled = caracal.outbound(scoped.withLabels("clerk"));
            StepVerifier.create(caracal.spawn(session -> bearer(policy)
                            .then(bearer(labelled))
                            .then(bearer(labelled))
                            .then(caracal.mintMandate(RESOURCE, "b", "a"))
                            .then(caracal.mintMandate(RESOURCE, "a", "b"))
                            .then(caracal.spawn(child -> bearer(policy)))))
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(LIMIT);
            // The two of the root, and the child with its own.
            assertThat(platform.requests(FakePlatform::isOpen)).hasSize(5);
            assertThat(platform.requests(FakePlatform::isDelegate)).hasSize(4);
            assertThat(platform.ended()).hasSize(5).last().isEqualTo("session-1");
            assertThat(platform.ended().indexOf("session-5"))
                    .isLessThan(platform.ended().indexOf("session-4"));
        }

        @Test
        void aSessionThatWasGivenNothingObtainsNothing() {
            SpawnOptions none = SpawnOptions.builder().grant(Grant.none()).build();
            assertFails(
                    caracal.spawn(parent ->
                            caracal.spawn(none, child -> caracal.spawn(below -> bearer(caracal.outbound(scoped))))),
                    DelegationException.class,
                    "Grant.narrow");
            assertThat(mints()).isEmpty();
        }

        @Test
        void aServiceMintsToo() {
            Mono<Integer> calls = caracal.spawnService()
                    .flatMap(agent -> agent.bind(
                                    bearer(caracal.outbound(scoped)).repeat(2).collectList())
                            .flatMap(all -> agent.disposeLater().thenReturn(all.size())));
            StepVerifier.create(calls).expectNext(3).expectComplete().verify(LIMIT);
            assertThat(platform.ended()).containsExactly("session-2", "session-1");
        }
    }

    @Nested
    class Replacing {
        @Test
        void onDemand_whatFailedIsNotKeptAndAWaiterThatLeavesDisturbsNobody() {
            OutboundPolicy policy = caracal.outbound(scoped);
            platform.nextAnswer(FakePlatform::isDelegate, 403, "{\"error\":\"delegation_scopes_exceed_resource\"}");
            StepVerifier.create(caracal.spawn(session ->
                            bearer(policy).onErrorResume(CoordinatorException.class, refused -> bearer(policy))))
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(platform.requests(FakePlatform::isOpen)).hasSize(2);
            assertThat(platform.requests(FakePlatform::isDelegate)).hasSize(2);

            platform.next(
                    r -> FakePlatform.isDelegate(r),
                    real -> Mono.delay(Duration.ofMillis(100)).then(real));
            StepVerifier.create(caracal.spawn(session -> Mono.zip(
                            bearer(policy).timeout(Duration.ofMillis(20)).onErrorResume(e -> Mono.just("gone")),
                            bearer(policy))))
                    .assertNext(both -> assertThat(both.getT1()).isEqualTo("gone"))
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(platform.requests(FakePlatform::isDelegate)).hasSize(3);
        }

        @Test
        void onDemand_whatThePlatformHasEndedIsObtainedAnew() {
            OutboundPolicy policy = caracal.outbound(scoped);
            platform.nextAnswer(
                    FakePlatform::isMint,
                    403,
                    "{\"error\":\"access_denied\",\"error_description\":\"delegation edge inactive or expired\"}");
            StepVerifier.create(caracal.spawn(session -> bearer(policy)))
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(mints())
                    .extracting(m -> form(m).get("delegation_edge_id"))
                    .containsExactly("edge-1", "edge-2");
            assertThat(platform.requests(FakePlatform::isOpen)).hasSize(3);
            assertThat(platform.ended()).hasSize(3).last().isEqualTo("session-1");

            platform.nextAnswer(
                    FakePlatform::isMint, 403, "{\"error\":\"access_denied\",\"error_description\":\"policy denied\"}");
            assertFails(caracal.spawn(session -> bearer(policy)), StsException.AccessDenied.class);
            assertThat(platform.requests(FakePlatform::isOpen)).hasSize(5);
        }

        @Test
        void onDemand_aHelperThatOthersEndedIsReplacedInsideTheCall() {
            platform.nextAnswer(FakePlatform::isDelegate, 404, "{\"error\":\"delegation_endpoint_not_found\"}");
            StepVerifier.create(caracal.spawn(session -> bearer(caracal.outbound(scoped))))
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(mints()).hasSize(1);
            assertThat(platform.ended()).hasSize(3).last().isEqualTo("session-1");
        }

        @Test
        void onDemand_authorityIsObtainedAnewOnceOnly() {
            for (int i = 0; i < 3; i++) {
                platform.nextAnswer(
                        FakePlatform::isMint,
                        403,
                        "{\"error\":\"access_denied\",\"error_description\":\"delegation target inactive or suspended\"}");
            }
            StepVerifier.create(caracal.spawn(session -> bearer(caracal.outbound(scoped))))
                    .expectErrorSatisfies(e -> assertThat(e)
                            .isInstanceOf(StsException.AccessDenied.class)
                            .hasMessageContaining("suspended: open a new one, or have it resumed"))
                    .verify(LIMIT);
            assertThat(mints()).hasSize(2);
        }
    }

    @Nested
    class Ending {
        @Test
        void onDemand_aCancelWhileAuthorityIsObtainedLeavesNothingOpen() {
            Sinks.Empty<Void> opening = Sinks.empty();
            platform.next(
                    r -> FakePlatform.isOpen(r) && FakePlatform.body(r).contains("parent_id"),
                    real -> real.delayElement(Duration.ofMillis(100))
                            .doOnSubscribe(s -> opening.tryEmitEmpty().orThrow()));
            StepVerifier.create(caracal.spawn(session -> bearer(caracal.outbound(scoped)))
                            .takeUntilOther(opening.asMono()))
                    .expectComplete()
                    .verify(LIMIT);
            StepVerifier.create(caracal.disposeLater()).expectComplete().verify(LIMIT);
            assertThat(platform.opened()).isEqualTo(2);
            assertThat(platform.live()).isEmpty();
        }

        /** The platform ends a session together with its helper. */
        @Test
        void onDemand_oneTerminationEndsTheSessionAndItsHelper() {
            StepVerifier.create(caracal.spawn(session -> bearer(caracal.outbound(scoped))))
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(platform.requests(FakePlatform::isTerminate))
                    .singleElement()
                    .satisfies(sent -> assertThat(sent.uri().getPath()).endsWith("/session-1"));
            assertThat(platform.ended()).containsExactly("session-2", "session-1");
        }

        @Test
        void onDemand_aHelperIsEndedAloneWhereTheTerminationOfItsSessionIsRefused() {
            platform.nextAnswer(FakePlatform::isTerminate, 403, "{\"error\":\"application_ownership_required\"}");
            StepVerifier.create(caracal.spawn(session -> bearer(caracal.outbound(scoped))))
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(platform.ended()).containsExactly("session-2");
            platform.live().clear(); // the refused one
        }

        @Test
        void onDemand_endHooksMayStillMakeCalls() {
            List<String> bearers = new CopyOnWriteArrayList<>();
            var hook = caracal.onSessionEnd(context ->
                    bearer(caracal.outbound(scoped)).doOnNext(bearers::add).then());
            StepVerifier.create(caracal.spawn(session -> Mono.just(1)))
                    .expectNext(1)
                    .expectComplete()
                    .verify(LIMIT);
            hook.dispose();
            assertThat(bearers).hasSize(1);
            assertThat(platform.ended()).containsExactly("session-2", "session-1");
        }
    }
}
