package run.caracal.redis;

import static org.assertj.core.api.Assertions.assertThat;

import io.lettuce.core.api.sync.RedisCommands;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;
import run.caracal.netty.Await;
import run.caracal.verify.RevocationStore;

/**
 * Faults between a resource server and its Redis: no lookup accepts a mandate, each times out, and no revocation is lost.
 * Writes the outcome to {@code target/redis-faults.md}.
 */
class RedisFaultsTest {
    private static final String KEY = "0123456789abcdef0123456789abcdef";
    private static final String SESSIONS = "caracal.sessions.revoke";
    private static final String GROUP = "resource-revocation";
    private static final String PREFIX = "caracal:revoked:sessions:";
    private static final int AT_ONCE = 6;
    private static final Duration LIMIT = Duration.ofMinutes(2);

    /**
     * One line of the outcome.
     *
     * @param fault the fault
     * @param lookup the result of a lookup
     * @param failedMillis the time of the slowest lookup
     * @param recoveredMillis the time from the end of the fault to the effect of the revocation
     */
    private record Row(String fault, String lookup, long failedMillis, long recoveredMillis) {}

    /** A fault, and the error of a lookup. */
    private record Cell(String name, Function<RedisProxy, RedisProxy.Fault> fault, String message) {
        static Cell ofAnswer(String error) {
            return new Cell("-" + error, proxy -> RedisProxy.answering("-" + error + "\r\n"), error);
        }
    }

    private static final List<Cell> CELLS = List.of(
            new Cell("the connection is reset", proxy -> RedisProxy.closing(), ""),
            new Cell("the command is swallowed", proxy -> RedisProxy.swallowing(), ""),
            new Cell("the answer is cut", RedisProxy::cutting, ""),
            new Cell("the answer is none", proxy -> RedisProxy.answering(RedisProxy.garbage()), ""),
            Cell.ofAnswer("NOAUTH Authentication required."),
            Cell.ofAnswer("NOPERM this user has no permissions to run the command"),
            Cell.ofAnswer("LOADING Redis is loading the dataset in memory"),
            Cell.ofAnswer("READONLY You can't write against a read only replica."),
            Cell.ofAnswer("MOVED 3999 127.0.0.1:6381"),
            Cell.ofAnswer("ASK 3999 127.0.0.1:6381"),
            Cell.ofAnswer("CLUSTERDOWN The cluster is down"),
            Cell.ofAnswer("MASTERDOWN Link with MASTER is down"),
            Cell.ofAnswer("OOM command not allowed when used memory > 'maxmemory'."),
            Cell.ofAnswer("MISCONF Redis is configured to save RDB snapshots"),
            Cell.ofAnswer("BUSY Redis is busy running a script."),
            Cell.ofAnswer("NOREPLICAS Not enough good replicas to write."),
            Cell.ofAnswer("ERR unknown command"));

    @Test
    void everyFaultLetsNobodyInAndLosesNothing() throws IOException {
        List<String> wrong = Collections.synchronizedList(new ArrayList<>());
        List<Row> rows = Flux.fromIterable(CELLS)
                .flatMapSequential(
                        cell -> Mono.fromCallable(() -> run(cell))
                                .subscribeOn(Schedulers.boundedElastic())
                                .onErrorResume(e -> {
                                    wrong.add(cell.name() + ": " + e);
                                    return Mono.empty();
                                }),
                        AT_ONCE)
                .collectList()
                .blockOptional(LIMIT)
                .orElseThrow();
        write(rows);
        assertThat(wrong).isEmpty();
    }

    private static Row run(Cell cell) throws IOException {
        try (TestRedis server = TestRedis.own();
                RedisProxy proxy = new RedisProxy(server.port())) {
            RedisRevocationStore store =
                    RedisRevocationStore.create(server.connectTo(proxy).reactive());
            RevocationConsumer consumer = RevocationConsumer.sharing(
                            RedisRevocationStore.create(server.connectTo(proxy).reactive()), "one")
                    .hmacKey(KEY)
                    .pollInterval(Duration.ofMillis(20))
                    .commandTimeout(Duration.ofMillis(500))
                    .start();
            try {
                return run(cell, server.commands(), proxy, store, consumer);
            } finally {
                Await.done(consumer.disposeLater());
            }
        }
    }

    private static Row run(
            Cell cell,
            RedisCommands<String, String> redis,
            RedisProxy proxy,
            RedisRevocationStore store,
            RevocationConsumer consumer)
            throws IOException {
        RevocationStore guarded = consumer.guard(RevocationStore.cached(store));
        Await.until("it reads", () -> consumer.status().connected());
        assertThat(guarded.isRevoked(Set.of("a")).block(Await.BOUND)).isFalse();

        proxy.play(cell.fault().apply(proxy));
        long begun = System.nanoTime();
        List<Throwable> errors = Flux.just(
                        store.isRevoked(Set.of("a")),
                        store.delegationEpoch("zone-1"),
                        store.revoke(Set.of("b"), Duration.ofHours(1)),
                        store.raiseDelegationEpoch("zone-1", "1", Duration.ofHours(1)))
                .flatMap(lookup -> lookup.then(Mono.<Throwable>empty()).onErrorResume(Mono::just))
                .collectList()
                .blockOptional(RedisRevocationStore.TIMEOUT.plusSeconds(2))
                .orElseThrow();
        long failed = System.nanoTime();
        assertThat(errors).hasSize(4).allSatisfy(e -> assertThat(e).hasMessageContaining(cell.message()));
        Await.until("it does not read", () -> !consumer.status().connected());
        Map<String, String> entry = new HashMap<>(Map.of("session_id", "a"));
        entry.put("_sig", StreamSignature.of(KEY).sign(SESSIONS, entry));
        assertThat(redis.xadd(SESSIONS, entry)).isNotNull();
        assertThat(redis.exists(PREFIX + "a")).isZero();

        proxy.heal();
        long healed = System.nanoTime();
        Await.until("the revocation has its effect", () -> redis.exists(PREFIX + "a") == 1);
        long recovered = System.nanoTime();
        Await.until("it is acknowledged", () -> redis.xpending(SESSIONS, GROUP).getCount() == 0);
        Await.until("it reads again", () -> consumer.status().connected());
        Await.until(
                "the session counts as revoked",
                () -> Boolean.TRUE.equals(
                        guarded.isRevoked(Set.of("a")).onErrorComplete().block(Await.BOUND)));
        assertThat(redis.exists(SESSIONS + ".dead")).isZero();
        assertThat(consumer.status().handled()).isPositive();
        assertThat(consumer.status().dead()).isZero();
        return new Row(
                cell.name(),
                errors.get(0).getClass().getSimpleName(),
                millis(begun, failed),
                millis(healed, recovered));
    }

    private static long millis(long from, long to) {
        return TimeUnit.NANOSECONDS.toMillis(to - from);
    }

    private static void write(List<Row> rows) throws IOException {
        List<String> lines = new ArrayList<>(List.of(
                "# What comes of every fault between a server and its Redis",
                "",
                "| fault | a lookup ended with | after ms | a revocation meanwhile took effect ms after the fault |",
                "|---|---|---|---|"));
        rows.forEach(row -> lines.add("| %s | %s | %d | %d |"
                .formatted(row.fault(), row.lookup(), row.failedMillis(), row.recoveredMillis())));
        Path target = Path.of("target");
        Files.createDirectories(target);
        Files.write(target.resolve("redis-faults.md"), lines);
    }
}
