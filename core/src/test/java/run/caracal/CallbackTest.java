package run.caracal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatNullPointerException;
import static run.caracal.test.FakePlatform.LIMIT;

import java.time.Duration;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Operators;
import reactor.core.scheduler.Schedulers;
import reactor.test.StepVerifier;
import reactor.test.scheduler.VirtualTimeScheduler;
import reactor.util.context.Context;
import reactor.util.context.ContextView;
import run.caracal.error.CallbackException;
import run.caracal.error.InboundException;
import run.caracal.error.SessionCloseException;
import run.caracal.error.TransportException;
import run.caracal.event.CaracalEvent;
import run.caracal.event.OperationListener;
import run.caracal.test.FakePlatform;
import run.caracal.verify.MandateVerifier;

/** Misbehaving functions of the application: nothing hangs, no error is dropped, no session stays open. */
class CallbackTest {
    private static final String FAULT = "the application's own";

    private final FakePlatform platform = new FakePlatform();
    private VirtualTimeScheduler time;
    private Caracal caracal;

    @BeforeEach
    void inVirtualTime() {
        time = VirtualTimeScheduler.getOrSet();
        caracal = platform.client();
    }

    @AfterEach
    void nothingStaysOpen() {
        // Leaves time for terminations in the background.
        platform.nothingStaysOpen(caracal, time, Duration.ofMinutes(2));
    }

    /** How a function misbehaves. */
    enum Misbehaviour {
        THROWS,
        RETURNS_NULL,
        FAILS,
        NEVER_ENDS,
        FAILS_WHEN_NOBODY_WAITS;

        <T> Mono<T> behave() {
            return switch (this) {
                case THROWS -> throw new IllegalStateException(FAULT);
                case RETURNS_NULL -> nothing();
                case FAILS -> Mono.error(new IllegalStateException(FAULT));
                case NEVER_ENDS -> Mono.never();
                // Ignores cancellation.
                case FAILS_WHEN_NOBODY_WAITS ->
                    Mono.fromDirect(subscriber -> {
                        subscriber.onSubscribe(Operators.emptySubscription());
                        var unused = Schedulers.parallel()
                                .schedule(
                                        () -> subscriber.onError(new IllegalStateException("late")),
                                        1,
                                        TimeUnit.MINUTES);
                    });
            };
        }

        @SuppressWarnings({"NullAway", "TypeParameterUnusedInFormals"})
        private static <T> T nothing() {
            return null;
        }

