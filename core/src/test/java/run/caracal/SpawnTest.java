package run.caracal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static run.caracal.test.FakePlatform.LIMIT;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import reactor.core.Disposable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;
import reactor.core.scheduler.Schedulers;
import reactor.test.StepVerifier;
import run.caracal.error.ClosedException;
import run.caracal.error.CoordinatorException;
import run.caracal.error.ProtocolException;
import run.caracal.error.SessionCloseException;
import run.caracal.error.SessionReplayedException;
import run.caracal.error.TransportException;
import run.caracal.event.CaracalEvent;
import run.caracal.event.Completion;
import run.caracal.http.HttpRequest;
import run.caracal.http.HttpResponse;
import run.caracal.test.FakePlatform;

class SpawnTest {
    @RegisterExtension
    private final FakePlatform platform = new FakePlatform();

    private final Caracal caracal = platform.client();

    private static TransportException lost() {
        return new TransportException(TransportException.Kind.IO, "lost", null);
    }

    private static void subscribeAndCancel(Mono<?> work) {
        work.subscribe().dispose();
    }

    private Mono<String> id() {
        return caracal.current().map(CaracalContext::agentSessionId);
    }

    @Nested
    class Opening {
        @Test
        void isLazyAndOpensASessionForEachSubscription() {
            Mono<String> work = caracal.spawn(context -> id());
            assertThat(platform.requests(r -> true)).isEmpty();
            StepVerifier.create(work).expectNext("session-1").expectComplete().verify(LIMIT);
            StepVerifier.create(work).expectNext("session-2").expectComplete().verify(LIMIT);
            assertThat(platform.ended()).containsExactly("session-1", "session-2");
        }

        @Test
        void cancelWhileOpeningTerminatesWhatOpensLater() {
            Sinks.Empty<Void> gate = Sinks.empty();
            platform.next(FakePlatform::isOpen, real -> real.delayUntil(r -> gate.asMono()));
            subscribeAndCancel(caracal.spawn(context -> id()));
            assertThat(platform.live()).containsExactly("session-1");
            gate.tryEmitEmpty().orThrow();
            assertThat(platform.ended()).containsExactly("session-1");
        }

        @Test
        void theDetachedOpenRetriesWhatIsAmbiguousToLearnTheId() {
            Sinks.Empty<Void> gate = Sinks.empty();
            platform.next(FakePlatform::isOpen, real -> real.then(gate.asMono()).then(Mono.error(lost())));
            subscribeAndCancel(caracal.spawn(context -> id()));
            assertThat(platform.live()).hasSize(1);
            gate.tryEmitEmpty().orThrow();
            StepVerifier.create(caracal.disposeLater()).expectComplete().verify(LIMIT);
            assertThat(platform.requests(FakePlatform::isOpen)).hasSize(2);
            assertThat(platform.opened()).isEqualTo(1);
            assertThat(platform.ended()).containsExactly("session-1");
        }

        @Test
        void theDetachedOpenStopsWhereNothingWasOpened() {
            Sinks.Empty<Void> gate = Sinks.empty();
            platform.next(
                    FakePlatform::isOpen,
                    real -> gate.asMono()
                            .then(Mono.error(
                                    new TransportException(TransportException.Kind.CONNECT, "refused", null))));
            subscribeAndCancel(caracal.spawn(context -> id()));
            gate.tryEmitEmpty().orThrow();
            assertThat(platform.requests(FakePlatform::isOpen)).hasSize(1);
            assertThat(platform.opened()).isZero();
        }

        /** The answer is lost, the session exists once, and one key goes through all attempts. */
        @Test
        void aLostAnswerNeverLeavesASecondSession() {
            platform.nextLost(FakePlatform::isOpen, lost());
            platform.nextLost(FakePlatform::isOpen, lost());
            StepVerifier.withVirtualTime(() -> platform.client().spawn(context -> id()))
                    .thenAwait(Duration.ofSeconds(2))
                    .expectNext("session-1")
                    .expectComplete()
                    .verify(LIMIT);
            List<HttpRequest> attempts = platform.requests(FakePlatform::isOpen);
            assertThat(attempts).hasSize(3);
            FakePlatform.assertOneValue(attempts, "Idempotency-Key");
            FakePlatform.assertOneValue(attempts, "Authorization");
            assertThat(attempts).allMatch(r -> "generated".equals(FakePlatform.header(r, "Idempotency-Key-Kind")));
            assertThat(platform.opened()).isEqualTo(1);
        }

