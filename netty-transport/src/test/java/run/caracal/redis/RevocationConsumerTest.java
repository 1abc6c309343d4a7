package run.caracal.redis;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lettuce.core.AclSetuserArgs;
import io.lettuce.core.Consumer;
import io.lettuce.core.Range;
import io.lettuce.core.StreamMessage;
import io.lettuce.core.XAddArgs;
import io.lettuce.core.XGroupCreateArgs;
import io.lettuce.core.XReadArgs.StreamOffset;
import io.lettuce.core.api.sync.RedisCommands;
import io.lettuce.core.protocol.CommandType;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;
import reactor.test.StepVerifier;
import run.caracal.error.ConfigurationException;
import run.caracal.error.InboundException;
import run.caracal.netty.Await;
import run.caracal.test.Effort;
import run.caracal.verify.InMemoryRevocationStore;
import run.caracal.verify.RevocationStore;

@SuppressWarnings("CheckReturnValue") // tests use few of the ids and consumers that they create
class RevocationConsumerTest {
    private static final String KEY = "0123456789abcdef0123456789abcdef";
    private static final String SESSIONS = "caracal.sessions.revoke";
    private static final String DELEGATIONS = "caracal.delegations.invalidate";
    private static final String GROUP = "resource-revocation";
    private static final String PREFIX = "caracal:revoked:sessions:";
    private static final String EPOCH = PREFIX + "delegation-epoch:zone-1";
    private static final String FORTY = "1234567890123456789012345678901234567890";

    private final TestRedis server = TestRedis.own();
    private final RedisCommands<String, String> redis = server.commands();
    private final RedisRevocationStore store =
            RedisRevocationStore.create(server.connect().reactive());
    private final List<RevocationConsumer> consumers = new ArrayList<>();

    @AfterEach
    void close() {
        consumers.forEach(consumer -> Await.done(consumer.disposeLater()));
        server.close();
    }

    private RevocationConsumer start(RevocationConsumer.Builder builder) {
        RevocationConsumer consumer = builder.pollInterval(Duration.ofMillis(20))
                .commandTimeout(Duration.ofMillis(500))
                .start();
        consumers.add(consumer);
        return consumer;
    }

    private RevocationConsumer start() {
        return start(RevocationConsumer.sharing(store, "one").hmacKey(KEY));
    }

    private static Map<String, String> signed(String stream, String... fields) {
        Map<String, String> entry = new HashMap<>();
        for (int i = 0; i < fields.length; i += 2) {
            entry.put(fields[i], fields[i + 1]);
        }
        entry.put("_sig", StreamSignature.of(KEY).sign(stream, entry));
        return entry;
    }

    private String revoke(String anchor) {
        return redis.xadd(SESSIONS, signed(SESSIONS, "zone_id", "zone-1", "session_id", anchor));
    }

    private String epoch(String epoch) {
        return redis.xadd(
                DELEGATIONS, signed(DELEGATIONS, "event", "edge_revoke", "zone_id", "zone-1", "epoch", epoch));
    }

    private long pending(String stream, String group) {
        return redis.xpending(stream, group).getCount();
    }

    private void awaitKey(String anchor) {
        Await.until(anchor + " is revoked", () -> redis.exists(PREFIX + anchor) == 1);
    }

    private static void awaitConnected(RevocationConsumer consumer, boolean connected) {
        Await.until("connected: " + connected, () -> consumer.status().connected() == connected);
    }

    @Test
    void writesTheKeysOfEachAnchorAndThenAcknowledges() {
        RevocationConsumer consumer = start();
        redis.xadd(
                SESSIONS,
                signed(
                        SESSIONS,
                        "zone_id",
                        "zone-1",
                        "session_id",
                        "a",
                        "sid",
                        "b",
                        "root_sid",
                        "c",
                        "agent_session_id",
                        "d",
                        "delegation_edge_id",
                        "e",
                        "reason",
                        "why"));
        epoch(FORTY);

        Await.until("both had their effect", () -> consumer.status().handled() == 2);
        assertThat(redis.keys(PREFIX + "*"))
                .containsExactlyInAnyOrder(PREFIX + "a", PREFIX + "b", PREFIX + "c", PREFIX + "d", PREFIX + "e", EPOCH);
        assertThat(redis.pttl(PREFIX + "a")).isGreaterThan(Duration.ofHours(23).toMillis());
        assertThat(redis.get(EPOCH)).isEqualTo(FORTY);
        assertThat(pending(SESSIONS, GROUP)).isZero();
        assertThat(pending(DELEGATIONS, "resource-delegation-invalidation")).isZero();
        assertThat(consumer.status().lastEntry()).isNotNull();
        assertThat(consumer.status().lag()).isBetween(Duration.ZERO, Await.BOUND);
    }

