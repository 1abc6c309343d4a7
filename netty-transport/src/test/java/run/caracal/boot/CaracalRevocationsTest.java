package run.caracal.boot;

import static org.assertj.core.api.Assertions.assertThat;

import io.lettuce.core.api.sync.RedisCommands;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.binder.MeterBinder;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.springframework.boot.data.redis.autoconfigure.DataRedisConnectionDetails;
import org.springframework.boot.health.contributor.Health;
import org.springframework.boot.health.contributor.ReactiveHealthIndicator;
import org.springframework.boot.health.contributor.Status;
import org.springframework.boot.test.context.runner.ReactiveWebApplicationContextRunner;
import org.springframework.context.ApplicationContext;
import run.caracal.http.HttpTransport;
import run.caracal.netty.Await;
import run.caracal.redis.TestRedis;
import run.caracal.verify.InMemoryRevocationStore;
import run.caracal.verify.RevocationStore;

/** An application that reads the platform's revocations from Redis. */
class CaracalRevocationsTest {
    private static final String REDIS = "caracal.inbound.revocation.redis.";

    private final TestRedis redis = TestRedis.own();
    private final ReactiveWebApplicationContextRunner context = Contexts.ours()
            .withBean(HttpTransport.class, Unreachable::new)
            .withPropertyValues(
                    "caracal.protected-resource=resource://orders",
                    "caracal.inbound.warmup=false",
                    REDIS + "poll-interval=20ms");
    private final ReactiveWebApplicationContextRunner unsigned = context.withPropertyValues(REDIS + "unsigned=true");

    @AfterEach
    void close() {
        redis.close();
    }

    private static boolean isRevoked(ApplicationContext started, String session) {
        return Boolean.TRUE.equals(started.getBean(RevocationStore.class)
                .isRevoked(Set.of(session))
                .block(Await.BOUND));
    }

    private void revoke(String session) {
        redis.commands().xadd("caracal.sessions.revoke", Map.of("zone_id", "zone-test", "session_id", session));
    }

    private void hears(ApplicationContext started) {
        Await.until(
                "the streams are read",
                () -> started.getBean(RedisRevocations.class)
                        .consumer()
                        .status()
                        .connected());
        revoke("session-1");
        Await.until("session-1 is revoked", () -> isRevoked(started, "session-1"));
        assertThat(isRevoked(started, "session-2")).isFalse();
    }

    @Test
    void anAddressOfItsOwnIsEnough() {
        unsigned.withPropertyValues(REDIS + "url=" + redis.url()).run(started -> {
            assertThat(started).hasNotFailed().hasSingleBean(RevocationStore.class);
            hears(started);
            assertThat(redis.commands().keys("caracal:revoked:*")).isNotEmpty();
        });
    }

    @Test
    void theConnectionOfBootServesToo() {
        unsigned.withPropertyValues(REDIS + "enabled=true")
                .withBean(DataRedisConnectionDetails.class, () -> new DataRedisConnectionDetails() {
                    @Override
                    public Standalone getStandalone() {
                        return Standalone.of("127.0.0.1", redis.port());
                    }
                })
                .run(started -> {
                    assertThat(started).hasNotFailed();
                    hears(started);
                });
    }

    @Test
    void notSharedNothingIsWritten() {
        unsigned.withPropertyValues(REDIS + "url=" + redis.url(), REDIS + "shared=false")
                .run(started -> {
                    hears(started);
                    assertThat(redis.commands().keys("caracal:revoked:*")).isEmpty();
                });
    }

    @Test
    void withAKeyUnsignedEntriesAreNotBelieved() {
        context.withPropertyValues(REDIS + "url=" + redis.url(), REDIS + "hmac-key=0123456789abcdef0123456789abcdef")
                .run(started -> {
                    revoke("session-1");
                    Await.until(
                            "the entry was looked at",
                            () -> started.getBean(RedisRevocations.class)
                                            .consumer()
                                            .status()
                                            .dead()
                                    == 1);
                    assertThat(isRevoked(started, "session-1")).isFalse();
                });
    }

    @Test
    void aStoreOfTheApplicationTakesItsPlace() {
        unsigned.withPropertyValues(REDIS + "url=" + redis.url())
                .withBean(RevocationStore.class, InMemoryRevocationStore::create)
                .run(started -> assertThat(started).hasNotFailed().doesNotHaveBean(RedisRevocations.class));
    }

    @Test
    void itsConnectionIsClosedWithTheContext() {
        RedisCommands<String, String> other = redis.commands();
        long before = other.clientList().lines().count();
        unsigned.withPropertyValues(REDIS + "url=" + redis.url()).run(started -> {
            assertThat(started).hasNotFailed();
            assertThat(other.clientList().lines().count()).isEqualTo(before + 1);
        });
        Await.until("it is closed", () -> other.clientList().lines().count() == before);
    }

    @Test
    void itIsSeenByTheActuator() {
        unsigned.withPropertyValues(REDIS + "url=" + redis.url()).run(started -> {
            ReactiveHealthIndicator indicator =
                    started.getBean("caracalRevocationsHealthIndicator", ReactiveHealthIndicator.class);
            hears(started);
            assertThat(health(indicator).getStatus()).isEqualTo(Status.UP);
            redis.stop();
            Await.until("it is down", () -> health(indicator).getStatus().equals(Status.DOWN));
            assertThat(health(indicator).getDetails()).containsKeys("blindFor", "pending");
            MeterRegistry meters = new SimpleMeterRegistry();
            started.getBean("caracalRevocationMetrics", MeterBinder.class).bindTo(meters);
            assertThat(meters.getMeters())
                    .isNotEmpty()
                    .allMatch(meter -> meter.getId().getName().startsWith("caracal.revocation."));
        });
    }

    private static Health health(ReactiveHealthIndicator indicator) {
        return Objects.requireNonNull(indicator.health().block(Await.BOUND));
    }

    /** An application that cannot read revocations would reject every request, or accept revoked mandates. */
    @Nested
    class FailsTheStart {
        @Test
        void withoutAnAddress() {
            unsigned.withPropertyValues(REDIS + "enabled=true")
                    .run(started -> assertThat(started)
                            .getFailure()
                            .rootCause()
                            .hasMessageContaining(REDIS + "url")
                            .hasMessageContaining("spring.data.redis"));
        }

        @Test
        void withoutAKey() {
            context.withPropertyValues(REDIS + "url=" + redis.url()).run(started -> {
                Throwable failure = Objects.requireNonNull(started.getStartupFailure());
                assertThat(Objects.requireNonNull(new CaracalFailureAnalyzer().analyze(failure))
                                .getDescription())
                        .contains(REDIS + "hmac-key");
            });
        }

        @Test
        void whenNoRedisIsThere() {
            unsigned.withPropertyValues(REDIS + "url=redis://:hidden-value@127.0.0.1:" + TestRedis.freePort())
                    .run(started -> assertThat(started)
                            .getFailure()
                            .hasStackTraceContaining("Unable to connect to 127.0.0.1")
                            .satisfies(failure -> assertThat(failure).hasMessageNotContaining("hidden-value")));
        }
    }
}
