package run.caracal.bench;

import io.lettuce.core.RedisClient;
import io.lettuce.core.api.reactive.RedisReactiveCommands;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import redis.embedded.RedisServer;
import run.caracal.platform.TestCaracal;
import run.caracal.redis.RedisRevocationStore;
import run.caracal.test.Progress;
import run.caracal.verify.InMemoryRevocationStore;
import run.caracal.verify.JwksMandateVerifier;
import run.caracal.verify.MandateRequirements;
import run.caracal.verify.RevocationStore;

/** The cost of verifying a mandate with revocations in Redis, and of one lookup. */
final class RevocationBench {
    private static final String RESOURCE = "resource://billing-api";
    private static final int MANDATES = 200;
    private static final int VERIFICATIONS = 2_000;
    private static final int LOOKUPS = 2_000;
    private static final int CONCURRENCY = 32;
    private static final Duration LIMIT = Duration.ofMinutes(2);

    private RevocationBench() {}

    static void run(Report report, int rounds) {
        RedisServer server = start();
        RedisClient client =
                RedisClient.create("redis://127.0.0.1:" + server.ports().get(0));
        TestCaracal caracal = TestCaracal.create();
        try {
            RedisReactiveCommands<String, String> redis = client.connect().reactive();
            RedisRevocationStore shared = RedisRevocationStore.create(redis);
            verification(report, rounds, caracal, shared);
            lookup(report, rounds, redis, shared);
            report.write();
        } finally {
            caracal.dispose();
            client.shutdown(Duration.ZERO, Duration.ofSeconds(2));
            stop(server);
        }
    }

    private static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }

    private static RedisServer start() {
        try {
            RedisServer server = RedisServer.newRedisServer()
                    .port(freePort())
                    .bind("127.0.0.1")
                    .build();
            server.start();
            return server;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void stop(RedisServer server) {
        try {
            server.stop();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Of returning callers, the usual case. */
    private static void verification(Report report, int rounds, TestCaracal caracal, RevocationStore shared) {
        List<String> mandates = IntStream.range(0, MANDATES)
                .mapToObj(i -> caracal.platform()
                        .mandates()
                        .scopes("billing:charge")
                        .session("session-" + i)
                        .mint())
                .toList();
        JwksMandateVerifier memory = verifier(caracal, InMemoryRevocationStore.create());
        JwksMandateVerifier cached = verifier(caracal, RevocationStore.cached(shared));
        JwksMandateVerifier uncached = verifier(caracal, shared);
        Rounds measured = new Rounds()
                .variant("memory", () -> verify(memory, mandates))
                .variant("cached", () -> verify(cached, mandates))
                .variant("uncached", () -> verify(uncached, mandates))
                .run(3, rounds);
        report.budget(
                "verification, cached Redis against memory, throughput",
                measured.throughput("cached", "memory"),
                false,
                0.9,
                ClientBench.absolute(measured, "cached", "memory"));
        report.figure(
                "verification, Redis against memory, throughput",
                measured.throughput("uncached", "memory"),
                ClientBench.absolute(measured, "uncached", "memory"));
        List.of(memory, cached, uncached).forEach(JwksMandateVerifier::dispose);
    }

    private static JwksMandateVerifier verifier(TestCaracal caracal, RevocationStore revocations) {
        return caracal.caracal()
                .mandateVerifier()
                .audience(RESOURCE)
                .revocations(revocations)
                .build();
    }

    private static Rounds.Cost verify(JwksMandateVerifier verifier, List<String> mandates) {
        var unused = Flux.range(0, VERIFICATIONS)
                .flatMap(
                        i -> verifier.verify(mandates.get(i % mandates.size()), MandateRequirements.defaults()),
                        CONCURRENCY)
                .blockLast(LIMIT);
        return Rounds.Cost.of(VERIFICATIONS);
    }

    /** Sequential; the bare round trip is a PING on the same connection. */
    private static void lookup(
            Report report, int rounds, RedisReactiveCommands<String, String> redis, RedisRevocationStore shared) {
        double[] lookups = new double[rounds];
        double[] trips = new double[rounds];
        Supplier<Mono<?>> lookup = () -> shared.isRevoked(Set.of("record", "root", "session", "delegation"));
        Progress progress = new Progress("lookups", rounds + 1);
        for (int round = -1; round < rounds; round++) {
            double trip = p99(redis::ping);
            double found = p99(lookup);
            if (round >= 0) {
                trips[round] = trip;
                lookups[round] = found;
            }
            progress.step();
        }
        report.budget(
                "an uncached lookup, p99, against a PING's",
                Stat.ratio(lookups, trips),
                true,
                2.0,
                Stat.of(lookups).text() + " µs against " + Stat.of(trips).text() + " µs");
    }

    /** In microseconds. */
    private static double p99(Supplier<Mono<?>> call) {
        double[] micros = new double[LOOKUPS];
        for (int i = 0; i < LOOKUPS; i++) {
            long begun = System.nanoTime();
            var unused = call.get().block(LIMIT);
            micros[i] = (System.nanoTime() - begun) / 1e3;
        }
        Arrays.sort(micros);
        return micros[LOOKUPS * 99 / 100];
    }
}
