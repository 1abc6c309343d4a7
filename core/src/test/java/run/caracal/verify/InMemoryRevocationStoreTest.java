package run.caracal.verify;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Mono;
import reactor.test.scheduler.VirtualTimeScheduler;

class InMemoryRevocationStoreTest {
    private static final Duration HOUR = Duration.ofHours(1);
    private static final Duration LIMIT = Duration.ofSeconds(10);

    private final VirtualTimeScheduler time = VirtualTimeScheduler.create();
    private final InMemoryRevocationStore store = new InMemoryRevocationStore(time, 3);

    private boolean isRevoked(String... anchors) {
        return Boolean.TRUE.equals(store.isRevoked(Set.of(anchors)).block(LIMIT));
    }

    @Test
    void remembersForTheTimeThatWasAsked() {
        assertThat(isRevoked("a", "b")).isFalse();
        store.revoke("b", HOUR);
        assertThat(isRevoked("a", "b")).isTrue();
        assertThat(isRevoked("a")).isFalse();
        time.advanceTimeBy(HOUR.minusNanos(1));
        assertThat(isRevoked("b")).isTrue();
        time.advanceTimeBy(Duration.ofNanos(1));
        assertThat(isRevoked("b")).isFalse();
    }

    @Test
    void remembersForAYearAtMost() {
        store.revoke("a", InMemoryRevocationStore.MAX_KEEP);
        time.advanceTimeBy(InMemoryRevocationStore.MAX_KEEP.minusNanos(1));
        assertThat(isRevoked("a")).isTrue();
    }

    @Test
    void aSecondRevocationNeverShortensTheFirst() {
        store.revoke("a", HOUR);
        store.revoke("a", Duration.ofSeconds(1));
        time.advanceTimeBy(Duration.ofMinutes(59));
        assertThat(isRevoked("a")).isTrue();
        store.revoke("a", HOUR);
        time.advanceTimeBy(Duration.ofMinutes(59));
        assertThat(isRevoked("a")).isTrue();
    }

    @Test
    void isAskedAnewByEachSubscription() {
        Mono<Boolean> question = store.isRevoked(Set.of("a"));
        assertThat(question.block(LIMIT)).isFalse();
        store.revoke("a", HOUR);
        assertThat(question.block(LIMIT)).isTrue();
    }

    /** A forgotten revocation would let a revoked session in. */
    @Test
    void whenItIsFullItSaysSoAndForgetsNothing() {
        store.revoke("short", Duration.ofSeconds(1));
        store.revoke("b", HOUR);
        store.revoke("c", HOUR);
        assertThatThrownBy(() -> store.revoke("d", HOUR))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("not in force");
        assertThat(isRevoked("short")).isTrue();
        assertThat(isRevoked("d")).isFalse();
        store.revoke("b", HOUR.multipliedBy(2));
        time.advanceTimeBy(Duration.ofSeconds(1));
        store.revoke("d", HOUR);
        assertThat(isRevoked("d")).isTrue();
        assertThat(store).hasToString("InMemoryRevocationStore[ids=3, zones=0]");
    }

    @Test
    void epochsOnlyGrow() {
        assertThat(store.delegationEpoch("zone-1").blockOptional(LIMIT)).isEmpty();
        store.setDelegationEpoch("zone-1", 0);
        assertThat(store.delegationEpoch("zone-1").block(LIMIT)).isZero();
        store.setDelegationEpoch("zone-1", 5);
        store.setDelegationEpoch("zone-1", 3);
        assertThat(store.delegationEpoch("zone-1").block(LIMIT)).isEqualTo(5);
        assertThat(store.delegationEpoch("zone-2").blockOptional(LIMIT)).isEmpty();
    }

    @Test
    void epochsAreBounded() {
        for (int i = 0; i < InMemoryRevocationStore.MAX_ZONES; i++) {
            store.setDelegationEpoch("zone-" + i, 1);
        }
        store.setDelegationEpoch("zone-0", 2);
        assertThatThrownBy(() -> store.setDelegationEpoch("another", 1)).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void badArgumentsAreNamed() {
        for (String id : List.of("", " ", "a b", "..", "a/b")) {
            assertThatThrownBy(() -> store.revoke(id, HOUR))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageStartingWith("id: ");
        }
        for (Duration time : List.of(
                Duration.ZERO, Duration.ofSeconds(-1), Duration.ofDays(367), Duration.ofSeconds(Long.MAX_VALUE))) {
            assertThatThrownBy(() -> store.revoke("a", time))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageStartingWith("keepFor ");
        }
        assertThatThrownBy(() -> store.setDelegationEpoch("z", -1)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> store.setDelegationEpoch("", 1)).isInstanceOf(IllegalArgumentException.class);
    }
}
