package run.caracal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;
import static run.caracal.test.FakePlatform.LIMIT;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import reactor.core.publisher.Mono;
import reactor.test.StepVerifier;
import reactor.test.scheduler.VirtualTimeScheduler;
import run.caracal.error.CoordinatorException;
import run.caracal.error.TransportException;
import run.caracal.event.CaracalEvent.TerminationPending;
import run.caracal.event.CaracalEvent.TerminationSettled;
import run.caracal.event.Completion.Outcome;
import run.caracal.http.HttpRequest;
import run.caracal.http.HttpResponse;
import run.caracal.test.FakePlatform;

/** Sessions that a failed call may have left open are terminated in the background. */
class PendingTerminationsTest {
    private static TransportException refused() {
        return new TransportException(TransportException.Kind.CONNECT, "refused", null);
    }

    private static TransportException lost() {
        return new TransportException(TransportException.Kind.IO, "lost", null);
    }

    private final FakePlatform platform = new FakePlatform();
    private final Queue<TerminationPending> takenOver = new ConcurrentLinkedQueue<>();
    private final Queue<TerminationSettled> settled = new ConcurrentLinkedQueue<>();
    private VirtualTimeScheduler time;
    private Caracal caracal;

    @BeforeEach
    void virtualTime() {
        time = VirtualTimeScheduler.getOrSet();
        caracal = platform.client();
        var unused = caracal.onOperation((event, context) -> {
            if (event instanceof TerminationPending pending) {
                takenOver.add(pending);
            } else if (event instanceof TerminationSettled end) {
                settled.add(end);
            }
        });
    }

    @AfterEach
    void realTime() {
        caracal.dispose();
        time.advanceTimeBy(Duration.ofMinutes(2));
        VirtualTimeScheduler.reset();
    }

    private void answers(int times, Predicate<HttpRequest> which, UnaryOperator<Mono<HttpResponse>> answer) {
        for (int i = 0; i < times; i++) {
            platform.next(which, answer);
        }
    }

    private static UnaryOperator<Mono<HttpResponse>> status(int status, String body) {
        return real -> Mono.just(FakePlatform.answer(status, body));
    }

    private static UnaryOperator<Mono<HttpResponse>> fails(Throwable error) {
        return real -> Mono.error(error);
    }

    private void spawn() {
        StepVerifier.create(caracal.spawn(context -> Mono.just("done")))
                .then(() -> time.advanceTimeBy(Duration.ofMillis(960)))
                .expectNext("done")
                .expectComplete()
                .verify(LIMIT);
    }

    @Nested
    class Terminating {
        @ParameterizedTest
        @ValueSource(strings = {"{\"error\":\"rate_limited\"}", "<html>Too many</html>", ""})
        void aRateLimitIsOutlastedWhateverItsBody(String body) {
            answers(6, FakePlatform::isTerminate, status(429, body));
            spawn();
            assertThat(caracal.pendingTerminations()).isOne();
            assertThat(platform.live()).hasSize(1);

            time.advanceTimeBy(Duration.ofMinutes(2));

            assertThat(platform.live()).isEmpty();
            assertThat(caracal.pendingTerminations()).isZero();
            assertThat(takenOver).singleElement().satisfies(event -> {
                assertThat(event.agentSessionId()).isEqualTo("session-1");
                assertThat(event.pending()).isOne();
                assertThat(event.completion().status()).isEqualTo(429);
            });
            assertThat(settled).singleElement().satisfies(event -> {
                assertThat(event.agentSessionId()).isEqualTo("session-1");
                assertThat(event.completion().outcome()).isEqualTo(Outcome.SUCCESS);
            });
        }

        @Test
        void anAnswerThatNeverComesIsOutlasted() {
            answers(3, FakePlatform::isTerminate, fails(lost()));
            spawn();
            assertThat(caracal.pendingTerminations()).isOne();
            time.advanceTimeBy(Duration.ofSeconds(2));
            assertThat(caracal.pendingTerminations()).isZero();
            assertThat(platform.live()).isEmpty();
        }

