package run.caracal.redis;

import static org.assertj.core.api.Assertions.assertThat;

import io.lettuce.core.RedisURI;
import io.lettuce.core.api.reactive.RedisReactiveCommands;
import io.lettuce.core.api.sync.RedisCommands;
import io.lettuce.core.cluster.RedisClusterClient;
import io.lettuce.core.cluster.SlotHash;
import io.lettuce.core.cluster.api.StatefulRedisClusterConnection;
import io.lettuce.core.cluster.api.sync.RedisAdvancedClusterCommands;
import io.lettuce.core.sentinel.api.sync.RedisSentinelCommands;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import okhttp3.tls.HeldCertificate;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;
import redis.embedded.RedisSentinel;
import run.caracal.netty.Await;

/** The same store and consumer on a cluster, over TLS, and on a master that Sentinel names. */
@SuppressWarnings("CheckReturnValue") // tests query few of the ids that they create
class RedisTopologiesTest {
    private static final String KEY = "0123456789abcdef0123456789abcdef";
    private static final String SESSIONS = "caracal.sessions.revoke";
    private static final String DELEGATIONS = "caracal.delegations.invalidate";
    private static final Duration HOUR = Duration.ofHours(1);

    private static Map<String, String> signed(String stream, Map<String, String> fields) {
        Map<String, String> entry = new HashMap<>(fields);
        entry.put("_sig", StreamSignature.of(KEY).sign(stream, entry));
        return entry;
    }

    private static RevocationConsumer start(RedisRevocationStore store) {
        return RevocationConsumer.sharing(store, "one")
                .hmacKey(KEY)
                .pollInterval(Duration.ofMillis(20))
                .commandTimeout(Duration.ofMillis(500))
                .start();
    }

    private static void awaitRevoked(RedisRevocationStore store, String anchor) {
        Await.until(
                anchor + " is revoked",
                () -> Boolean.TRUE.equals(
                        store.isRevoked(Set.of(anchor)).onErrorComplete().block(Await.BOUND)));
    }

    @Nested
    class ACluster {
        private static final int NODES = 3;

        private static final int SHARE = SlotHash.SLOT_COUNT / NODES + 1;

        /** The cluster bus uses ports that are ten thousand higher. */
        private static final int HIGHEST_PORT = 55_535;

        private final List<TestRedis> nodes = new ArrayList<>();
        private RedisClusterClient client;

        @BeforeEach
        void open(@TempDir Path directory) {
            for (int i = 0; i < NODES; i++) {
                int port = IntStream.generate(TestRedis::freePort)
                        .filter(free -> free <= HIGHEST_PORT)
                        .findFirst()
                        .orElseThrow();
                nodes.add(TestRedis.on(
                        port,
                        "cluster-enabled yes",
                        "cluster-config-file " + directory.resolve("node-" + i + ".conf")));
            }
            client = RedisClusterClient.create(RedisURI.create(nodes.get(0).url()));
        }

        @AfterEach
        void close() {
            client.shutdown(Duration.ZERO, Duration.ofSeconds(2));
            nodes.forEach(TestRedis::close);
        }

        private StatefulRedisClusterConnection<String, String> connect() {
            List<RedisCommands<String, String>> each =
                    nodes.stream().map(TestRedis::commands).toList();
            for (int i = 0; i < NODES; i++) {
                each.get(i)
                        .clusterAddSlots(IntStream.range(i * SHARE, Math.min((i + 1) * SHARE, SlotHash.SLOT_COUNT))
                                .toArray());
                each.get(i).clusterMeet("127.0.0.1", nodes.get(0).port());
            }
            for (RedisCommands<String, String> node : each) {
                Await.until("the cluster is up", () -> {
                    String info = node.clusterInfo();
                    return info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:" + NODES);
                });
            }
            client.refreshPartitions();
            return client.connect();
        }

        @Test
        void isReadAndWrittenInAllItsNodes() {
            StatefulRedisClusterConnection<String, String> connection = connect();
            RedisAdvancedClusterCommands<String, String> redis = connection.sync();
            RedisRevocationStore store = RedisRevocationStore.create(connection.reactive());
            List<String> anchors =
                    IntStream.range(0, 30).mapToObj(i -> "anchor-" + i).toList();
            assertThat(anchors.stream()
                            .map(anchor -> SlotHash.getSlot("caracal:revoked:sessions:" + anchor) / SHARE)
                            .distinct())
                    .as("nodes of the keys")
                    .hasSize(NODES);
            Await.done(store.revoke(anchors.subList(0, 29), HOUR));
            assertThat(store.isRevoked(Set.copyOf(anchors)).block(Await.BOUND)).isTrue();
            assertThat(store.isRevoked(Set.of("anchor-29", "b", "c", "d", "e")).block(Await.BOUND))
                    .isFalse();
            for (String anchor : anchors.subList(0, 29)) {
                assertThat(store.isRevoked(Set.of(anchor, "b", "c", "d", "e")).block(Await.BOUND))
                        .isTrue();
            }

            RevocationConsumer consumer = start(store);
            redis.xadd(SESSIONS, signed(SESSIONS, Map.of("session_id", "x", "sid", "y", "root_sid", "z")));
            redis.xadd(DELEGATIONS, signed(DELEGATIONS, Map.of("zone_id", "zone-1", "epoch", "7")));
            redis.xadd(SESSIONS, Map.of("session_id", "forged"));
            Await.until(
                    "all are dealt with",
                    () -> consumer.status().handled() == 2 && consumer.status().dead() == 1);
            for (String anchor : List.of("x", "y", "z")) {
                awaitRevoked(store, anchor);
            }
            assertThat(store.delegationEpoch("zone-1").block(Await.BOUND)).isEqualTo(7);
            assertThat(redis.xlen(SESSIONS + ".dead")).isEqualTo(1);
            Await.done(consumer.disposeLater());
        }
    }