    @Test
    void goesOnWhenTheApplicationReplacesTheSharedSchedulers() {
        RevocationConsumer consumer = start();
        revoke("before");
        awaitKey("before");
        Schedulers.setFactory(new Schedulers.Factory() {});
        try {
            revoke("after");
            awaitKey("after");
            assertThat(store.isRevoked(Set.of("after")).block(Await.BOUND)).isTrue();
            Await.done(consumer.disposeLater());
        } finally {
            Schedulers.resetFactory();
        }
    }

    @Test
    void joinsAGroupThatIsThereAndReadsWhatWasAddedBefore() {
        redis.xgroupCreate(StreamOffset.from(SESSIONS, "0"), GROUP, XGroupCreateArgs.Builder.mkstream());
        for (int i = 0; i < 3 * EntrySource.BATCH + 1; i++) {
            revoke("s" + i);
        }
        start();
        awaitKey("s" + 3 * EntrySource.BATCH);
        assertThat(redis.exists(PREFIX + "s0", PREFIX + "s50", PREFIX + "s149")).isEqualTo(3);
    }

    @Nested
    class DeadLetters {
        private final List<String> reasons = new ArrayList<>();

        private List<StreamMessage<String, String>> await(String stream, int count) {
            Await.until(count + " dead letters", () -> redis.xlen(stream + ".dead") == count);
            Await.until(
                    "acknowledged",
                    () -> redis.xpending(stream, stream.equals(SESSIONS) ? GROUP : "resource-delegation-invalidation")
                                    .getCount()
                            == 0);
            List<StreamMessage<String, String>> letters = redis.xrange(stream + ".dead", Range.unbounded());
            letters.forEach(letter -> reasons.add(letter.getBody().get("reason")));
            return letters;
        }

        @Test
        void forgedAndTruncatedEntriesHaveNoEffect() {
            RevocationConsumer consumer = start();
            String unsigned = redis.xadd(SESSIONS, Map.of("session_id", "a", "reason", "\"ü\""));
            Map<String, String> other = signed(SESSIONS, "session_id", "b");
            other.put("session_id", "c");
            redis.xadd(SESSIONS, other);
            Map<String, String> truncated = signed(SESSIONS, "session_id", "d", "zone_id", "z");
            truncated.remove("zone_id");
            redis.xadd(SESSIONS, truncated);
            redis.xadd(SESSIONS, signed(DELEGATIONS, "session_id", "e"));

            List<StreamMessage<String, String>> letters = await(SESSIONS, 4);
            assertThat(reasons).containsOnly("invalid_signature");
            assertThat(letters.get(0).getBody())
                    .containsEntry("source_id", unsigned)
                    .containsEntry("payload", "{\"reason\":\"\\\"ü\\\"\",\"session_id\":\"a\"}");
            assertThat(redis.keys(PREFIX + "*")).isEmpty();
            assertThat(consumer.status().dead()).isEqualTo(4);
            assertThat(consumer.status().handled()).isZero();
        }

        @Test
        void signedEntriesWithoutMeaningHaveNoEffect() {
            start();
            redis.xadd(SESSIONS, signed(SESSIONS, "zone_id", "z", "session_id", ""));
            await(SESSIONS, 1);
            for (String epoch : List.of("", "-1", "1e3", "0x10", "٣")) {
                epoch(epoch);
            }
            redis.xadd(DELEGATIONS, signed(DELEGATIONS, "epoch", "1"));
            await(DELEGATIONS, 6);
            assertThat(reasons)
                    .containsExactly(
                            "missing_revocation_anchor",
                            "invalid_delegation_epoch",
                            "invalid_delegation_epoch",
                            "invalid_delegation_epoch",
                            "invalid_delegation_epoch",
                            "invalid_delegation_epoch",
                            "invalid_delegation_epoch");
        }