        @Test
        void eachSubscriptionHasItsOwnKey() {
            Mono<String> work = caracal.spawn(context -> id());
            StepVerifier.create(work.then(work))
                    .expectNext("session-2")
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(platform.requests(FakePlatform::isOpen).stream()
                            .map(r -> FakePlatform.header(r, "Idempotency-Key"))
                            .distinct())
                    .hasSize(2);
        }

        @Test
        void aReplayOfTheCallersOwnKeyIsAnErrorAndLeavesTheSession() {
            SpawnOptions options =
                    SpawnOptions.builder().idempotencyKey("order-7").build();
            Sinks.One<String> first = Sinks.one();
            Disposable owner = caracal.spawn(options, context -> first.asMono()).subscribe();
            StepVerifier.create(caracal.spawn(options, context -> id()))
                    .expectErrorSatisfies(e -> assertThat(e)
                            .isInstanceOfSatisfying(
                                    SessionReplayedException.class,
                                    r -> assertThat(r.agentSessionId()).isEqualTo("session-1")))
                    .verify(LIMIT);
            assertThat(platform.live()).containsExactly("session-1");
            assertThat(platform.requests(FakePlatform::isOpen))
                    .allMatch(r -> FakePlatform.header(r, "Idempotency-Key-Kind") == null);
            first.tryEmitValue("done").orThrow();
            assertThat(platform.ended()).containsExactly("session-1");
            assertThat(owner.isDisposed()).isTrue();
        }

        @Test
        void aReplayIsTakenOverWhenAskedFor() {
            SpawnOptions options =
                    SpawnOptions.builder().idempotencyKey("order-7").build();
            Disposable lostOwner =
                    caracal.spawn(options, context -> Mono.never()).subscribe();
            StepVerifier.create(caracal.spawn(options.mutate().adopt(true).build(), context -> id()))
                    .expectNext("session-1")
                    .expectComplete()
                    .verify(LIMIT);
            lostOwner.dispose();
            assertThat(platform.ended()).containsExactly("session-1");
        }

        @Test
        void aRefusedTokenIsDroppedOnce() {
            platform.nextAnswer(FakePlatform::isOpen, 401, "{\"error\":\"identity_revoked\"}");
            StepVerifier.create(caracal.spawn(context -> id()))
                    .expectNext("session-1")
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(platform.requests(FakePlatform::isOpen))
                    .extracting(r -> FakePlatform.header(r, "Authorization"))
                    .containsExactly("Bearer token-1", "Bearer token-2");
        }

        /** A second 401 surfaces. */
        @Test
        void aSecondRefusalSurfaces() {
            platform.nextAnswer(FakePlatform::isOpen, 401, "{\"error\":\"invalid_token\"}");
            platform.nextAnswer(FakePlatform::isOpen, 401, "{\"error\":\"invalid_token\"}");
            StepVerifier.create(caracal.spawn(context -> id()))
                    .expectErrorSatisfies(e -> assertThat(e)
                            .isInstanceOfSatisfying(
                                    CoordinatorException.class,
                                    c -> assertThat(c.httpStatus()).isEqualTo(401)))
                    .verify(LIMIT);
            assertThat(platform.requests(FakePlatform::isOpen)).hasSize(2);
        }

        @Test
        void noNewTokenOnceAnAttemptIsAmbiguous() {
            assertThatTheOutcomeIsUnknownAfter(401, "invalid_token");
            assertThat(platform.requests(FakePlatform::isToken)).hasSize(1);
        }

        @Test
        void aConflictAfterAnAmbiguousAttemptSaysThatTheOutcomeIsUnknown() {
            assertThatTheOutcomeIsUnknownAfter(409, "idempotency_key_conflict");
        }

