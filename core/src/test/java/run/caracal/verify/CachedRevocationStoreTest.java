package run.caracal.verify;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;
import reactor.test.StepVerifier;
import reactor.test.publisher.TestPublisher;
import reactor.test.scheduler.VirtualTimeScheduler;
import run.caracal.error.CallbackException;

class CachedRevocationStoreTest {
    private static final Duration KEEP = Duration.ofSeconds(1);
    private static final Duration LIMIT = Duration.ofSeconds(10);

    private final VirtualTimeScheduler time = VirtualTimeScheduler.create();
    private final List<Object> asked = new ArrayList<>();
    private Mono<Boolean> revoked = Mono.just(false);
    private Mono<Long> epoch = Mono.empty();

    private final RevocationStore store = new CachedRevocationStore(
            new RevocationStore() {
                @Override
                public Mono<Boolean> isRevoked(Set<String> anchors) {
                    asked.add(anchors);
                    return revoked;
                }

                @Override
                public Mono<Long> delegationEpoch(String zoneId) {
                    asked.add(zoneId);
                    return epoch;
                }
            },
            KEEP,
            time);

    private boolean isRevoked(String... anchors) {
        return Boolean.TRUE.equals(store.isRevoked(Set.of(anchors)).block(LIMIT));
    }

    @Test
    void thatNothingIsRevokedIsRememberedForAMoment() {
        assertThat(isRevoked("a", "b")).isFalse();
        revoked = Mono.just(true);
        time.advanceTimeBy(KEEP.minusNanos(1));
        assertThat(isRevoked("b", "a")).isFalse();
        assertThat(asked).containsExactly(Set.of("a", "b"));
        time.advanceTimeBy(Duration.ofNanos(1));
        assertThat(isRevoked("a", "b")).isTrue();
    }

    @Test
    void aRevocationIsRememberedForAsLongAsAMandateLives() {
        revoked = Mono.just(true);
        assertThat(isRevoked("a")).isTrue();
        revoked = Mono.just(false);
        time.advanceTimeBy(CachedRevocationStore.KEEP_REVOKED.minusNanos(1));
        assertThat(isRevoked("a")).isTrue();
        time.advanceTimeBy(Duration.ofNanos(1));
        assertThat(isRevoked("a")).isFalse();
    }

    @Test
    void eachSetOfAnchorsHasItsAnswer() {
        assertThat(isRevoked("a")).isFalse();
        revoked = Mono.just(true);
        assertThat(isRevoked("b")).isTrue();
        assertThat(isRevoked("a", "b")).isTrue();
        assertThat(isRevoked("a")).isFalse();
    }

    @Test
    void epochsAreRememberedAndSoIsThatThereIsNone() {
        assertThat(store.delegationEpoch("z").blockOptional(LIMIT)).isEmpty();
        epoch = Mono.just(7L);
        assertThat(store.delegationEpoch("z").blockOptional(LIMIT)).isEmpty();
        time.advanceTimeBy(KEEP);
        assertThat(store.delegationEpoch("z").block(LIMIT)).isEqualTo(7);
        epoch = Mono.just(8L);
        assertThat(store.delegationEpoch("z").block(LIMIT)).isEqualTo(7);
        assertThat(store.delegationEpoch("y").block(LIMIT)).isEqualTo(8);
    }

    @Test
    void errorsReachTheirCallersAndAreForgotten() {
        revoked = Mono.error(new IllegalStateException("away"));
        StepVerifier.create(store.isRevoked(Set.of("a"))).verifyErrorMessage("away");
        revoked = Mono.error(new IllegalStateException("still away"));
        StepVerifier.create(store.isRevoked(Set.of("a"))).verifyErrorMessage("still away");
        revoked = Mono.just(true);
        assertThat(isRevoked("a")).isTrue();
    }

