package run.caracal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static run.caracal.test.FakePlatform.LIMIT;

import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import reactor.core.publisher.Mono;
import reactor.test.StepVerifier;
import reactor.test.scheduler.VirtualTimeScheduler;
import run.caracal.error.ApprovalNotGrantedException;
import run.caracal.error.ApprovalRequiredException;
import run.caracal.error.StsException;
import run.caracal.error.TransportException;
import run.caracal.event.CaracalEvent;
import run.caracal.test.FakePlatform;
import run.caracal.test.Logged;

/** Waiting for a person's approval. */
class ApprovalTest {
    private static final String RESOURCE = "resource://billing-api";
    private static final String HELD = "{\"error\":\"interaction_required\",\"approval_type\":\"human_approval\","
            + "\"approval_id\":\"approval-1\",\"state\":\"pending\"}";

    @RegisterExtension
    private final FakePlatform platform = new FakePlatform();

    private final Caracal caracal = platform.client();

    private void next(String state) {
        platform.nextAnswer(
                FakePlatform::isApproval,
                200,
                "{\"id\":\"approval-1\",\"state\":\"" + state + "\",\"expires_at\":\"2030-01-01T00:00:00Z\"}");
    }

    private int polls() {
        return platform.requests(FakePlatform::isApproval).size();
    }

    @Test
    void asksWithLongPollsUntilItIsApproved() {
        List<CaracalEvent> events = new CopyOnWriteArrayList<>();
        var listening = caracal.onEvent(events::add);
        next("pending");
        next("approved");
        StepVerifier.create(caracal.waitForApproval("approval-1"))
                .expectComplete()
                .verify(LIMIT);
        assertThat(platform.requests(FakePlatform::isApproval)).hasSize(2).allSatisfy(request -> {
            assertThat(request.uri().toString()).isEqualTo("https://sts.example.com/approvals/approval-1?wait=25");
            assertThat(request.timeout()).isGreaterThan(Duration.ofSeconds(25));
            assertThat(FakePlatform.header(request, "Authorization")).isNull();
        });
        StepVerifier.create(caracal.disposeLater()).expectComplete().verify(LIMIT);
        listening.dispose();
        assertThat(events)
                .filteredOn(e -> e instanceof CaracalEvent.ApprovalAwaited)
                .singleElement()
                .satisfies(e -> assertThat(e.completion().status()).isEqualTo(200));
    }

    @ParameterizedTest
    @ValueSource(strings = {"rejected", "expired", "consumed", "Something\nNew"})
    void whatCannotBeUsedAnyMoreIsATypedError(String state) {
        next(state.replace("\n", "\\n"));
        StepVerifier.create(caracal.waitForApproval("approval-1"))
                .expectErrorSatisfies(e -> assertThat(e)
                        .isInstanceOfSatisfying(ApprovalNotGrantedException.class, ended -> {
                            assertThat(ended.approvalId()).isEqualTo("approval-1");
                            assertThat(ended.state()).isEqualTo(state);
                            assertThat(ended.code()).matches("approval_[a-z]+");
                            assertThat(ended.getMessage())
                                    .contains("approval-1")
                                    .doesNotContain("\n");
                        }))
                .verify(LIMIT);
        assertThat(polls()).isEqualTo(1);
    }

    @Test
    void badInput_anIdThatIsNoneOrUnknown() {
        assertThatThrownBy(() -> caracal.waitForApproval("..")).isInstanceOf(IllegalArgumentException.class);
        platform.nextAnswer(FakePlatform::isApproval, 404, "{\"error\":\"resource_not_found\"}");
        StepVerifier.create(caracal.waitForApproval("unknown"))
                .expectError(StsException.ResourceNotFound.class)
                .verify(LIMIT);
        assertThat(polls()).isEqualTo(1);
    }

    @Test
    void shortFailuresAreSurvived() {
        platform.nextAnswer(FakePlatform::isApproval, 503, "{\"error\":\"sts_unavailable\"}");
        platform.nextLost(FakePlatform::isApproval, new TransportException(TransportException.Kind.IO, "lost", null));
        platform.next(FakePlatform::isApproval, real -> Mono.empty());
        next("approved");
        StepVerifier.create(caracal.waitForApproval("approval-1"))
                .expectComplete()
                .verify(LIMIT);
        assertThat(polls()).isEqualTo(4);
    }

    @Nested
    class WhileTheStsIsAway {
        private VirtualTimeScheduler time;
        private Caracal client;

        @BeforeEach
        void start() {
            time = VirtualTimeScheduler.getOrSet();
            client = platform.client();
        }

        @AfterEach
        void stop() {
            VirtualTimeScheduler.reset();
        }

        private String endOfHold(Duration left) {
            return Instant.ofEpochMilli(time.now(TimeUnit.MILLISECONDS))
                    .plus(left)
                    .toString();
        }

