package run.caracal.examples;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import reactor.core.publisher.Mono;
import reactor.test.StepVerifier;
import run.caracal.Caracal;
import run.caracal.config.CaracalConfig;
import run.caracal.error.CaracalException;
import run.caracal.error.StsException;
import run.caracal.error.TransportException;
import run.caracal.platform.FaultRule;
import run.caracal.platform.LocalPlatform;
import run.caracal.platform.Service;

/** A readiness check, on sockets, predicts whether the first spawn would succeed. */
class CheckEndToEndTest {
    private static final Duration LIMIT = Duration.ofSeconds(20);

    /** The timeout of each call; a check makes two, and may repeat the second. */
    private static final Duration CALL = Duration.ofSeconds(1);

    private static final Duration CHECK = Duration.ofSeconds(6);

    private final LocalPlatform platform = LocalPlatform.builder().start();
    private final Caracal caracal = Caracal.create(bounded().build());

    private CaracalConfig.Builder bounded() {
        return platform.config().mutate().stsTimeout(CALL).coordinatorTimeout(CALL);
    }

    @BeforeEach
    @AfterEach
    void opensNoSession() {
        assertThat(platform.totalOpened()).isZero();
    }

    @AfterEach
    void close() {
        caracal.disposeLater().block(LIMIT);
        platform.disposeLater().block(LIMIT);
    }

    private static void assertFails(Mono<Void> check, Consumer<Throwable> how) {
        StepVerifier.create(check).expectErrorSatisfies(how).verify(CHECK);
    }

    private static void assertUnreachable(Throwable error, String url) {
        assertThat(error)
                .isInstanceOfSatisfying(
                        TransportException.class,
                        e -> assertThat(e.isRetryable()).isTrue())
                .hasMessageContaining(url);
    }

    @Test
    void aPlatformThatIsUpPasses() {
        StepVerifier.create(caracal.check().repeat(2)).expectComplete().verify(CHECK);
        assertThat(platform.received(Service.STS)).as("one token is enough").hasSize(1);
    }

    @Test
    void aWrongSecretIsTold() {
        Caracal wrong = Caracal.create(bounded().clientSecret("wrong").build());
        assertFails(
                wrong.check(),
                e -> assertThat(e).isInstanceOfSatisfying(StsException.class, refused -> {
                    assertThat(refused.httpStatus()).isEqualTo(401);
                    assertThat(refused.isRetryable()).isFalse();
                }));
        wrong.disposeLater().block(LIMIT);
    }

    @Test
    void anStsThatIsDownIsTold_andPassesWhenItIsBack() {
        platform.stop(Service.STS).block(LIMIT);
        assertFails(caracal.check(), e -> assertUnreachable(e, platform.stsUrl()));
        platform.start(Service.STS).block(LIMIT);
        StepVerifier.create(caracal.check()).expectComplete().verify(CHECK);
    }

    @Test
    void aCoordinatorThatIsDownIsTold_andPassesWhenItIsBack() {
        platform.stop(Service.COORDINATOR).block(LIMIT);
        assertFails(caracal.check(), e -> assertUnreachable(e, platform.coordinatorUrl()));
        platform.start(Service.COORDINATOR).block(LIMIT);
        StepVerifier.create(caracal.check()).expectComplete().verify(CHECK);
    }

    @ParameterizedTest
    @EnumSource(names = {"STS", "COORDINATOR"})
    void aServiceThatHangsIsNotWaitedForLong(Service service) {
        platform.faults(service, FaultRule.stall());
        assertFails(
                caracal.check(),
                e -> assertThat(e)
                        .isInstanceOfSatisfying(
                                CaracalException.class,
                                hung -> assertThat(hung.code()).isEqualTo("transport_timeout")));
    }
}