        @Test
        void thePausesGrowToAMinute() {
            answers(1_000, FakePlatform::isTerminate, fails(refused()));
            spawn();
            int before = platform.requests(FakePlatform::isTerminate).size();
            time.advanceTimeBy(Duration.ofMinutes(10));
            // 1, 2, 4, 8, 16, 32, then 60 seconds, each with up to a fifth of jitter.
            assertThat(platform.requests(FakePlatform::isTerminate).size() - before)
                    .isBetween(12, 16);
        }

        @Test
        void retryAfterWins() {
            answers(
                    1,
                    FakePlatform::isTerminate,
                    real -> Mono.just(
                            new HttpResponse(429, Map.of("Retry-After", "3600"), "".getBytes(StandardCharsets.UTF_8))));
            answers(
                    2,
                    FakePlatform::isTerminate,
                    real -> Mono.just(
                            new HttpResponse(429, Map.of("Retry-After", "30"), "".getBytes(StandardCharsets.UTF_8))));
            StepVerifier.create(caracal.spawn(context -> Mono.just("done")))
                    .then(() -> time.advanceTimeBy(Duration.ofSeconds(25)))
                    .expectNext("done")
                    .expectComplete()
                    .verify(LIMIT);
            int before = platform.requests(FakePlatform::isTerminate).size();
            time.advanceTimeBy(Duration.ofMinutes(5));
            assertThat(platform.live()).isEmpty();
            assertThat(before).isEqualTo(3);
        }

        @Test
        void aSessionThatIsGoneCountsAsEnded() {
            answers(4, FakePlatform::isTerminate, status(503, ""));
            answers(1, FakePlatform::isTerminate, status(404, "{\"error\":\"session_not_found\"}"));
            spawn();
            time.advanceTimeBy(Duration.ofMinutes(1));
            assertThat(caracal.pendingTerminations()).isZero();
            assertThat(settled)
                    .singleElement()
                    .satisfies(e -> assertThat(e.completion().outcome()).isEqualTo(Outcome.SUCCESS));
        }

        @Test
        void aRefusalIsReportedAndGivenUp() {
            answers(3, FakePlatform::isTerminate, status(503, ""));
            answers(1, FakePlatform::isTerminate, status(403, "{\"error\":\"missing_scope\"}"));
            spawn();
            time.advanceTimeBy(Duration.ofMinutes(1));
            assertThat(caracal.pendingTerminations()).isZero();
            assertThat(settled).singleElement().satisfies(event -> {
                assertThat(event.completion().outcome()).isEqualTo(Outcome.FAILURE);
                assertThat(event.completion().code()).isEqualTo("missing_scope");
            });
        }

        @Test
        void theTtlOfTheSessionEndsTheAttempts() {
            answers(10_000, FakePlatform::isTerminate, fails(refused()));
            SpawnOptions options =
                    SpawnOptions.builder().ttl(Duration.ofMinutes(5)).build();
            StepVerifier.create(caracal.spawn(options, context -> Mono.just("done")))
                    .then(() -> time.advanceTimeBy(Duration.ofSeconds(1)))
                    .expectNext("done")
                    .expectComplete()
                    .verify(LIMIT);
            time.advanceTimeBy(Duration.ofMinutes(7));
            int sent = platform.requests(FakePlatform::isTerminate).size();
            time.advanceTimeBy(Duration.ofMinutes(30));
            assertThat(caracal.pendingTerminations()).isZero();
            assertThat(platform.requests(FakePlatform::isTerminate)).hasSize(sent);
        }

        @Test
        void oneThatFailsForItselfDoesNotKeepTheOthers() {
            answers(300, r -> FakePlatform.isTerminate(r) && r.uri().getPath().endsWith("/session-1"), status(500, ""));
            answers(9, r -> FakePlatform.isTerminate(r) && !r.uri().getPath().endsWith("/session-1"), status(503, ""));
            for (int i = 0; i < 4; i++) {
                spawn();
            }
            time.advanceTimeBy(Duration.ofMinutes(5));
            assertThat(platform.live()).containsExactly("session-1");
            assertThat(caracal.pendingTerminations()).isOne();
        }
    }