        /** From now on, and until it is set otherwise, the STS cannot be reached. */
        private AtomicBoolean away() {
            AtomicBoolean away = new AtomicBoolean(true);
            platform.always(
                    request -> away.get() && FakePlatform.isApproval(request),
                    real -> Mono.error(new TransportException(TransportException.Kind.CONNECT, "refused", null)));
            return away;
        }

        @Test
        void theWaitGoesOnUntilTheHoldEnds() {
            platform.nextAnswer(
                    FakePlatform::isApproval,
                    200,
                    "{\"id\":\"approval-1\",\"state\":\"pending\",\"expires_at\":\"" + endOfHold(Duration.ofHours(4))
                            + "\"}");
            AtomicBoolean away = away();
            StepVerifier.withVirtualTime(() -> client.waitForApproval("approval-1"), () -> time, Long.MAX_VALUE)
                    .expectSubscription()
                    .expectNoEvent(Duration.ofHours(3))
                    .then(() -> away.set(false))
                    .then(() -> ApprovalTest.this.next("approved"))
                    .thenAwait(Duration.ofSeconds(15))
                    .expectComplete()
                    .verify(LIMIT);
        }

        @Test
        void atTheEndOfTheHoldItFailsWithWhatTheLastPollMet() {
            platform.nextAnswer(
                    FakePlatform::isMint,
                    401,
                    HELD.replace("}", ",\"approval_expires_at\":\"" + endOfHold(Duration.ofMinutes(15)) + "\"}"));
            var unused = away();
            StepVerifier.withVirtualTime(
                            () -> client.spawn(session -> client.withApproval(id -> client.mintMandate(RESOURCE, "a"))),
                            () -> time,
                            Long.MAX_VALUE)
                    .expectSubscription()
                    .expectNoEvent(Duration.ofMinutes(15))
                    .thenAwait(Duration.ofSeconds(15))
                    .expectError(TransportException.class)
                    .verify(LIMIT);
        }

        /** No hold of the platform lasts longer than seven days. */
        @Test
        void aHoldWhoseEndIsNotKnownIsWaitedForAsLongAsAnyLasts() {
            var unused = away();
            String ends = endOfHold(Duration.ofDays(7));
            String logged = Logged.during(() -> StepVerifier.withVirtualTime(
                            () -> client.waitForApproval("approval-1"), () -> time, Long.MAX_VALUE)
                    .expectSubscription()
                    .expectNoEvent(Duration.ofHours(3))
                    .thenCancel()
                    .verify(LIMIT));
            assertThat(polls()).isBetween(3 * 350, 3 * 500);
            assertThat(logged.lines().filter(line -> line.contains("approval-1")))
                    .hasSizeBetween(3 * 11, 3 * 17)
                    .allSatisfy(line -> assertThat(line).contains("WARN", ends));
        }
    }

    @Test
    void aCancelEndsTheWaitAtOnce() {
        AtomicBoolean cancelled = new AtomicBoolean();
        platform.next(
                FakePlatform::isApproval,
                real -> real.delaySubscription(Duration.ofMinutes(5)).doOnCancel(() -> cancelled.set(true)));
        StepVerifier.create(caracal.waitForApproval("approval-1"))
                .thenAwait(Duration.ofMillis(20))
                .thenCancel()
                .verify(LIMIT);
        assertThat(cancelled).isTrue();
        assertThat(polls()).isEqualTo(1);
    }

    @Test
    void withApprovalWaitsAndRunsTheOperationOnceMoreWithTheId() {
        platform.nextAnswer(FakePlatform::isMint, 401, HELD);
        next("approved");
        List<Optional<String>> ids = new CopyOnWriteArrayList<>();
        Mono<Mandate> mandate = caracal.spawn(session -> caracal.withApproval(id -> {
            ids.add(id);
            return caracal.mintMandate(
                    RESOURCE,
                    List.of("a"),
                    id.map(MandateOptions.defaults()::withApprovalId).orElse(MandateOptions.defaults()));
        }));
        StepVerifier.create(mandate).expectNextCount(1).expectComplete().verify(LIMIT);
        assertThat(ids).containsExactly(Optional.empty(), Optional.of("approval-1"));
        assertThat(FakePlatform.body(platform.requests(FakePlatform::isMint).get(1)))
                .contains("approval_id=approval-1");
    }

    @Test
    void withApprovalRepeatsNothingElse() {
        StepVerifier.create(caracal.withApproval(id -> Mono.error(new IllegalStateException("mine"))))
                .expectErrorMessage("mine")
                .verify(LIMIT);
        platform.nextAnswer(FakePlatform::isMint, 401, HELD);
        platform.nextAnswer(FakePlatform::isMint, 401, HELD);
        next("approved");
        StepVerifier.create(caracal.spawn(session -> caracal.withApproval(id -> caracal.mintMandate(RESOURCE, "a")
                        // As WebClient wraps the errors of a decorated client.
                        .onErrorMap(e -> new IllegalStateException(e)))))
                .expectErrorSatisfies(e -> assertThat(e).hasCauseInstanceOf(ApprovalRequiredException.class))
                .verify(LIMIT);
        assertThat(polls()).isEqualTo(1);
    }
}
