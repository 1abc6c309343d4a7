package run.caracal.redis;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lettuce.core.AclSetuserArgs;
import io.lettuce.core.RedisCommandExecutionException;
import io.lettuce.core.RedisException;
import io.lettuce.core.api.sync.RedisCommands;
import io.lettuce.core.protocol.CommandType;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.test.StepVerifier;
import run.caracal.netty.Await;

class RedisRevocationStoreTest {
    private static final Duration HOUR = Duration.ofHours(1);
    private static final String FORTY = "1234567890123456789012345678901234567890";
    private static final String EPOCH = "caracal:revoked:sessions:delegation-epoch:zone-1";

    private final TestRedis server = TestRedis.any();
    private final RedisCommands<String, String> redis = server.commands();
    private final RedisRevocationStore store =
            RedisRevocationStore.create(server.connect().reactive());

    @AfterEach
    void close() {
        server.close();
    }

    private boolean isRevoked(String... anchors) {
        return Boolean.TRUE.equals(store.isRevoked(Set.of(anchors)).block(Await.BOUND));
    }

    private void raise(String epoch) {
        Await.done(store.raiseDelegationEpoch("zone-1", epoch, HOUR));
    }

    @Test
    void writesTheKeysOfThePlatformsPackages() {
        Await.done(store.revoke(List.of("a", "b"), HOUR));
        raise("7");
        assertThat(redis.keys("*"))
                .containsExactlyInAnyOrder("caracal:revoked:sessions:a", "caracal:revoked:sessions:b", EPOCH);
        assertThat(redis.get("caracal:revoked:sessions:a")).isEqualTo("1");
        assertThat(redis.get(EPOCH)).isEqualTo("7");
        assertThat(redis.pttl("caracal:revoked:sessions:a")).isBetween(HOUR.toMillis() - 60_000, HOUR.toMillis());
        assertThat(redis.pttl(EPOCH)).isBetween(HOUR.toMillis() - 60_000, HOUR.toMillis());
    }

    @Test
    void anyRevokedAnchorCounts() {
        redis.set("caracal:revoked:sessions:b", "1");
        assertThat(isRevoked("a", "b", "c", "d")).isTrue();
        assertThat(isRevoked("a", "c", "d")).isFalse();
        assertThat(isRevoked()).isFalse();
    }

    @Test
    void allAnchorsAreAskedForInOneRoundTrip() {
        redis.configResetstat();
        assertThat(isRevoked("a", "b", "c", "d")).isFalse();
        assertThat(redis.info("commandstats"))
                .contains("cmdstat_exists:calls=1,")
                .doesNotContain("cmdstat_get:", "cmdstat_mget:");
    }

    @Test
    void isAskedAnewByEachSubscription() {
        Mono<Boolean> question = store.isRevoked(Set.of("a"));
        assertThat(question.block(Await.BOUND)).isFalse();
        redis.set("caracal:revoked:sessions:a", "1");
        assertThat(question.block(Await.BOUND)).isTrue();
    }

    @Test
    void aKeyOfTheWrongTypeLetsNobodyIn() {
        redis.hset("caracal:revoked:sessions:a", "field", "value");
        assertThat(isRevoked("a")).isTrue();
        redis.hset(EPOCH, "field", "value");
        StepVerifier.create(store.delegationEpoch("zone-1"))
                .expectErrorSatisfies(e -> assertThat(e)
                        .isInstanceOf(RedisCommandExecutionException.class)
                        .hasMessageStartingWith("WRONGTYPE"))
                .verify(Await.BOUND);
        StepVerifier.create(store.raiseDelegationEpoch("zone-1", "1", HOUR))
                .expectError(RedisCommandExecutionException.class)
                .verify(Await.BOUND);
    }

    @Nested
    class Epochs {
        @Test
        void areEmptyUntilTheyAreWritten() {
            StepVerifier.create(store.delegationEpoch("zone-1"))
                    .expectComplete()
                    .verify(Await.BOUND);
        }