        @Test
        void anEnormousEntryIsCheckedWholeAndKeptInPart() {
            start();
            redis.xadd(SESSIONS, signed(SESSIONS, "session_id", "a", "reason", "x".repeat(2_000_000)));
            redis.xadd(SESSIONS, Map.of("session_id", "b", "reason", "x".repeat(2_000_000)));
            awaitKey("a");
            assertThat(await(SESSIONS, 1).get(0).getBody().get("payload")).hasSizeLessThan(20_000);
            assertThat(redis.exists(PREFIX + "b")).isZero();
        }

        @Test
        void anEntryStaysWhileItsDeadLetterCannotBeWritten() {
            redis.set(SESSIONS + ".dead", "no stream");
            RevocationConsumer consumer = start();
            awaitConnected(consumer, true);
            redis.xadd(SESSIONS, Map.of("session_id", "a"));
            revoke("b");
            awaitKey("b");
            awaitConnected(consumer, false);
            assertThat(pending(SESSIONS, GROUP)).isEqualTo(1);
            redis.del(SESSIONS + ".dead");
            await(SESSIONS, 1);
            awaitConnected(consumer, true);
        }
    }

    @Test
    void anEntryStaysWhileItsKeyCannotBeWritten() {
        redis.hset(EPOCH, "field", "value");
        RevocationConsumer consumer = start();
        awaitConnected(consumer, true);
        epoch("5");
        awaitConnected(consumer, false);
        assertThat(pending(DELEGATIONS, "resource-delegation-invalidation")).isEqualTo(1);
        assertThat(redis.exists(DELEGATIONS + ".dead")).isZero();
        redis.del(EPOCH);
        Await.until("it is written", () -> "5".equals(redis.get(EPOCH)));
        Await.until("it is acknowledged", () -> pending(DELEGATIONS, "resource-delegation-invalidation") == 0);
    }

    @Nested
    class EntriesThatWereGivenToAConsumer {
        @SuppressWarnings("unchecked") // the array of one stream that the varargs make
        private void give(String consumer) {
            redis.xgroupCreate(StreamOffset.from(SESSIONS, "0"), GROUP, XGroupCreateArgs.Builder.mkstream());
            revoke("a");
            revoke("b");
            assertThat(redis.xreadgroup(Consumer.from(GROUP, consumer), StreamOffset.lastConsumed(SESSIONS)))
                    .hasSize(2);
        }

        @Test
        void areReadAtOnceByTheSameConsumer() {
            give("one");
            start();
            awaitKey("b");
            Await.until("acknowledged", () -> pending(SESSIONS, GROUP) == 0);
        }

        @Test
        void areTakenOverWhenTheyWereLeft() {
            give("gone");
            start(RevocationConsumer.sharing(store, "one").hmacKey(KEY).takeOverAfter(Duration.ofMillis(1)));
            awaitKey("b");
            Await.until("acknowledged", () -> pending(SESSIONS, GROUP) == 0);
        }

        @Test
        void areLeftWithOneThatMayBeAtWork() {
            give("busy");
            RevocationConsumer consumer = start();
            revoke("c");
            awaitKey("c");
            assertThat(redis.exists(PREFIX + "a", PREFIX + "b")).isZero();
            assertThat(consumer.status().pending()).isEqualTo(2);
        }

        @Test
        void areDoneWhenTheStreamWasTrimmedMeanwhile() {
            give("one");
            redis.xtrim(SESSIONS, 0);
            RevocationConsumer consumer = start();
            Await.until("both are done", () -> consumer.status().dead() == 2);
            assertThat(pending(SESSIONS, GROUP)).isZero();
            revoke("c");
            awaitKey("c");
        }
    }

    @Test
    void severalConsumersAndTwoOfOneNameShareTheEntries() {
        RevocationConsumer one = start();
        RevocationConsumer twin = start();
        RevocationConsumer two = start(RevocationConsumer.sharing(store, "two").hmacKey(KEY));
        for (int i = 0; i < 300; i++) {
            revoke("s" + i);
        }
        Await.until("all are revoked", () -> redis.keys(PREFIX + "*").size() == 300);
        Await.until("all are acknowledged", () -> pending(SESSIONS, GROUP) == 0);
        assertThat(one.status().handled()
                        + twin.status().handled()
                        + two.status().handled())
                .isGreaterThanOrEqualTo(300);
    }

    /** Entry ids follow the clock of Redis, which may differ from that of this machine. */
    @Nested
    class WhenClocksDiffer {
        private static final Duration OFF = Duration.ofHours(48);

