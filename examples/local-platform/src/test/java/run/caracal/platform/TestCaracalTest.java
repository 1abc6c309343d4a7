package run.caracal.platform;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Mono;
import reactor.netty.ByteBufFlux;
import reactor.test.StepVerifier;
import run.caracal.Acceptance;
import run.caracal.Boundary;
import run.caracal.Caracal;
import run.caracal.CaracalContext;
import run.caracal.DelegationSpec;
import run.caracal.FetchRequest;
import run.caracal.GatewayRequest;
import run.caracal.Grant;
import run.caracal.Lease;
import run.caracal.ServiceAgent;
import run.caracal.ServiceOptions;
import run.caracal.SpawnOptions;
import run.caracal.error.ApprovalRequiredException;
import run.caracal.error.CoordinatorException;
import run.caracal.error.GatewayException;
import run.caracal.error.InboundException;
import run.caracal.error.LeaseLostException;
import run.caracal.error.NoContextException;
import run.caracal.error.StsException;
import run.caracal.error.TransportException;
import run.caracal.netty.CaracalHttp;
import run.caracal.netty.CaracalHttpServer;
import run.caracal.verify.InMemoryRevocationStore;

/** A client on a platform without sockets, for each behaviour that a test would otherwise mock. */
final class TestCaracalTest {

    private static final String BILLING = "resource://billing-api";
    private static final FetchRequest CHARGE =
            FetchRequest.builder(BILLING, "/charge").json("{\"amount\": 1200}").build();

    private static final TestCaracal TEST = TestCaracal.create();

    private final Caracal caracal = TEST.caracal();
    private final LocalPlatform platform = TEST.platform();

    @BeforeEach
    void reset() {
        TEST.reset();
    }

    @AfterAll
    static void close() {
        TEST.dispose();
        assertThat(TEST.isDisposed()).isTrue();
    }

    private Mono<String> charge() {
        return caracal.spawn(session -> caracal.fetch(CHARGE))
                .map(response -> new String(response.body(), StandardCharsets.UTF_8));
    }

    @Nested
    class WhatPeopleMock {

        @Test
        void spawnOpensASessionAndEndsIt() {
            StepVerifier.create(caracal.spawn(session -> Mono.just(platform.openSessionCount())))
                    .expectNext(1)
                    .verifyComplete();
            assertThat(platform.openSessionCount()).isZero();
            assertThat(platform.totalOpened()).isEqualTo(1);
        }

        @Test
        void currentShowsTheSessionAndNothingOutsideOfOne() {
            StepVerifier.create(caracal.spawn(session -> caracal.current()
                            .map(CaracalContext::agentSessionId)
                            .map(session.agentSessionId()::equals)))
                    .expectNext(true)
                    .verifyComplete();
            StepVerifier.create(caracal.current()).verifyComplete();
        }

        @Test
        void headersCarryTheIdentityOfTheSession() {
            StepVerifier.create(caracal.spawn(session -> caracal.headers()))
                    .assertNext(headers -> assertThat(headers).containsKeys("Authorization", "traceparent", "baggage"))
                    .verifyComplete();
            StepVerifier.create(caracal.headers()).verifyError(NoContextException.class);
        }

        @Test
        void fetchGoesThroughTheGatewayToTheUpstream() {
            StepVerifier.create(charge())
                    .assertNext(receipt -> assertThat(receipt).contains("\"charged\""))
                    .verifyComplete();
            assertThat(platform.audit().events())
                    .extracting(AuditEvent::eventType)
                    .contains("token_exchange", "gateway_resource_request");
            assertThat(platform.bearersSeen().repeated()).isZero();
        }

        @Test
        void aDecoratedClientGoesThroughTheGateway() {
            GatewayRequest request = caracal.gatewayRequest(BILLING, "/charge");
            StepVerifier.create(caracal.spawn(session -> CaracalHttp.decorate(TEST.httpClient(), caracal)
                            .headers(headers -> request.headers().forEach(headers::set))
                            .post()
                            .uri(request.url())
                            .send(ByteBufFlux.fromString(Mono.just("{\"amount\": 1200}")))
                            .responseSingle((response, body) -> body.asString())))
                    .assertNext(receipt -> assertThat(receipt).contains("\"charged\""))
                    .verifyComplete();
        }

