package run.caracal.platform;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import reactor.test.StepVerifier;
import run.caracal.error.InboundException;
import run.caracal.error.InboundException.Reason;
import run.caracal.platform.TestMandates.Hop;
import run.caracal.verify.InMemoryRevocationStore;
import run.caracal.verify.JwksMandateVerifier;
import run.caracal.verify.MandateRequirements;

/** The verification of mandates for an application under test. */
final class TestMandatesTest {

    private static final TestCaracal TEST = TestCaracal.create();
    private static final InMemoryRevocationStore REVOKED = InMemoryRevocationStore.create();
    private static final JwksMandateVerifier VERIFIER = TEST.caracal()
            .mandateVerifier()
            .audience("resource://billing-api")
            .revocations(REVOKED)
            .build();

    private final TestMandates mandates = TEST.platform().mandates();

    @AfterAll
    static void close() {
        VERIFIER.dispose();
        TEST.dispose();
    }

    @Test
    void saysWhatItWasAskedToSay() {
        String bearer = mandates.scopes("billing:charge", "billing:read")
                .application("app-peer")
                .user("alice")
                .chain(new Hop("app-root", "s-1"), new Hop("app-mid", "s-2"), new Hop("app-peer", "s-3"))
                .mint();
        StepVerifier.create(VERIFIER.verify(
                        bearer,
                        MandateRequirements.builder().applications("app-root").build()))
                .assertNext(proven -> {
                    assertThat(proven.scopes()).containsExactlyInAnyOrder("billing:charge", "billing:read");
                    assertThat(proven.applicationId()).isEqualTo("app-peer");
                    assertThat(proven.agentSessionId()).contains("s-3");
                    assertThat(proven.delegationEdgeId()).contains("delegation-2");
                    assertThat(proven.hopCount()).isEqualTo(2);
                    assertThat(proven.delegationChain()).hasSize(3);
                })
                .verifyComplete();
    }

    private enum Bad {
        EXPIRED(Reason.INVALID_TOKEN),
        TAMPERED(Reason.INVALID_TOKEN),
        FORGED(Reason.INVALID_TOKEN),
        OTHER_RESOURCE(Reason.INVALID_TOKEN),
        OTHER_ZONE(Reason.INVALID_ZONE),
        ODD_CLAIM(Reason.INVALID_TOKEN);

        private final Reason reason;

        Bad(Reason reason) {
            this.reason = reason;
        }

        private TestMandates of(TestMandates mandates) {
            return switch (this) {
                case EXPIRED -> mandates.expired();
                case TAMPERED -> mandates.tampered();
                case FORGED -> mandates.forged();
                case OTHER_RESOURCE -> mandates.resource("resource://other");
                case OTHER_ZONE -> mandates.zone("zone-other");
                case ODD_CLAIM -> mandates.claim("hop_count", "two");
            };
        }
    }

    @ParameterizedTest
    @EnumSource
    void aBadOneIsRefused(Bad bad) {
        StepVerifier.create(VERIFIER.verify(bad.of(mandates).mint(), MandateRequirements.defaults()))
                .verifyErrorSatisfies(e -> assertThat(e)
                        .isInstanceOfSatisfying(
                                InboundException.class,
                                refused -> assertThat(refused.reason()).isEqualTo(bad.reason)));
    }

    @Test
    void aChainNeedsTwoStations() {
        assertThatThrownBy(() -> mandates.chain(new Hop("app", "s"))).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void eachOfThePlatformsStartsAnew() {
        assertThat(mandates.expired()).isNotSameAs(TEST.platform().mandates());
        StepVerifier.create(VERIFIER.verify(TEST.platform().mandates().mint(), MandateRequirements.defaults()))
                .expectNextCount(1)
                .verifyComplete();
    }
}