        /** The first answer is lost, the second attempt is refused. */
        private void assertThatTheOutcomeIsUnknownAfter(int status, String code) {
            platform.nextLost(FakePlatform::isOpen, lost());
            platform.nextAnswer(FakePlatform::isOpen, status, "{\"error\":\"" + code + "\"}");
            StepVerifier.withVirtualTime(() -> platform.client().spawn(context -> id()))
                    .thenAwait(Duration.ofSeconds(2))
                    .expectErrorSatisfies(e -> assertThat(e)
                            .isInstanceOfSatisfying(
                                    CoordinatorException.class,
                                    c -> assertThat(c.isOutcomeUnknown()).isTrue()))
                    .verify(LIMIT);
            platform.live().clear();
        }

        /** That nothing was sent is true of the second attempt only. */
        @Test
        void aTransportThatClosesBetweenTheAttemptsLeavesTheOutcomeUnknown() {
            platform.nextLost(FakePlatform::isOpen, lost());
            platform.next(FakePlatform::isOpen, real -> Mono.error(new ClosedException("closed; nothing was sent")));
            StepVerifier.withVirtualTime(() -> platform.client().spawn(context -> id()))
                    .thenAwait(Duration.ofSeconds(2))
                    .expectErrorSatisfies(e -> assertThat(e)
                            .isInstanceOfSatisfying(
                                    TransportException.class,
                                    error -> assertThat(error.isAmbiguous()).isTrue()))
                    .verify(LIMIT);
            platform.live().clear();
        }

        @Test
        void otherRefusalsAreNotRetried() {
            for (int status : new int[] {400, 403, 404, 409, 429}) {
                int before = platform.requests(FakePlatform::isOpen).size();
                platform.nextAnswer(FakePlatform::isOpen, status, "{\"error\":\"some_code\"}");
                StepVerifier.create(caracal.spawn(context -> id()))
                        .expectErrorSatisfies(e -> assertThat(e)
                                .isInstanceOfSatisfying(
                                        CoordinatorException.class,
                                        c -> assertThat(c.httpStatus()).isEqualTo(status)))
                        .verify(LIMIT);
                assertThat(platform.requests(FakePlatform::isOpen)).hasSize(before + 1);
            }
        }

        @Test
        void retryAfterWinsAndIsCapped() {
            platform.next(
                    FakePlatform::isOpen,
                    real -> Mono.just(new HttpResponse(
                            429,
                            Map.of("Retry-After", "3600"),
                            "{\"error\":\"rate_limited\"}".getBytes(StandardCharsets.UTF_8))));
            StepVerifier.withVirtualTime(() -> platform.client().spawn(context -> id()))
                    .expectSubscription()
                    .expectNoEvent(Duration.ofSeconds(10).minusMillis(1))
                    .thenAwait(Duration.ofMillis(200))
                    .expectNext("session-1")
                    .expectComplete()
                    .verify(LIMIT);
        }

        @Test
        void givesUpAfterTwoRetries() {
            for (int i = 0; i < 3; i++) {
                platform.nextAnswer(FakePlatform::isOpen, 503, "{\"error\":\"unavailable\"}");
            }
            StepVerifier.withVirtualTime(() -> platform.client().spawn(context -> id()))
                    .thenAwait(Duration.ofSeconds(1))
                    .expectError(CoordinatorException.class)
                    .verify(LIMIT);
            assertThat(platform.requests(FakePlatform::isOpen)).hasSize(3);
        }

        @Test
        void theRequestSaysWhatTheOptionsSay() {
            SpawnOptions options = SpawnOptions.builder()
                    .labels("exporter", "eu")
                    .ttl(Duration.ofMinutes(10))
                    .metadata(Map.of("purpose", "invoices"))
                    .kind("ephemeral")
                    .subjectAuthorityRecordId("record-1")
                    .traceId("4bf92f3577b34da6a3ce929d0e0e4736")
                    .build();
            StepVerifier.create(caracal.spawn(options, Mono::just))
                    .assertNext(context -> {
                        assertThat(context.traceId()).isEqualTo("4bf92f3577b34da6a3ce929d0e0e4736");
                        assertThat(context.authorityRecordId()).contains("record-1");
                    })
                    .expectComplete()
                    .verify(LIMIT);
            HttpRequest open = platform.requests(FakePlatform::isOpen).get(0);
            assertThat(FakePlatform.body(open))
                    .contains(
                            "\"labels\":[\"exporter\",\"eu\"]",
                            "\"ttl_seconds\":600",
                            "\"purpose\":\"invoices\"",
                            "\"kind\":\"ephemeral\"",
                            "\"subject_session_id\":\"record-1\"",
                            "\"lifecycle\":\"task\"");
            assertThat(FakePlatform.header(open, "traceparent")).startsWith("00-4bf92f3577b34da6a3ce929d0e0e4736-");
        }