        private void revokeAt(long millis, String anchor) {
            redis.xadd(
                    SESSIONS,
                    new XAddArgs().id(millis + "-1"),
                    signed(SESSIONS, "zone_id", "zone-1", "session_id", anchor));
        }

        @Test
        void aRevocationOfTheFutureTakesEffectAndIsNotLate() {
            RevocationConsumer consumer = start();
            revokeAt(System.currentTimeMillis() + OFF.toMillis(), "a");
            awaitKey("a");
            Await.until("it is handled", () -> consumer.status().handled() == 1);
            assertThat(consumer.status().lag()).isZero();
            assertThat(redis.pttl(PREFIX + "a"))
                    .as("the time to live is that of Redis")
                    .isGreaterThan(Duration.ofHours(23).toMillis());
        }

        @Test
        void aRevocationOfThePastTakesEffectForItsWholeTime() {
            RevocationConsumer consumer = start();
            revokeAt(System.currentTimeMillis() - OFF.toMillis(), "a");
            awaitKey("a");
            Await.until("it is handled", () -> consumer.status().handled() == 1);
            assertThat(consumer.status().lag()).isGreaterThan(OFF.minusMinutes(1));
            assertThat(redis.pttl(PREFIX + "a"))
                    .isGreaterThan(Duration.ofHours(23).toMillis());
        }

        @Test
        void memoryCatchesUpByTheClockOfTheStream() {
            long now = System.currentTimeMillis() - OFF.toMillis();
            revokeAt(now - RevocationConsumer.KEEP_IN_MEMORY.toMillis() - 60_000, "old");
            revokeAt(now - 60_000, "young");
            revokeAt(now, "newest");
            InMemoryRevocationStore memory = InMemoryRevocationStore.create();
            RevocationConsumer consumer =
                    start(RevocationConsumer.feeding(memory, server.connect().reactive())
                            .hmacKey(KEY));
            Await.until("they are handled", () -> consumer.status().handled() == 2);
            assertThat(memory.isRevoked(Set.of("young")).block(Await.BOUND)).isTrue();
            assertThat(memory.isRevoked(Set.of("newest")).block(Await.BOUND)).isTrue();
            assertThat(memory.isRevoked(Set.of("old")).block(Await.BOUND)).isFalse();
        }
    }

    @Nested
    class WhenRedisFails {
        @Test
        void groupsAreMadeAgainInARedisThatComesBackEmpty() {
            RevocationConsumer consumer = start();
            awaitConnected(consumer, true);
            server.stop();
            awaitConnected(consumer, false);
            server.start();
            revoke("a");
            awaitKey("a");
            awaitConnected(consumer, true);
            redis.flushall();
            revoke("b");
            awaitKey("b");
        }

        @Test
        @Tag("soak")
        void aPauseLosesNothing() {
            RevocationConsumer consumer = start();
            awaitConnected(consumer, true);
            revoke("a");
            redis.clientPause(Effort.of(1_500, 10_000));
            awaitConnected(consumer, false);
            awaitConnected(consumer, true);
            revoke("b");
            awaitKey("a");
            awaitKey("b");
        }

        @Test
        void aReplicaIsWrittenWhenItIsPromoted() {
            RevocationConsumer consumer = start();
            awaitConnected(consumer, true);
            redis.replicaof("127.0.0.1", TestRedis.freePort());
            awaitConnected(consumer, false);
            redis.replicaofNoOne();
            revoke("a");
            awaitKey("a");
        }

        @Test
        void aUserGetsOnWithItsPermissions() {
            AclSetuserArgs few =
                    AclSetuserArgs.Builder.on().addPassword("secret").allKeys().addCommand(CommandType.PING);
            redis.aclSetuser("server", few);
            RedisRevocationStore own = RedisRevocationStore.create(
                    server.connect("server", "secret").reactive());
            RevocationConsumer consumer =
                    start(RevocationConsumer.sharing(own, "one").hmacKey(KEY));
            StepVerifier.create(consumer.changes())
                    .assertNext(status -> assertThat(status.connected()).isFalse())
                    .then(() -> redis.aclSetuser("server", leastPrivilege()))
                    .assertNext(status -> assertThat(status.connected()).isTrue())
                    .thenCancel()
                    .verify(Await.BOUND);
            revoke("a");
            epoch("1");
            redis.xadd(SESSIONS, Map.of("session_id", "b"));
            Await.until(
                    "all are dealt with",
                    () -> consumer.status().handled() + consumer.status().dead() == 3);
            assertThat(own.isRevoked(Set.of("a")).block(Await.BOUND)).isTrue();
            assertThat(own.delegationEpoch("zone-1").block(Await.BOUND)).isEqualTo(1);
        }