        @Test
        void aDelegationIsAcceptedInTheReceiver() {
            Mono<String> accepted = Mono.usingWhen(
                    caracal.spawnService(
                            ServiceOptions.builder().labels("app-local").build()),
                    receiver -> caracal.spawn(source -> caracal.createDelegation(DelegationSpec.builder()
                                    .to(receiver.agentSessionId(), "app-local")
                                    .scopes("billing:charge")
                                    .resource(BILLING)
                                    .build())
                            .flatMap(offered -> receiver.bind(caracal.acceptDelegation(
                                    offered.delegationEdgeId(),
                                    Acceptance.VALIDATED,
                                    context -> Mono.just(context.agentSessionId()))))
                            .map(receiver.agentSessionId()::equals)
                            .map(String::valueOf)),
                    ServiceAgent::disposeLater);
            StepVerifier.create(accepted).expectNext("true").verifyComplete();
        }

        @Test
        void aNarrowedChildMayNotDoMore() {
            Mono<String> more = caracal.spawn(parent -> caracal.spawn(
                    SpawnOptions.builder()
                            .grant(Grant.narrow("billing:read").resource(BILLING))
                            .build(),
                    child -> caracal.mintMandate(BILLING, "billing:charge").thenReturn("minted")));
            StepVerifier.create(more).verifyError(StsException.class);
        }

        @Test
        void aHeartbeatRenewsTheLease() {
            StepVerifier.create(caracal.spawnService()
                            .flatMap(agent -> agent.heartbeat()
                                    .flatMap(lease -> agent.disposeLater().thenReturn(lease))))
                    .assertNext(lease -> assertThat(lease).isInstanceOf(Lease.class))
                    .verifyComplete();
        }

        @Test
        void aServiceThatThePlatformForgotHasLostItsLease() {
            ServiceAgent agent = caracal.spawnService().blockOptional().orElseThrow();
            platform.reset();
            StepVerifier.create(agent.heartbeat())
                    .verifyErrorSatisfies(e -> assertThat(e)
                            .isInstanceOfSatisfying(
                                    LeaseLostException.class,
                                    lost -> assertThat(lost.reason()).isEqualTo(LeaseLostException.Reason.GONE)));
            StepVerifier.create(agent.disposeLater()).verifyComplete();
        }

        @Test
        void anIncomingCallIsProven() {
            var verifier = caracal.mandateVerifier()
                    .audience(BILLING)
                    .revocations(InMemoryRevocationStore.create())
                    .build();
            StepVerifier.create(caracal.bindFromHeaders(
                            platform.mandates().session("session-7").headers(),
                            Boundary.verified(verifier),
                            caracal.current().map(CaracalContext::agentSessionId)))
                    .expectNext("session-7")
                    .verifyComplete();
            StepVerifier.create(caracal.bindFromHeaders(
                            platform.mandates().expired().headers(), Boundary.verified(verifier), Mono.just("in")))
                    .verifyError(InboundException.class);
            verifier.dispose();
        }
    }

    @Nested
    class Scripts {

        @Test
        void aDenialIsOneOfThePolicy() {
            platform.deny(BILLING, "billing:charge");
            StepVerifier.create(charge())
                    .verifyErrorSatisfies(e -> assertThat(e).isInstanceOf(StsException.class));
            assertThat(platform.audit().events())
                    .filteredOn(event -> event.decision().equals("deny"))
                    .extracting(AuditEvent::resource)
                    .containsOnly(BILLING);
            platform.deny(BILLING);
            StepVerifier.create(charge()).expectNextCount(1).verifyComplete();
        }

        @Test
        void aHeldCallGoesOnWhenItIsApproved() {
            platform.holdForApproval(BILLING, "billing:charge");
            Mono<String> approved = caracal.spawn(session -> caracal.withApproval(id -> caracal.fetch(CHARGE)
                            .doOnError(
                                    ApprovalRequiredException.class,
                                    held -> platform.decideApproval(
                                            platform.approvals().get(0).id(), true))))
                    .map(response -> Integer.toString(response.status()));
            StepVerifier.create(approved).expectNext("200").verifyComplete();
            assertThat(platform.approvals()).hasSize(1);
        }

        @Test
        void aRateLimitOfTheCoordinatorIsWaitedOut() {
            platform.faults(
                    Service.COORDINATOR, FaultRule.rateLimit(Duration.ZERO).times(1));
            StepVerifier.create(charge()).expectNextCount(1).verifyComplete();
        }