        @Test
        void aTaskAlwaysCarriesATtl() {
            StepVerifier.create(caracal.spawn(context -> Mono.empty()))
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(FakePlatform.body(platform.requests(FakePlatform::isOpen).get(0)))
                    .contains("\"ttl_seconds\":3600");
        }

        @Test
        void wrongOptionsThrowAtOnceAndNameTheField() {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> SpawnOptions.builder().labels("x".repeat(65)))
                    .withMessageContaining("labels");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> SpawnOptions.builder().labels(Collections.nCopies(33, "l")))
                    .withMessageContaining("labels");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> SpawnOptions.builder().ttl(Duration.ZERO))
                    .withMessageContaining("ttl");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> SpawnOptions.builder().ttl(Duration.ofSeconds(86_401)))
                    .withMessageContaining("ttl");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> SpawnOptions.builder().traceId("0".repeat(32)))
                    .withMessageContaining("traceId");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> SpawnOptions.builder().idempotencyKey(" padded"))
                    .withMessageContaining("idempotencyKey");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> SpawnOptions.builder().metadata(Map.of("x", new Object())))
                    .withMessageContaining("metadata");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> SpawnOptions.builder().metadata(Map.of("x", "y".repeat(70_000))))
                    .withMessageContaining("metadata");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> SpawnOptions.builder().subjectAuthorityRecordId(".."))
                    .withMessageContaining("subjectAuthorityRecordId");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> SpawnOptions.builder().adopt(true).build())
                    .withMessageContaining("idempotencyKey");
            assertThat(SpawnOptions.builder()
                            .labels("a")
                            .build()
                            .mutate()
                            .build()
                            .labels())
                    .containsExactly("a");
        }

        /** The answer cannot be used, but the session that it names is open. */
        @Test
        void anUnreadableAnswerDoesNotLeaveTheSessionOpen() {
            platform.next(
                    FakePlatform::isOpen,
                    real -> real.then(Mono.just(
                            FakePlatform.answer(201, "{\"agent_session_id\":\"session-1\",\"lease_generation\":{}}"))));
            StepVerifier.create(caracal.spawnService())
                    .expectError(ProtocolException.class)
                    .verify(LIMIT);
            assertThat(platform.ended()).containsExactly("session-1");
        }
    }

    @Nested
    class Terminating {
        @Test
        void terminatesOnCompletionErrorAndCancel() {
            StepVerifier.create(caracal.spawn(context -> Mono.empty()))
                    .expectComplete()
                    .verify(LIMIT);
            StepVerifier.create(caracal.spawn(context -> Mono.error(new IllegalStateException("work"))))
                    .expectErrorMessage("work")
                    .verify(LIMIT);
            StepVerifier.create(caracal.spawn(context -> {
                        throw new IllegalStateException("assembly");
                    }))
                    .expectErrorMessage("assembly")
                    .verify(LIMIT);
            subscribeAndCancel(caracal.spawn(context -> Mono.never()));
            StepVerifier.create(caracal.spawnMany(context -> Flux.range(0, 10)), 3)
                    .expectNext(0, 1, 2)
                    .thenCancel()
                    .verify(LIMIT);
            assertThat(platform.opened()).isEqualTo(5);
            assertThat(platform.ended()).hasSize(5);
        }

        @Test
        void alreadyGoneCountsAsTerminated() {
            platform.nextAnswer(FakePlatform::isTerminate, 404, "{\"error\":\"session_not_found\"}");
            platform.nextAnswer(FakePlatform::isTerminate, 409, "{\"error\":\"already_terminated\"}");
            Mono<String> work = caracal.spawn(context -> id());
            StepVerifier.create(work).expectNext("session-1").expectComplete().verify(LIMIT);
            StepVerifier.create(work).expectNext("session-2").expectComplete().verify(LIMIT);
            assertThat(platform.requests(FakePlatform::isTerminate)).hasSize(2);
            platform.live().clear();
        }

        @Test
        void aFailedTerminationLeavesTheResult() {
            platform.nextAnswer(FakePlatform::isTerminate, 403, "{\"error\":\"missing_scope\"}");
            StepVerifier.create(caracal.spawn(context -> id()))
                    .expectNext("session-1")
                    .expectComplete()
                    .verify(LIMIT);
            platform.live().clear();
        }

        @Test
        void aFailedTerminationIsSuppressedInTheErrorOfTheWork() {
            platform.nextAnswer(FakePlatform::isTerminate, 403, "{\"error\":\"missing_scope\"}");
            StepVerifier.create(caracal.spawn(context -> Mono.error(new IllegalStateException("work"))))
                    .expectErrorSatisfies(e -> {
                        assertThat(e).isInstanceOf(IllegalStateException.class).hasMessage("work");
                        assertThat(e.getSuppressed()).hasAtLeastOneElementOfType(CoordinatorException.class);
                    })
                    .verify(LIMIT);
            platform.live().clear();
        }

        @Test
        void aFailedTerminationIsATypedErrorWhenTheConfigurationAsksForIt() {
            Caracal strict =
                    Caracal.create(platform.config().failOnCloseError(true).build());
            platform.nextAnswer(FakePlatform::isTerminate, 403, "{\"error\":\"missing_scope\"}");
            StepVerifier.create(strict.spawn(context -> id()))
                    .expectErrorSatisfies(e -> assertThat(e)
                            .isInstanceOf(SessionCloseException.class)
                            .hasCauseInstanceOf(CoordinatorException.class))
                    .verify(LIMIT);
            platform.live().clear();
            StepVerifier.create(strict.disposeLater()).expectComplete().verify(LIMIT);
        }

        @Test
        void theTerminationRetriesAndGoesOnInTheBackground() {
            Sinks.Empty<Void> gate = Sinks.empty();
            platform.next(FakePlatform::isTerminate, real -> gate.asMono().then(real));
            StepVerifier.withVirtualTime(() -> platform.client().spawn(context -> id()))
                    .expectSubscription()
                    .thenAwait(Duration.ofSeconds(5))
                    .expectNext("session-1")
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(platform.live()).containsExactly("session-1");
            gate.tryEmitEmpty().orThrow();
            assertThat(platform.ended()).containsExactly("session-1");
        }

        @Test
        void aFailureBehindTheBudgetIsAnEventToo() {
            Sinks.Empty<Void> gate = Sinks.empty();
            Sinks.One<CaracalEvent> closed = Sinks.one();
            Disposable listener = caracal.onEvent(event -> {
                if (event instanceof CaracalEvent.SessionClosed) {
                    closed.tryEmitValue(event).orThrow();
                }
            });
            platform.next(
                    FakePlatform::isTerminate,
                    real -> gate.asMono().then(Mono.just(FakePlatform.answer(403, "{\"error\":\"missing_scope\"}"))));
            SpawnOptions brief =
                    SpawnOptions.builder().closeTimeout(Duration.ofMillis(10)).build();
            StepVerifier.create(caracal.spawn(brief, context -> id()))
                    .expectNext("session-1")
                    .expectComplete()
                    .verify(LIMIT);
            gate.tryEmitEmpty().orThrow();
            StepVerifier.create(closed.asMono())
                    .assertNext(event -> assertThat(event.completion().code()).isEqualTo("missing_scope"))
                    .expectComplete()
                    .verify(LIMIT);
            listener.dispose();
            platform.live().clear();
        }

        /** On cancel the close is bounded, heard of as an event, and waited for by disposeLater. */
        @Test
        void theCloseAfterACancelIsAnEvent() {
            Sinks.One<CaracalEvent> closed = Sinks.one();
            Disposable listener = caracal.onEvent(event -> {
                if (event instanceof CaracalEvent.SessionClosed) {
                    closed.tryEmitValue(event).orThrow();
                }
            });
            platform.nextAnswer(FakePlatform::isTerminate, 403, "{\"error\":\"missing_scope\"}");
            subscribeAndCancel(caracal.spawn(context -> Mono.never()));
            StepVerifier.create(closed.asMono())
                    .assertNext(
                            event -> assertThat(event.completion().outcome()).isEqualTo(Completion.Outcome.FAILURE))
                    .expectComplete()
                    .verify(LIMIT);
            listener.dispose();
            platform.live().clear();
        }

        /** A user's cancel or timeout is nothing to shout about. */
        @Test
        void aCancelOrTimeoutLogsNoError() {
            PrintStream before = System.err;
            ByteArrayOutputStream logged = new ByteArrayOutputStream();
            System.setErr(new PrintStream(logged, true, StandardCharsets.UTF_8));
            try {
                for (int i = 0; i < 100; i++) {
                    platform.next(
                            FakePlatform::isOpen,
                            real -> Mono.delay(Duration.ofMillis(2)).then(real));
                    StepVerifier.create(caracal.spawn(context -> id())
                                    .timeout(Duration.ofMillis(1))
                                    .onErrorComplete(TimeoutException.class))
                            .thenConsumeWhile(id -> true)
                            .expectComplete()
                            .verify(LIMIT);
                }
                StepVerifier.create(caracal.disposeLater()).expectComplete().verify(LIMIT);
            } finally {
                System.setErr(before);
            }
            assertThat(logged.toString(StandardCharsets.UTF_8)).doesNotContain("ERROR");
        }
    }

    @Nested
    class Children {
        @Test
        void theChildNamesItsParentAndCarriesItsTrace() {
            StepVerifier.create(caracal.spawn(parent -> caracal.spawn(child -> Mono.just(List.of(parent, child)))))
                    .assertNext(both -> {
                        assertThat(both.get(1).traceId()).isEqualTo(both.get(0).traceId());
                        assertThat(both.get(1).agentSessionId()).isEqualTo("session-2");
                    })
                    .expectComplete()
                    .verify(LIMIT);
            HttpRequest child = platform.requests(FakePlatform::isOpen).get(1);
            assertThat(FakePlatform.body(child))
                    .contains("\"parent_id\":\"session-1\"", "\"parent_authority\":\"inherit\"");
            assertThat(platform.ended()).as("the child first").containsExactly("session-2", "session-1");
        }

        @Test
        void theChildIsTerminatedFirstOnCancelToo() {
            for (int i = 0; i < 200; i++) {
                platform.ended().clear();
                int first = platform.opened() + 1;
                Disposable work = caracal.spawn(parent -> caracal.spawn(child -> Mono.never()))
                        .subscribe();
                platform.next(
                        FakePlatform::isTerminate,
                        real -> Mono.delay(Duration.ofNanos(100_000)).then(real));
                work.dispose();
                StepVerifier.create(Mono.delay(Duration.ofMillis(1))
                                .repeat(() -> platform.ended().size() < 2))
                        .thenConsumeWhile(x -> true)
                        .expectComplete()
                        .verify(LIMIT);
                assertThat(platform.ended()).containsExactly("session-" + (first + 1), "session-" + first);
            }
        }

        @Test
        void aParentThatHasEndedTakesNoChildren() {
            CaracalContext ended =
                    Objects.requireNonNull(caracal.spawn(Mono::just).block(LIMIT));
            StepVerifier.create(
                            caracal.spawn(SpawnOptions.builder().parent(ended).build(), context -> id()))
                    .expectError(ClosedException.class)
                    .verify(LIMIT);
            assertThat(platform.requests(FakePlatform::isOpen)).hasSize(1);
        }
    }

    @Nested
    class Hooks {
        @Test
        void hooksRunInOrderWithTheSessionBound() {
            List<String> order = Collections.synchronizedList(new ArrayList<>());
            Disposable first = caracal.onSessionStart(
                    context -> id().doOnNext(s -> order.add("start1 " + s)).then());
            caracal.onSessionStart(context -> Mono.fromRunnable(() -> order.add("start2")))
                    .isDisposed();
            caracal.onSessionEnd(
                            context -> id().doOnNext(s -> order.add("end " + s)).then())
                    .isDisposed();
            StepVerifier.create(caracal.spawn(context -> Mono.fromRunnable(() -> order.add("work"))))
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(order).containsExactly("start1 session-1", "start2", "work", "end session-1");
            first.dispose();
            order.clear();
            StepVerifier.create(caracal.spawn(context -> Mono.empty()))
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(order).containsExactly("start2", "end session-2");
        }

        @Test
        void aFailingStartHookEndsTheSessionAndFailsTheSpawn() {
            AtomicInteger worked = new AtomicInteger();
            Disposable hook = caracal.onSessionStart(context -> Mono.error(new IllegalStateException("hook")));
            StepVerifier.create(caracal.spawn(context -> Mono.fromRunnable(worked::incrementAndGet)))
                    .expectErrorMessage("hook")
                    .verify(LIMIT);
            assertThat(worked).hasValue(0);
            assertThat(platform.ended()).containsExactly("session-1");
            hook.dispose();
        }

        @Test
        void aFailingOrHangingEndHookDoesNotKeepTheSessionOpen() {
            Disposable failing = caracal.onSessionEnd(context -> Mono.error(new IllegalStateException("hook")));
            StepVerifier.create(caracal.spawn(context -> id()))
                    .expectNext("session-1")
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(platform.ended()).containsExactly("session-1");
            failing.dispose();
            Disposable hanging = caracal.onSessionEnd(context -> Mono.never());
            SpawnOptions brief =
                    SpawnOptions.builder().closeTimeout(Duration.ofMillis(20)).build();
            StepVerifier.create(caracal.spawn(brief, context -> id()))
                    .expectNext("session-2")
                    .expectComplete()
                    .verify(LIMIT);
            hanging.dispose();
        }
    }

    @Nested
    class Context {
        @Test
        void theContextSurvivesEveryChangeOfThread() {
            Mono<List<String>> work = caracal.spawn(context -> Flux.range(0, 50)
                    .publishOn(Schedulers.boundedElastic())
                    .flatMap(i -> id().subscribeOn(Schedulers.parallel()).delayElement(Duration.ofMillis(1)))
                    .zipWith(id().repeat())
                    .concatMap(pair -> {
                        AtomicInteger tries = new AtomicInteger();
                        return Mono.defer(() -> tries.incrementAndGet() < 3 ? Mono.error(lost()) : id())
                                .retry(3);
                    })
                    .distinct()
                    .collectList());
            StepVerifier.create(work)
                    .expectNext(List.of("session-1"))
                    .expectComplete()
                    .verify(LIMIT);
            StepVerifier.create(caracal.current())
                    .as("outside a session")
                    .expectComplete()
                    .verify(LIMIT);
        }

        @Test
        void bindRebindsACapturedContext() {
            StepVerifier.create(caracal.spawn(context -> Mono.fromFuture(caracal.bind(context, id())
                            .subscribeOn(Schedulers.parallel())
                            .toFuture())))
                    .expectNext("session-1")
                    .expectComplete()
                    .verify(LIMIT);
            StepVerifier.create(caracal.spawn(
                            context -> caracal.bind(context, id().flux()).next()))
                    .expectNext("session-2")
                    .expectComplete()
                    .verify(LIMIT);
        }

        @Test
        void inSessionIsAnOperator() {
            StepVerifier.create(id().transform(caracal.inSession()))
                    .expectNext("session-1")
                    .expectComplete()
                    .verify(LIMIT);
        }

        /** A caller's onErrorContinue does not reach into the session's operators. */
        @Test
        void onErrorContinueOutsideDoesNotSwallowTheErrorInside() {
            AtomicInteger continued = new AtomicInteger();
            Flux<String> calls = Flux.range(0, 2)
                    .concatMap(i -> caracal.spawn(context -> Mono.just(1).<String>map(x -> {
                        throw new IllegalStateException("work");
                    })))
                    .onErrorContinue((e, v) -> continued.incrementAndGet());
            StepVerifier.create(calls).expectComplete().verify(LIMIT);
            assertThat(platform.ended()).containsExactly("session-1", "session-2");
        }
    }
}