    @Test
    void thoseWhoAskTogetherShareALookupInTheContextOfNone() {
        Sinks.One<Boolean> answer = Sinks.one();
        revoked = Mono.deferContextual(context -> {
            assertThat(context.isEmpty()).isTrue();
            return answer.asMono();
        });
        StepVerifier first = StepVerifier.create(
                        store.isRevoked(Set.of("a")).contextWrite(context -> context.put("caller", 1)))
                .thenCancel()
                .verifyLater();
        StepVerifier second = StepVerifier.create(store.isRevoked(Set.of("a")))
                .expectNext(true)
                .expectComplete()
                .verifyLater();
        first.verify(LIMIT);
        answer.tryEmitValue(true).orThrow();
        second.verify(LIMIT);
        assertThat(asked).hasSize(1);
    }

    @Test
    void aLookupThatEverybodyHasLeftIsEnded() {
        Sinks.One<Boolean> never = Sinks.one();
        revoked = never.asMono();
        StepVerifier.create(store.isRevoked(Set.of("a"))).thenCancel().verify(LIMIT);
        assertThat(never.currentSubscriberCount()).isZero();
        revoked = Mono.just(true);
        assertThat(isRevoked("a")).isTrue();
    }

    /** A steady stream of callers must not keep a hung lookup alive. */
    @Test
    void aLookupThatHangsFailsAndIsBegunAnew() {
        Sinks.One<Boolean> never = Sinks.one();
        revoked = never.asMono();
        StepVerifier first = StepVerifier.create(store.isRevoked(Set.of("a")))
                .expectErrorSatisfies(e ->
                        assertThat(e).isInstanceOf(CallbackException.class).hasMessageContaining("revocation store"))
                .verifyLater();
        time.advanceTimeBy(JwksMandateVerifier.STORE_TIMEOUT.minusNanos(1));
        StepVerifier second = StepVerifier.create(store.isRevoked(Set.of("a")))
                .expectError(CallbackException.class)
                .verifyLater();
        time.advanceTimeBy(Duration.ofNanos(1));
        first.verify(LIMIT);
        second.verify(LIMIT);
        assertThat(never.currentSubscriberCount()).isZero();
        revoked = Mono.just(true);
        assertThat(isRevoked("a")).isTrue();
    }

    @Test
    void aFailureBehindTheLastCallerIsNotDropped() {
        TestPublisher<Boolean> answer = TestPublisher.createNoncompliant(TestPublisher.Violation.DEFER_CANCELLATION);
        revoked = answer.mono();
        StepVerifier.create(store.isRevoked(Set.of("a"))).thenCancel().verify(LIMIT);
        answer.error(new IllegalStateException("late"));
        revoked = Mono.just(true);
        assertThat(isRevoked("a")).isTrue();
    }

    @Test
    void aStoreThatReturnsNullIsNamed() {
        revoked = nothing();
        StepVerifier.create(store.isRevoked(Set.of("a")))
                .expectErrorSatisfies(e -> assertThat(e).hasMessageContaining("revocation store"))
                .verify(LIMIT);
    }

    @SuppressWarnings({"NullAway", "TypeParameterUnusedInFormals"})
    private static <T> T nothing() {
        return null;
    }

    @Test
    void theAnswerThatWasNotUsedForLongestMakesRoom() {
        for (int i = 0; i < CachedRevocationStore.MAX_ANSWERS; i++) {
            assertThat(isRevoked("a" + i)).isFalse();
        }
        assertThat(isRevoked("a0")).isFalse();
        assertThat(isRevoked("one more")).isFalse();
        asked.clear();
        assertThat(isRevoked("a0")).isFalse();
        assertThat(asked).isEmpty();
        assertThat(isRevoked("a1")).isFalse();
        assertThat(asked).containsExactly(Set.of("a1"));
    }

    @Test
    void theTimeIsBounded() {
        for (Duration bad : List.of(Duration.ZERO, Duration.ofNanos(1), Duration.ofMillis(5001))) {
            assertThatThrownBy(() -> RevocationStore.cached(store, bad))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageStartingWith("keepFor ");
        }
        assertThat(RevocationStore.cached(InMemoryRevocationStore.create())
                        .isRevoked(Set.of("a"))
                        .block(LIMIT))
                .isFalse();
    }
}