        /** The permissions listed in the guide. */
        private AclSetuserArgs leastPrivilege() {
            return new AclSetuserArgs()
                    .resetKeys()
                    .keyPattern("caracal:revoked:sessions:*")
                    .keyPattern("caracal.sessions.revoke*")
                    .keyPattern("caracal.delegations.invalidate*")
                    .removeCommand(CommandType.PING)
                    .addCommand(CommandType.EXISTS)
                    .addCommand(CommandType.GET)
                    .addCommand(CommandType.SET)
                    .addCommand(CommandType.EVAL)
                    .addCommand(CommandType.XGROUP)
                    .addCommand(CommandType.XREADGROUP)
                    .addCommand(CommandType.XAUTOCLAIM)
                    .addCommand(CommandType.XPENDING)
                    .addCommand(CommandType.XACK)
                    .addCommand(CommandType.XADD);
        }
    }

    @Nested
    class TheKey {
        @Test
        void isRequiredUnlessUnsignedEntriesWereChosen() {
            RevocationConsumer.Builder none = RevocationConsumer.sharing(store, "one");
            assertThatThrownBy(none::start)
                    .isInstanceOf(ConfigurationException.class)
                    .hasMessageContaining("STREAMS_HMAC_KEY")
                    .hasMessageContaining("unsigned()");
            assertThatThrownBy(() -> none.hmacKey(KEY).unsigned().start()).isInstanceOf(ConfigurationException.class);
            assertThatThrownBy(() -> RevocationConsumer.sharing(store, "one")
                            .hmacKey("not-hexadecimal")
                            .start())
                    .isInstanceOf(ConfigurationException.class)
                    .hasMessageNotContaining("not-hexadecimal");
            assertThat(none.toString()).doesNotContain(KEY);
            assertThat(redis.keys("*")).isEmpty();
        }

        @Test
        void isNotAskedForWhereUnsignedEntriesWereChosen() {
            start(RevocationConsumer.sharing(store, "one").unsigned());
            redis.xadd(SESSIONS, Map.of("session_id", "a"));
            awaitKey("a");
        }
    }

    @Nested
    class TheGuard {
        private final RevocationStore nobody = anchors -> Mono.just(false);

        @Test
        void refusesUntilTheStreamsWereReadAndWhenTheyCannotBeForTooLong() {
            redis.set(SESSIONS, "no stream");
            RevocationConsumer consumer =
                    start(RevocationConsumer.sharing(store, "one").hmacKey(KEY).blindLimit(Duration.ofSeconds(1)));
            RevocationStore guarded = consumer.guard(nobody);
            refuses(guarded, "not read yet");
            redis.del(SESSIONS);
            Await.until("it answers", () -> answers(guarded));
            redis.set(SESSIONS, "no stream");
            Await.until("it refuses", () -> !answers(guarded));
            refuses(guarded, "No revocations could be read for ");
            redis.del(SESSIONS);
            Await.until("it answers again", () -> answers(guarded));
        }

        private boolean answers(RevocationStore guarded) {
            return guarded.isRevoked(Set.of("a"))
                    .onErrorComplete()
                    .blockOptional(Await.BOUND)
                    .isPresent();
        }

        private void refuses(RevocationStore guarded, String message) {
            StepVerifier.create(guarded.isRevoked(Set.of("a")))
                    .expectErrorSatisfies(e ->
                            assertThat(e).isInstanceOf(InboundException.class).hasMessageContaining(message))
                    .verify(Await.BOUND);
            StepVerifier.create(guarded.delegationEpoch("zone-1"))
                    .expectError(InboundException.class)
                    .verify(Await.BOUND);
        }
    }

    @Nested
    class FeedingMemory {
        private final InMemoryRevocationStore memory = InMemoryRevocationStore.create();

        private RevocationConsumer feed() {
            return start(RevocationConsumer.feeding(memory, server.connect().reactive())
                    .hmacKey(KEY));
        }