        @Test
        void neverFallWhateverTheirLength() {
            for (String epoch : List.of("9", "10", "2", "9007199254740993", "9007199254740992", FORTY, "5", "00012")) {
                raise(epoch);
            }
            assertThat(redis.get(EPOCH)).isEqualTo(FORTY);
            assertThat(store.delegationEpoch("zone-1").block(Await.BOUND)).isEqualTo(Long.MAX_VALUE);
            raise(FORTY.replace('0', '1'));
            assertThat(redis.get(EPOCH)).isEqualTo(FORTY.replace('0', '1'));
        }

        @Test
        void areExactBeyondTheNumbersOfLua() {
            raise("9007199254740992");
            raise("9007199254740993");
            assertThat(store.delegationEpoch("zone-1").block(Await.BOUND)).isEqualTo(9007199254740993L);
        }

        @Test
        void areRaisedAtomically() {
            Await.done(Flux.range(1, 500)
                    .flatMap(i -> store.raiseDelegationEpoch("zone-1", Integer.toString((i * 7) % 501), HOUR), 64));
            assertThat(redis.get(EPOCH)).isEqualTo("500");
        }

        @Test
        void thatAreNoNumberAreAnErrorAndCanBeRaised() {
            redis.set(EPOCH, "many");
            StepVerifier.create(store.delegationEpoch("zone-1"))
                    .expectErrorSatisfies(e -> assertThat(e)
                            .isInstanceOf(IllegalStateException.class)
                            .hasMessageContaining(EPOCH))
                    .verify(Await.BOUND);
            raise("3");
            assertThat(store.delegationEpoch("zone-1").block(Await.BOUND)).isEqualTo(3);
        }
    }

    @Test
    void badArgumentsAreNamed() {
        assertThatThrownBy(() -> store.revoke(List.of(""), HOUR)).hasMessageStartingWith("anchors");
        assertThatThrownBy(() -> store.revoke(List.of("a"), Duration.ofNanos(1)))
                .hasMessageStartingWith("keepFor");
        assertThatThrownBy(() -> store.raiseDelegationEpoch("", "1", HOUR)).hasMessageStartingWith("zoneId");
        for (String epoch : List.of("", "-1", "1.0", " 1", "١")) {
            assertThatThrownBy(() -> store.raiseDelegationEpoch("z", epoch, HOUR))
                    .hasMessageStartingWith("epoch");
        }
        assertThat(store).hasToString("RedisRevocationStore[caracal:revoked:sessions:*]");
    }

    @Nested
    class WhenRedisFails {
        private TestRedis own;
        private RedisRevocationStore failing;

        @BeforeEach
        void open() {
            own = TestRedis.own();
            failing = RedisRevocationStore.create(own.connect().reactive());
        }

        @AfterEach
        void close() {
            own.close();
        }

        @Test
        void aLookupEndsAfterTwoSecondsWhenItIsPaused() {
            own.commands().clientPause(4000);
            StepVerifier.create(failing.isRevoked(Set.of("a")))
                    .expectErrorSatisfies(e -> assertThat(e).isInstanceOf(TimeoutException.class))
                    .verify(Duration.ofSeconds(3));
        }

        @Test
        void aLookupFailsWhileItIsAwayAndSucceedsAfterwards() {
            own.stop();
            StepVerifier.create(failing.isRevoked(Set.of("a"))).expectError().verify(Duration.ofSeconds(3));
            own.start();
            Await.until(
                    "the connection is back",
                    () -> failing.isRevoked(Set.of("a"))
                            .onErrorComplete()
                            .blockOptional(Await.BOUND)
                            .isPresent());
        }

        @Test
        void aLookupFailsWithoutPermission() {
            own.commands()
                    .aclSetuser(
                            "nobody",
                            AclSetuserArgs.Builder.on()
                                    .addPassword("secret")
                                    .allKeys()
                                    .addCommand(CommandType.PING));
            StepVerifier.create(RedisRevocationStore.create(
                                    own.connect("nobody", "secret").reactive())
                            .isRevoked(Set.of("a")))
                    .expectErrorSatisfies(e ->
                            assertThat(e).isInstanceOf(RedisException.class).hasMessageStartingWith("NOPERM"))
                    .verify(Await.BOUND);
        }
    }
}