    @Nested
    class Opening {
        @Test
        void aLostAnswerBeforeAClosedPortIsAmbiguousAndEndedLater() {
            platform.nextLost(FakePlatform::isOpen, lost());
            answers(4, FakePlatform::isOpen, fails(refused()));
            StepVerifier.create(caracal.spawn(context -> Mono.just("done")))
                    .then(() -> time.advanceTimeBy(Duration.ofMillis(960)))
                    .expectErrorSatisfies(e -> assertThat(e).isInstanceOfSatisfying(TransportException.class, lost -> {
                        assertThat(lost.kind()).isEqualTo(TransportException.Kind.CONNECT);
                        assertThat(lost.isAmbiguous()).isTrue();
                    }))
                    .verify(LIMIT);
            assertThat(platform.live()).containsExactly("session-1");
            assertThat(caracal.pendingTerminations()).isOne();

            time.advanceTimeBy(Duration.ofMinutes(1));

            assertThat(platform.live()).isEmpty();
            assertThat(platform.opened()).isOne();
            assertThat(caracal.pendingTerminations()).isZero();
            List<HttpRequest> openings = platform.requests(FakePlatform::isOpen);
            assertThat(openings)
                    .hasSizeGreaterThan(4)
                    .extracting(
                            r -> r.headers().get("Idempotency-Key"),
                            r -> r.headers().get("Authorization"))
                    .containsOnly(tuple(
                            openings.get(0).headers().get("Idempotency-Key"),
                            openings.get(0).headers().get("Authorization")));
        }

        /** The platform ends no service without the generation of its lease. */
        @Test
        void aServiceWhoseAnswerWasLostIsEndedWithItsFirstGeneration() {
            platform.nextLost(FakePlatform::isOpen, lost());
            answers(2, FakePlatform::isOpen, fails(refused()));
            StepVerifier.create(caracal.spawnService())
                    .then(() -> time.advanceTimeBy(Duration.ofSeconds(2)))
                    .expectError(TransportException.class)
                    .verify(LIMIT);
            time.advanceTimeBy(Duration.ofSeconds(5));
            assertThat(platform.live()).isEmpty();
            assertThat(platform.requests(FakePlatform::isTerminate))
                    .singleElement()
                    .satisfies(end -> assertThat(FakePlatform.body(end)).isEqualTo("{\"lease_generation\":1}"));
        }

        @Test
        void aCancelledCallerLeavesNothingOpenBehindALostAnswerAndAClosedPort() {
            platform.nextLost(FakePlatform::isOpen, lost());
            answers(4, FakePlatform::isOpen, fails(refused()));
            caracal.spawn(context -> Mono.never()).subscribe().dispose();
            time.advanceTimeBy(Duration.ofMinutes(1));
            assertThat(platform.live()).isEmpty();
            assertThat(caracal.pendingTerminations()).isZero();
        }

        @Test
        void anOpeningThatNeverArrivedIsNotReplayed() {
            answers(3, FakePlatform::isOpen, fails(refused()));
            StepVerifier.create(caracal.spawn(context -> Mono.just("done")))
                    .then(() -> time.advanceTimeBy(Duration.ofMillis(960)))
                    .expectErrorSatisfies(e ->
                            assertThat(((TransportException) e).isAmbiguous()).isFalse())
                    .verify(LIMIT);
            assertThat(caracal.pendingTerminations()).isZero();
        }

        @Test
        void aKeyOfTheCallersOwnStaysTheCallers() {
            answers(3, FakePlatform::isOpen, real -> real.then(Mono.error(lost())));
            SpawnOptions options = SpawnOptions.builder().idempotencyKey("mine").build();
            StepVerifier.create(caracal.spawn(options, context -> Mono.just("done")))
                    .then(() -> time.advanceTimeBy(Duration.ofMillis(960)))
                    .expectError(TransportException.class)
                    .verify(LIMIT);
            assertThat(caracal.pendingTerminations()).isZero();
        }

