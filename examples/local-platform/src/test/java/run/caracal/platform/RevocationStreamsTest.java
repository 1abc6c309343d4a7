package run.caracal.platform;

import static org.assertj.core.api.Assertions.assertThat;

import io.lettuce.core.RedisClient;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Mono;
import redis.embedded.RedisServer;
import run.caracal.Caracal;
import run.caracal.error.InboundException;
import run.caracal.redis.RedisRevocationStore;
import run.caracal.redis.RevocationConsumer;
import run.caracal.verify.JwksMandateVerifier;
import run.caracal.verify.MandateRequirements;
import run.caracal.verify.RevocationStore;

/** Revocations of the platform reach a resource server over Redis. */
class RevocationStreamsTest {
    private static final String KEY = "00112233445566778899aabbccddeeff";
    private static final Duration LIMIT = Duration.ofSeconds(20);

    private final int port = freePort();
    private final RedisClient client = RedisClient.create("redis://127.0.0.1:" + port);
    private RedisServer redis;
    private LocalPlatform platform;
    private RevocationConsumer consumer;
    private RevocationStore revocations;

    private static int freePort() {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private void startRedis() throws IOException {
        redis = RedisServer.newRedisServer().port(port).bind("127.0.0.1").build();
        redis.start();
    }

    @BeforeEach
    void start() throws IOException {
        startRedis();
        platform = LocalPlatform.builder()
                .revocationStreams("redis://127.0.0.1:" + port, KEY)
                .start();
        RedisRevocationStore shared =
                RedisRevocationStore.create(client.connect().reactive());
        consumer = RevocationConsumer.sharing(shared, "server-1")
                .hmacKey(KEY)
                .blindLimit(Duration.ofSeconds(2))
                .start();
        revocations = consumer.guard(RevocationStore.cached(shared));
    }

    @AfterEach
    void stop() throws IOException {
        consumer.disposeLater().block(LIMIT);
        platform.disposeLater().block(LIMIT);
        client.shutdown(Duration.ZERO, Duration.ofSeconds(2));
        redis.stop();
    }

    private void awaitRevoked(String anchor) {
        assertThat(revocations
                        .isRevoked(Set.of(anchor))
                        .onErrorReturn(false)
                        .filter(Boolean::booleanValue)
                        .repeatWhenEmpty(attempts -> attempts.delayElements(Duration.ofMillis(20)))
                        .blockOptional(LIMIT))
                .as(anchor)
                .isPresent();
    }

    @Test
    void aDelegationThatIsRevokedTakesItsSessionAndTheEpochWithIt() {
        Delegated delegated = Delegated.on(platform, List.of(platform.resourceId()), "billing:charge");
        String edge = Objects.requireNonNull(delegated.form("billing:charge").get("delegation_edge_id"))
                .get(0);

        String bearer = Http.token(platform);
        assertThat(Http.coordinator(platform, bearer, "PATCH", "/delegations/" + edge + "/revoke", null)
                        .status())
                .isEqualTo(200);

        awaitRevoked(edge);
        awaitRevoked(delegated.session());
        assertThat(consumer.status().dead()).isZero();
        assertThat(Mono.defer(() -> revocations.delegationEpoch(platform.zoneId()))
                        .filter(epoch -> epoch >= 2)
                        .repeatWhenEmpty(attempts -> attempts.delayElements(Duration.ofMillis(20)))
                        .blockOptional(LIMIT))
                .isPresent();
    }

    @Test
    void theAuthorityOfAnApplicationIsRevokedByItsRecords() {
        Object record = Http.claims(Http.token(platform)).get("sid");
        platform.revokeTokens(platform.applicationId());
        awaitRevoked(String.valueOf(record));
    }

    @Test
    void aServerThatHearsNothingForTooLongRefusesWith503UntilItHearsAgain() throws IOException {
        Caracal caracal = Caracal.create(platform.config());
        JwksMandateVerifier verifier = caracal.mandateVerifier()
                .audience(platform.resourceId())
                .revocations(revocations)
                .build();
        String mandate = platform.mandates().session("session-1").mint();
        awaitStatus(verifier, mandate, 200);

        redis.stop();
        awaitStatus(verifier, mandate, 503);
        startRedis();
        awaitStatus(verifier, mandate, 200);
        verifier.dispose();
        caracal.disposeLater().block(LIMIT);
    }

    private static void awaitStatus(JwksMandateVerifier verifier, String mandate, int status) {
        assertThat(Mono.defer(() -> verifier.verify(mandate, MandateRequirements.defaults()))
                        .map(proven -> 200)
                        .onErrorResume(InboundException.class, e -> Mono.just(e.httpStatus()))
                        .filter(seen -> seen == status)
                        .repeatWhenEmpty(attempts -> attempts.delayElements(Duration.ofMillis(20)))
                        .blockOptional(LIMIT))
                .as("status %d", status)
                .isPresent();
    }
}
