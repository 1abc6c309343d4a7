package run.caracal.redis;

import static org.assertj.core.api.Assertions.assertThat;

import io.lettuce.core.Consumer;
import io.lettuce.core.XReadArgs.StreamOffset;
import io.lettuce.core.api.sync.RedisCommands;
import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import run.caracal.netty.Await;

/**
 * Shares one Redis with the platform's Python package: each side reads the other's revocations, and both join one consumer
 * group. Runs with {@code -Dcaracal.python=PATH}, a Python 3.12 or later with caracalai-revocation-redis 1.0.0 installed.
 */
class PythonPackageTest {
    private static final String KEY = "00112233445566778899aabbccddeeff";
    private static final String SESSIONS = "caracal.sessions.revoke";
    private static final String GROUP = "resource-revocation";

    @SuppressWarnings("unchecked") // the array of one stream that the varargs make
    @Test
    void sharesKeysAndGroupsWithThePublishedPythonPackage(@TempDir Path directory) throws Exception {
        String python = System.getProperty("caracal.python", "");
        Assumptions.assumeFalse(
                python.isEmpty(),
                "skipped: -Dcaracal.python names no Python with caracalai-revocation-redis installed");
        try (TestRedis server = TestRedis.own()) {
            RedisCommands<String, String> redis = server.commands();
            RedisRevocationStore store =
                    RedisRevocationStore.create(server.connect().reactive());
            Await.done(store.raiseDelegationEpoch("zone-java", "5", Duration.ofHours(1)));
            RevocationConsumer consumer =
                    RevocationConsumer.sharing(store, "java").hmacKey(KEY).start();
            revoke(redis, "by-java");
            Await.until("it is revoked", () -> consumer.status().handled() == 1);
            Await.done(consumer.disposeLater());
            revoke(redis, "by-stream");

            assertThat(run(python, server, directory)).containsExactly("sees True False 5", "handled 1 True");

            assertThat(store.isRevoked(Set.of("by-python")).block(Await.BOUND)).isTrue();
            assertThat(store.isRevoked(Set.of("by-stream")).block(Await.BOUND)).isTrue();
            assertThat(store.delegationEpoch("zone-python").block(Await.BOUND)).isEqualTo(7);
            assertThat(store.delegationEpoch("zone-java").block(Await.BOUND)).isEqualTo(5);
            assertThat(redis.xreadgroup(Consumer.from(GROUP, "java"), StreamOffset.lastConsumed(SESSIONS)))
                    .isEmpty();
            assertThat(redis.xpending(SESSIONS, GROUP).getCount()).isZero();
        }
    }

    private static void revoke(RedisCommands<String, String> redis, String anchor) {
        Map<String, String> fields = new HashMap<>(Map.of("zone_id", "zone-1", "session_id", anchor));
        fields.put(StreamSignature.FIELD, StreamSignature.of(KEY).sign(SESSIONS, fields));
        assertThat(redis.xadd(SESSIONS, fields)).isNotNull();
    }

    private static List<String> run(String python, TestRedis server, Path directory) throws Exception {
        Path script = Path.of("src", "test", "resources", "run", "caracal", "redis", "python_revocations.py");
        File output = directory.resolve("output").toFile();
        ProcessBuilder builder = new ProcessBuilder(
                        python, script.toAbsolutePath().toString())
                .redirectErrorStream(true)
                .redirectOutput(output);
        builder.environment().put("REDIS_UNDER_TEST", server.url());
        builder.environment().put("HMAC_KEY", KEY);
        Process process = builder.start();
        assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
        String text = Files.readString(output.toPath());
        assertThat(process.exitValue()).as(text).isZero();
        return text.lines().toList();
    }
}