        @Test
        void aConflictWithTheOwnLostAttemptIsReportedAndGivenUp() {
            platform.nextLost(FakePlatform::isOpen, lost());
            answers(2, FakePlatform::isOpen, fails(refused()));
            answers(1, FakePlatform::isOpen, status(409, "{\"error\":\"idempotency_key_conflict\"}"));
            caracal.spawn(context -> Mono.never()).subscribe().dispose();
            time.advanceTimeBy(Duration.ofMinutes(1));
            assertThat(settled)
                    .singleElement()
                    .satisfies(event -> assertThat(event.completion().code()).isEqualTo("idempotency_key_conflict"));
            assertThat(caracal.pendingTerminations()).isZero();
        }

        /** It knows neither the key nor the session, so the replay opens a new one. */
        @Test
        void aCoordinatorThatWasReplacedByAnEmptyOneKeepsNoSession() {
            platform.nextLost(FakePlatform::isOpen, lost());
            answers(2, FakePlatform::isOpen, fails(refused()));
            answers(1, FakePlatform::isOpen, status(201, "{\"agent_session_id\":\"session-of-the-replay\"}"));
            caracal.spawn(context -> Mono.never()).subscribe().dispose();
            platform.live().clear();
            time.advanceTimeBy(Duration.ofMinutes(1));
            assertThat(platform.requests(FakePlatform::isTerminate))
                    .singleElement()
                    .satisfies(sent -> assertThat(sent.uri().getPath()).endsWith("/session-of-the-replay"));
            assertThat(settled).singleElement().satisfies(event -> {
                assertThat(event.agentSessionId()).isEqualTo("session-of-the-replay");
                assertThat(event.completion().outcome()).isEqualTo(Outcome.SUCCESS);
            });
        }

        @Test
        void aRefusedReplayMeansThatThereIsNoSession() {
            answers(3, FakePlatform::isOpen, status(503, ""));
            answers(1, FakePlatform::isOpen, status(403, "{\"error\":\"missing_scope\"}"));
            StepVerifier.create(caracal.spawn(context -> Mono.just("done")))
                    .then(() -> time.advanceTimeBy(Duration.ofMillis(960)))
                    .expectErrorSatisfies(e -> assertThat(((CoordinatorException) e).isOutcomeUnknown())
                            .isTrue())
                    .verify(LIMIT);
            time.advanceTimeBy(Duration.ofMinutes(1));
            assertThat(caracal.pendingTerminations()).isZero();
            assertThat(settled)
                    .singleElement()
                    .satisfies(event -> assertThat(event.completion().outcome()).isEqualTo(Outcome.SUCCESS));
        }
    }

    @Nested
    class Closing {
        @Test
        void whatIsLeftIsTriedOnceMore() {
            answers(3, FakePlatform::isTerminate, status(503, ""));
            spawn();
            assertThat(caracal.pendingTerminations()).isOne();
            StepVerifier.create(caracal.disposeLater()).expectComplete().verify(LIMIT);
            assertThat(platform.live()).isEmpty();
            assertThat(caracal.pendingTerminations()).isZero();
        }

        @Test
        void whatCannotBeEndedIsReported() {
            answers(20, FakePlatform::isTerminate, status(503, ""));
            for (int i = 0; i < 3; i++) {
                spawn();
            }
            StepVerifier.create(caracal.disposeLater()).expectComplete().verify(LIMIT);
            assertThat(settled)
                    .extracting(TerminationSettled::agentSessionId)
                    .containsExactlyInAnyOrder("session-1", "session-2", "session-3");
            assertThat(settled)
                    .allSatisfy(
                            event -> assertThat(event.completion().outcome()).isEqualTo(Outcome.FAILURE));
        }

        @Test
        void aStalledCoordinatorDoesNotHoldTheClose() {
            answers(3, FakePlatform::isTerminate, status(503, ""));
            answers(1, FakePlatform::isTerminate, real -> Mono.never());
            spawn();
            StepVerifier.create(caracal.disposeLater())
                    .then(() -> time.advanceTimeBy(Duration.ofSeconds(20)))
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(settled).hasSize(1);
        }
    }
}