        private boolean isRevoked(String anchor) {
            return Boolean.TRUE.equals(memory.isRevoked(Set.of(anchor)).block(Await.BOUND));
        }

        @Test
        void catchesUpWithWhatStillMattersAndLeavesNothingBehind() {
            long now = System.currentTimeMillis();
            long old = now - RevocationConsumer.KEEP_IN_MEMORY.toMillis() - 60_000;
            redis.xadd(SESSIONS, new XAddArgs().id(old + "-1"), signed(SESSIONS, "session_id", "old"));
            for (int i = 0; i <= EntrySource.BATCH; i++) {
                revoke("s" + i);
            }
            redis.xadd(SESSIONS, Map.of("session_id", "forged"));
            redis.xadd(SESSIONS, signed(SESSIONS, "session_id", "no id", "sid", "id"));
            epoch(FORTY);
            RevocationConsumer consumer = feed();
            Await.until("all are dealt with", () -> consumer.status().handled() == EntrySource.BATCH + 3);

            assertThat(isRevoked("s0")).isTrue();
            assertThat(isRevoked("s50")).isTrue();
            assertThat(isRevoked("id")).isTrue();
            assertThat(isRevoked("old")).isFalse();
            assertThat(isRevoked("forged")).isFalse();
            assertThat(memory.delegationEpoch("zone-1").block(Await.BOUND)).isEqualTo(Long.MAX_VALUE);
            assertThat(redis.keys("*")).containsExactlyInAnyOrder(SESSIONS, DELEGATIONS);
            assertThat(redis.xinfoGroups(SESSIONS)).isEmpty();
        }

        @Test
        void goesOnInARedisThatComesBackEmpty() {
            RevocationConsumer consumer = feed();
            revoke("a");
            Await.until("it is revoked", () -> isRevoked("a"));
            server.stop();
            awaitConnected(consumer, false);
            server.start();
            revoke("b");
            Await.until("it is revoked", () -> isRevoked("b"));
            assertThat(isRevoked("a")).isTrue();
        }
    }

    @Test
    void metersShowTheStatus() {
        SimpleMeterRegistry registry = new SimpleMeterRegistry();
        RevocationConsumer consumer = start();
        RevocationMetrics.of(consumer).bindTo(registry);
        revoke("a");
        redis.xadd(SESSIONS, Map.of("session_id", "b"));
        Await.until(
                "both are dealt with",
                () -> consumer.status().handled() + consumer.status().dead() == 2);
        awaitConnected(consumer, true);
        assertThat(registry.get("caracal.revocation.handled").functionCounter().count())
                .isEqualTo(1);
        assertThat(registry.get("caracal.revocation.dead").functionCounter().count())
                .isEqualTo(1);
        assertThat(registry.get("caracal.revocation.connected").gauge().value()).isEqualTo(1);
        assertThat(registry.get("caracal.revocation.pending").gauge().value()).isZero();
        assertThat(registry.get("caracal.revocation.lag").timeGauge().value(TimeUnit.SECONDS))
                .isBetween(0.0, 20.0);
        assertThat(registry.get("caracal.revocation.blind").timeGauge().value(TimeUnit.SECONDS))
                .isBetween(0.0, 20.0);
    }

    @Nested
    class TheEnd {
        @Test
        void leavesTheConnectionToTheApplication() {
            RevocationConsumer consumer = start();
            awaitConnected(consumer, true);
            Await.done(consumer.disposeLater());
            Await.done(consumer.disposeLater());
            assertThat(consumer.isDisposed()).isTrue();
            StepVerifier.create(consumer.changes().ignoreElements()).verifyComplete();
            revoke("a");
            assertThat(store.isRevoked(Set.of("a")).block(Await.BOUND)).isFalse();
            redis.configResetstat();
            assertThat(store.isRevoked(Set.of("a")).block(Await.BOUND)).isFalse();
            assertThat(redis.info("commandstats")).doesNotContain("xreadgroup");
        }

        @Test
        void comesWhileRedisIsAway() {
            RevocationConsumer consumer = start();
            awaitConnected(consumer, true);
            server.stop();
            awaitConnected(consumer, false);
            Await.done(consumer.disposeLater());
        }

        @Test
        void comesAtOnceAfterTheStart() {
            RevocationConsumer consumer = start();
            consumer.dispose();
            Await.done(consumer.disposeLater());
        }
    }
}