    @Nested
    class AServerWithTls {
        @Test
        void isReadAndWrittenByAUserOfItsAccessList(@TempDir Path directory) throws IOException {
            HeldCertificate certificate = new HeldCertificate.Builder()
                    .addSubjectAlternativeName("localhost")
                    .build();
            Path chain = Files.writeString(directory.resolve("server.pem"), certificate.certificatePem());
            Path key = Files.writeString(directory.resolve("server.key"), certificate.privateKeyPkcs8Pem());
            int port = TestRedis.freePort();
            try (TestRedis server = TestRedis.own(
                    "tls-port " + port,
                    "tls-cert-file " + chain,
                    "tls-key-file " + key,
                    "tls-auth-clients no",
                    "user billing on >secret ~* +@all")) {
                RedisRevocationStore store = RedisRevocationStore.create(
                        server.connectOverTls(port, certificate.certificate(), "billing", "secret")
                                .reactive());
                RevocationConsumer consumer = start(store);
                server.commands().xadd(SESSIONS, signed(SESSIONS, Map.of("session_id", "a")));
                awaitRevoked(store, "a");
                Await.done(store.revoke(Set.of("b"), HOUR));
                awaitRevoked(store, "b");
                Await.done(consumer.disposeLater());
            }
        }
    }

    @Nested
    class ASentinel {
        private final List<AutoCloseable> started = new ArrayList<>();
        private final int sentinelPort = TestRedis.freePort();
        private final RedisURI uri = RedisURI.Builder.sentinel("127.0.0.1", sentinelPort, "caracal")
                .withTimeout(Duration.ofSeconds(5))
                .build();
        private TestRedis master;

        @BeforeEach
        void open() {
            master = TestRedis.own();
            started.add(master);
        }

        @AfterEach
        void close() throws Exception {
            for (int i = started.size() - 1; i >= 0; i--) {
                started.get(i).close();
            }
        }

        private void watch() throws IOException {
            RedisSentinel sentinel = RedisSentinel.newRedisSentinel()
                    .bind("127.0.0.1")
                    .port(sentinelPort)
                    .masterName("caracal")
                    .masterPort(master.port())
                    .quorumSize(1)
                    .downAfterMilliseconds(500)
                    .failOverTimeout(5_000)
                    .build();
            sentinel.start();
            started.add(sentinel::stop);
        }

        /** Sentinel closes the connections of a replica that becomes the master. */
        private static void awaitReplication(RedisReactiveCommands<String, String> redis, String state) {
            Await.until(
                    state,
                    () -> Boolean.TRUE.equals(redis.info("replication")
                            .map(info -> info.contains(state))
                            .onErrorReturn(false)
                            .block(Await.BOUND)));
        }

        @Test
        void namesTheMaster() throws IOException {
            watch();
            RedisRevocationStore store =
                    RedisRevocationStore.create(master.connect(uri).reactive());
            RevocationConsumer consumer = start(store);
            master.commands().xadd(SESSIONS, signed(SESSIONS, Map.of("session_id", "a")));
            awaitRevoked(store, "a");
            Await.done(consumer.disposeLater());
        }

        @Test
        @Tag("soak")
        @EnabledIfSystemProperty(named = "soak", matches = ".*", disabledReason = "takes as long as a failover")
        void isFollowedToAnotherMaster() throws IOException {
            TestRedis replica = TestRedis.own("replicaof 127.0.0.1 " + master.port());
            started.add(replica);
            watch();
            RedisRevocationStore store =
                    RedisRevocationStore.create(replica.connect(uri).reactive());
            RevocationConsumer consumer = start(store);
            Await.until("it reads", () -> consumer.status().connected());
            RedisReactiveCommands<String, String> second = replica.connect().reactive();
            awaitReplication(second, "master_link_status:up");
            RedisSentinelCommands<String, String> sentinel = replica.sentinel(sentinelPort);
            Await.until("Sentinel knows it", () -> !sentinel.replicas("caracal").isEmpty());
            master.stop();
            awaitReplication(second, "role:master");
            Await.done(second.xadd(SESSIONS, signed(SESSIONS, Map.of("session_id", "b"))));
            awaitRevoked(store, "b");
            Await.done(consumer.disposeLater());
        }
    }
}