        /** The error of a call whose function fails; its own errors are passed on. */
        void assertTold(Throwable error, String function) {
            switch (this) {
                case THROWS, FAILS ->
                    assertThat(error).isInstanceOf(IllegalStateException.class).hasMessage(FAULT);
                case RETURNS_NULL ->
                    assertThat(error).isInstanceOfSatisfying(CallbackException.class, e -> {
                        assertThat(e).hasMessageStartingWith(function).hasMessageContaining("null");
                        assertThat(e.code()).isEqualTo("callback_without_result");
                        assertThat(e.isRetryable()).isFalse();
                    });
                case NEVER_ENDS, FAILS_WHEN_NOBODY_WAITS ->
                    assertThat(error).isInstanceOfSatisfying(CallbackException.class, e -> {
                        assertThat(e).hasMessageStartingWith(function).hasMessageContaining("did not end");
                        assertThat(e.code()).isEqualTo("callback_timeout");
                        assertThat(e.isRetryable()).isTrue();
                    });
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void aStartHookEndsTheSessionAndFailsTheSpawn(Misbehaviour how) {
        AtomicInteger worked = new AtomicInteger();
        var unused = caracal.onSessionStart(context -> how.behave());
        StepVerifier.create(caracal.spawn(context -> Mono.fromRunnable(worked::incrementAndGet)))
                .then(() -> time.advanceTimeBy(Duration.ofSeconds(30)))
                .expectErrorSatisfies(e -> how.assertTold(e, "A session start hook"))
                .verify(LIMIT);
        assertThat(worked).hasValue(0);
        assertThat(platform.ended()).containsExactly("session-1");
    }

    @ParameterizedTest
    @EnumSource
    void aStartHookFailsTheServiceAndLeavesNoneOpen(Misbehaviour how) {
        var unused = caracal.onSessionStart(context -> how.behave());
        StepVerifier.create(caracal.spawnService())
                .then(() -> time.advanceTimeBy(Duration.ofSeconds(30)))
                .expectErrorSatisfies(e -> how.assertTold(e, "A session start hook"))
                .verify(LIMIT);
        assertThat(platform.ended()).containsExactly("session-1");
    }

    @ParameterizedTest
    @EnumSource
    void anEndHookKeepsNeitherTheResultNorTheTermination(Misbehaviour how) {
        var unused = caracal.onSessionEnd(context -> how.behave());
        StepVerifier.create(caracal.spawn(context -> Mono.just("done")))
                .then(() -> time.advanceTimeBy(Duration.ofSeconds(5)))
                .expectNext("done")
                .expectComplete()
                .verify(LIMIT);
        time.advanceTimeBy(Duration.ofSeconds(1));
        assertThat(platform.ended()).containsExactly("session-1");
    }

    @ParameterizedTest
    @EnumSource(
            mode = EnumSource.Mode.EXCLUDE,
            names = {"NEVER_ENDS", "FAILS_WHEN_NOBODY_WAITS"})
    void anEndHookReplacesTheResultWhereThatIsAskedFor(Misbehaviour how) {
        caracal = Caracal.create(platform.config().failOnCloseError(true).build());
        var unused = caracal.onSessionEnd(context -> how.behave());
        StepVerifier.create(caracal.spawn(context -> Mono.just("done")))
                .expectErrorSatisfies(e -> assertThat(e)
                        .isInstanceOf(SessionCloseException.class)
                        .cause()
                        .satisfies(cause -> how.assertTold(cause, "A session end hook")))
                .verify(LIMIT);
        assertThat(platform.ended()).containsExactly("session-1");
    }

    @ParameterizedTest
    @EnumSource
    void aHealthFunctionCostsOneRenewal(Misbehaviour how) {
        AtomicInteger asked = new AtomicInteger();
        ServiceAgent agent = Objects.requireNonNull(caracal.spawnService(ServiceOptions.builder()
                        .health(() -> asked.incrementAndGet() == 1 ? how.behave() : Mono.just(Health.HEALTHY))
                        .build())
                .block(LIMIT));
        StepVerifier.create(agent.heartbeat())
                .then(() -> time.advanceTimeBy(Duration.ofSeconds(10)))
                .expectErrorSatisfies(e -> {
                    switch (how) {
                        case NEVER_ENDS, FAILS_WHEN_NOBODY_WAITS ->
                            assertThat(e)
                                    .isInstanceOf(TransportException.class)
                                    .hasMessageContainingAll(agent.agentSessionId(), "health function");
                        default -> how.assertTold(e, "The health function");
                    }
                })
                .verify(LIMIT);
        assertThat(platform.requests(FakePlatform::isHeartbeat)).isEmpty();
        StepVerifier.create(agent.heartbeat())
                .then(() -> time.advanceTimeBy(Duration.ofSeconds(1)))
                .expectNextCount(1)
                .expectComplete()
                .verify(LIMIT);
        assertThat(agent.state()).isEqualTo(ServiceAgent.State.ACTIVE);
        StepVerifier.create(agent.disposeLater())
                .then(() -> time.advanceTimeBy(Duration.ofSeconds(1)))
                .expectComplete()
                .verify(LIMIT);
    }

    @ParameterizedTest
    @EnumSource
    void aVerifierThatCannotTellLetsNobodyIn(Misbehaviour how) {
        MandateVerifier verifier = (bearer, requirements) -> how.behave();
        StepVerifier.create(caracal.bindFromHeaders(
                        Map.of("Authorization", "Bearer token"), Boundary.verified(verifier), Mono.just("in")))
                .then(() -> time.advanceTimeBy(Duration.ofSeconds(30)))
                .expectErrorSatisfies(e -> assertThat(e)
                        .isInstanceOfSatisfying(
                                InboundException.class,
                                refused -> assertThat(refused.reason())
                                        .isEqualTo(InboundException.Reason.VERIFIER_UNAVAILABLE))
                        .cause()
                        .satisfies(cause -> how.assertTold(cause, "The verifier")))
                .verify(LIMIT);
    }

    @Nested
    class AtOnce {
        @Test
        void anEditOfConstraintsThatReturnsNullIsNamed() {
            assertThatNullPointerException()
                    .isThrownBy(() -> Grant.narrow("a").constraints(c -> Misbehaviour.nothing()))
                    .withMessageContaining("constraints");
            assertThatNullPointerException()
                    .isThrownBy(() -> DelegationSpec.builder().constraints(c -> Misbehaviour.nothing()))
                    .withMessageContaining("constraints");
        }

        @Test
        void anOperationOutlivesAListenerWithoutAContext() {
            var unused = caracal.onOperation(new OperationListener() {
                @Override
                public Context started(Class<? extends CaracalEvent> kind, Context context) {
                    return Misbehaviour.nothing();
                }

                @Override
                public void ended(CaracalEvent event, ContextView context) {}
            });
            StepVerifier.create(caracal.spawn(context -> Mono.just("done")))
                    .expectNext("done")
                    .expectComplete()
                    .verify(LIMIT);
        }
    }

    @Nested
    class Resolvers {
        @ParameterizedTest
        @EnumSource
        void aSecretResolverFailsTheCallAndIsAskedAnew(Misbehaviour how) {
            AtomicInteger asked = new AtomicInteger();
            caracal = Caracal.create(platform.config()
                    .clientSecret(() -> asked.incrementAndGet() == 1 ? how.behave() : Mono.just("the-client-secret"))
                    .build());
            StepVerifier.create(caracal.check())
                    .then(() -> time.advanceTimeBy(Duration.ofSeconds(30)))
                    .expectErrorSatisfies(e -> {
                        switch (how) {
                            case NEVER_ENDS, FAILS_WHEN_NOBODY_WAITS ->
                                assertThat(e).isInstanceOf(TransportException.class);
                            default -> how.assertTold(e, "The client secret resolver");
                        }
                    })
                    .verify(LIMIT);
            StepVerifier.create(caracal.check()).expectComplete().verify(LIMIT);
        }
    }
}
