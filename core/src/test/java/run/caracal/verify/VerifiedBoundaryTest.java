package run.caracal.verify;

import static org.assertj.core.api.Assertions.assertThat;
import static run.caracal.verify.VerifierFixture.LIMIT;

import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Mono;
import reactor.test.StepVerifier;
import reactor.test.scheduler.VirtualTimeScheduler;
import run.caracal.Boundary;
import run.caracal.Caracal;
import run.caracal.CaracalContext;
import run.caracal.InboundRequests;
import run.caracal.error.InboundException;
import run.caracal.error.InboundException.Reason;
import run.caracal.test.FakePlatform;
import run.caracal.test.TestZone;

/** A boundary with the verifier of a zone's keys: the claims of a signed mandate identify the caller. */
class VerifiedBoundaryTest {
    private final VerifierFixture fixture = new VerifierFixture();
    private final Boundary boundary = Boundary.verified(fixture.builder().build());
    private final Caracal caracal = new FakePlatform().client();

    @AfterEach
    void close() {
        StepVerifier.create(caracal.disposeLater()).expectComplete().verify(LIMIT);
    }

    private Mono<CaracalContext> caller(String token, Boundary judged) {
        Map<String, String> headers = new HashMap<>(InboundRequests.HEADERS);
        headers.put("Authorization", "Bearer " + token);
        return caracal.bindFromHeaders(headers, judged, caracal.current());
    }

    private static void refused(Mono<?> caller, Reason reason) {
        StepVerifier.create(caller)
                .expectErrorSatisfies(error -> assertThat(error)
                        .isInstanceOfSatisfying(
                                InboundException.class,
                                refusal -> assertThat(refusal.reason()).isEqualTo(reason)))
                .verify(LIMIT);
    }

    @Test
    void aSignedMandateSaysWhoActs() {
        Map<String, @Nullable Object> claims = VerifierFixture.claims();
        CaracalContext context = Objects.requireNonNull(
                caller(fixture.zone.sign(claims), boundary).block(LIMIT));
        assertThat(context.zoneId()).isEqualTo(claims.get("zone_id"));
        assertThat(context.applicationId()).isEqualTo(claims.get("client_id"));
        assertThat(context.agentSessionId()).isEqualTo(claims.get("agent_session_id"));
        assertThat(context.delegationEdgeId()).hasValue(String.valueOf(claims.get("delegation_edge_id")));
        assertThat(context.authorityRecordId()).hasValue(String.valueOf(claims.get("sid")));
        assertThat(context.hop()).isEqualTo(1);
        assertThat(context.traceId()).isEqualTo(InboundRequests.TRACE);
        assertThat(context.baggage()).containsOnly(Map.entry("tenant", "acme"));
        assertThat(context.verifiedMandate()).isPresent();
    }

    @Test
    void whatIsNotProvenIsRefused() {
        refused(caller(new TestZone("kid-1").sign(VerifierFixture.claims()), boundary), Reason.INVALID_TOKEN);
        refused(caller("no-token-at-all", boundary.optional()), Reason.INVALID_TOKEN);
        refused(
                caller(
                        fixture.zone.sign(VerifierFixture.claims()),
                        boundary.requiring(MandateRequirements.builder()
                                .scopes("not:granted")
                                .build())),
                Reason.INSUFFICIENT_SCOPE);
    }

    /** What may have to wait bounds itself, so that nothing else has to be timed. */
    @Test
    void aRequestOfWhichAllIsKnownArmsNoTimer() {
        VirtualTimeScheduler time = fixture.time;
        VirtualTimeScheduler.set(time);
        try {
            RevocationStore slow = new RevocationStore() {
                @Override
                public Mono<Boolean> isRevoked(Set<String> anchors) {
                    return Mono.just(false).hide();
                }

                @Override
                public Mono<Long> delegationEpoch(String zoneId) {
                    return Mono.<Long>empty().hide();
                }
            };
            Boundary cached = Boundary.verified(fixture.builder()
                    .revocations(new CachedRevocationStore(slow, Duration.ofMinutes(1), time))
                    .build());
            Mono<CaracalContext> caller = caller(fixture.zone.sign(VerifierFixture.claims()), cached);
            StepVerifier.create(caller)
                    .then(() -> time.advanceTimeBy(Duration.ofMillis(1)))
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(LIMIT);
            long before = time.getScheduledTaskCount();
            StepVerifier.create(caller).expectNextCount(1).expectComplete().verify(LIMIT);
            assertThat(time.getScheduledTaskCount()).isEqualTo(before).isPositive();
        } finally {
            VirtualTimeScheduler.reset();
        }
    }

    @Test
    void withoutKeysNothingIsDecided() {
        fixture.zone.script(keys -> Mono.error(new IllegalStateException("the STS is away")));
        refused(caller(fixture.zone.sign(VerifierFixture.claims()), boundary), Reason.VERIFIER_UNAVAILABLE);
    }
}
