package run.caracal;

import static org.assertj.core.api.Assertions.assertThat;
import static run.caracal.test.FakePlatform.LIMIT;

import java.time.Duration;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import reactor.core.publisher.Mono;
import reactor.test.StepVerifier;
import run.caracal.error.ClosedException;
import run.caracal.error.CoordinatorException;
import run.caracal.error.StsException;
import run.caracal.error.TransportException;
import run.caracal.test.FakePlatform;

/** Checks whether a session could be opened, without opening one. */
class CheckTest {
    @RegisterExtension
    private final FakePlatform platform = new FakePlatform();

    private final Caracal caracal = platform.client();

    @AfterEach
    void opensNothing() {
        assertThat(platform.opened()).isZero();
    }

    @Test
    void completesWhenTheStsAndTheCoordinatorAnswer() {
        Mono<Void> check = caracal.check();
        assertThat(platform.requests(request -> true)).isEmpty();
        StepVerifier.create(check).expectComplete().verify(LIMIT);
        StepVerifier.create(check).expectComplete().verify(LIMIT);
        assertThat(platform.requests(FakePlatform::isToken)).hasSize(1);
        assertThat(platform.requests(FakePlatform::isInbound)).hasSize(2);
    }

    @Test
    void signalsTheRefusalOfTheSts() {
        platform.nextAnswer(FakePlatform::isToken, 401, "{\"error\":\"invalid_client\"}");
        StepVerifier.create(caracal.check()).expectError(StsException.class).verify(LIMIT);
        assertThat(platform.requests(FakePlatform::isInbound)).isEmpty();
    }

    @Test
    void signalsTheRefusalOfTheCoordinator() {
        platform.nextAnswer(FakePlatform::isInbound, 403, "{\"error\":\"missing_scope\"}");
        StepVerifier.create(caracal.check())
                .expectError(CoordinatorException.class)
                .verify(LIMIT);
    }

    /** A 404 that is not from the Coordinator fails the check. */
    @Test
    void anUnknownRouteIsAnError() {
        platform.nextAnswer(FakePlatform::isInbound, 404, "{\"error\":\"not_found\"}");
        StepVerifier.create(caracal.check())
                .expectError(CoordinatorException.class)
                .verify(LIMIT);
    }

    @Test
    void aClosedClientSaysSo() {
        Caracal closed = platform.client();
        StepVerifier.create(closed.disposeLater()).expectComplete().verify(LIMIT);
        StepVerifier.create(closed.check()).expectError(ClosedException.class).verify(LIMIT);
    }

    @Test
    void namesItsZoneAndApplication() {
        assertThat(caracal)
                .hasToString("Caracal[zoneId=" + caracal.zoneId() + ", applicationId=" + caracal.applicationId() + "]");
    }

    /** Callers share the token exchange, so a hung resolver would block all of them for ever. */
    @Test
    void aResolverThatHangsIsGivenUpAndAskedAnew() {
        AtomicInteger asked = new AtomicInteger();
        AtomicInteger cancelled = new AtomicInteger();
        StepVerifier.withVirtualTime(() -> Caracal.create(platform.config()
                                .clientSecret(() -> asked.incrementAndGet() == 1
                                        ? Mono.<String>never().doOnCancel(cancelled::incrementAndGet)
                                        : Mono.just("the-client-secret"))
                                .build())
                        .check()
                        .retry(1))
                .expectSubscription()
                .expectNoEvent(Duration.ofSeconds(29))
                .thenAwait(Duration.ofSeconds(1))
                .expectComplete()
                .verify(LIMIT);
        assertThat(asked).hasValue(2);
        assertThat(cancelled).hasValue(1);
    }

    @Test
    void aResolverThatHangsFailsAsSomethingThatPasses() {
        StepVerifier.withVirtualTime(() -> Caracal.create(
                                platform.config().clientSecret(Mono::never).build())
                        .check())
                .thenAwait(Duration.ofSeconds(30))
                .expectErrorSatisfies(e -> assertThat(e)
                        .isInstanceOfSatisfying(TransportException.class, t -> {
                            assertThat(t.isRetryable()).isTrue();
                            assertThat(t.isAmbiguous()).isFalse();
                        })
                        .hasMessageContaining("client secret resolver"))
                .verify(LIMIT);
    }
}