        @Test
        void aRefusalByNameIsThatOfThePlatform() {
            platform.faults(
                    Service.COORDINATOR,
                    FaultRule.always(Fault.respond(429, Map.of(), "{\"error\":\"session_zone_limit_exceeded\"}")));
            StepVerifier.create(charge())
                    .verifyErrorSatisfies(e -> assertThat(e)
                            .isInstanceOf(CoordinatorException.class)
                            .hasMessageContaining("session_zone_limit_exceeded"));
        }

        @Test
        void aLostAnswerMakesNoSecondSession() {
            platform.faults(
                    Service.COORDINATOR,
                    FaultRule.loseAnswer()
                            .on(request -> request.path().endsWith("/agents"))
                            .times(1));
            StepVerifier.create(caracal.spawn(session -> Mono.just("done")))
                    .expectNext("done")
                    .verifyComplete();
            assertThat(platform.totalOpened()).isEqualTo(1);
            assertThat(platform.received(Service.COORDINATOR)).hasSize(3);
        }

        @Test
        void aStalledServiceEndsByTheTimeoutOfTheClient() {
            platform.faults(Service.GATEWAY, FaultRule.stall());
            Caracal patient = Caracal.create(platform.config());
            FetchRequest brief = CHARGE.mutate().timeout(Duration.ofMillis(200)).build();
            StepVerifier.create(patient.spawn(session -> patient.fetch(brief))).verifyError();
            StepVerifier.create(patient.disposeLater()).verifyComplete();
        }

        @Test
        void aCutConnectionIsATransportError() {
            platform.faults(Service.GATEWAY, FaultRule.disconnect());
            StepVerifier.create(charge()).verifyError(TransportException.class);
        }

        @Test
        void anAnswerOfTheUpstreamIsToldFromTheGateways() {
            StepVerifier.create(caracal.spawn(session -> caracal.fetch(FetchRequest.of(BILLING, "/status/503"))))
                    .verifyError(GatewayException.class);
        }

        @Test
        void anUnknownResourceIsNamed() {
            assertThatThrownBy(() -> platform.deny("resource://other", "x"))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("resource://other")
                    .hasMessageContaining(BILLING);
        }
    }

    @Test
    void recordsWhatWasSentInOrder() {
        StepVerifier.create(charge()).expectNextCount(1).verifyComplete();
        List<ReceivedRequest> sent = TEST.sent();
        assertThat(sent).extracting(ReceivedRequest::service).contains(Service.COORDINATOR, Service.GATEWAY);
        assertThat(sent).isSortedAccordingTo(Comparator.comparing(ReceivedRequest::receivedAt));
        assertThat(sent.toString()).doesNotContain(platform.clientSecret());
        TEST.reset();
        assertThat(TEST.sent()).isEmpty();
    }

    /** The application under test, without a port, behind the Gateway. */
    @Test
    void theApplicationUnderTestIsTheUpstream() {
        TestCaracal own = TestCaracal.create();
        var verifier = own.caracal()
                .mandateVerifier()
                .audience(BILLING)
                .revocations(InMemoryRevocationStore.create())
                .build();
        own.platform()
                .upstream(CaracalHttpServer.boundary(
                        own.caracal(),
                        Boundary.verified(verifier),
                        (request, response) -> response.sendString(own.caracal()
                                .current()
                                .map(caller -> request.uri() + " for " + caller.applicationId()))));
        StepVerifier.create(own.caracal()
                        .spawn(session -> own.caracal().fetch(FetchRequest.of(BILLING, "/invoices")))
                        .map(response -> new String(response.body(), StandardCharsets.UTF_8)))
                .expectNext("/invoices for app-local")
                .verifyComplete();
        verifier.dispose();
        own.dispose();
    }

    @Test
    void twoPlatformsWithTheSameAddressesDoNotMeet() {
        TestCaracal other = TestCaracal.create();
        assertThat(other.platform().stsUrl()).isEqualTo(platform.stsUrl());
        StepVerifier.create(other.caracal().spawn(session -> Mono.just(platform.openSessionCount())))
                .expectNext(0)
                .verifyComplete();
        other.dispose();
    }

    @Test
    void anUpstreamOnAPortIsOutOfReachInProcess() {
        TestCaracal own = TestCaracal.create();
        own.platform().upstream(BILLING, "http://127.0.0.1:4711");
        StepVerifier.create(own.caracal().spawn(session -> own.caracal().fetch(CHARGE)))
                .verifyError(GatewayException.class);
        own.dispose();
    }
}
