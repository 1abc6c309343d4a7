package run.caracal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static run.caracal.test.FakePlatform.LIMIT;

import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import reactor.core.publisher.Mono;
import reactor.test.StepVerifier;
import run.caracal.error.ApprovalNotGrantedException;
import run.caracal.error.ApprovalRequiredException;
import run.caracal.error.StsException;
import run.caracal.error.TransportException;
import run.caracal.event.CaracalEvent;
import run.caracal.test.FakePlatform;

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
    void aFewFailuresInARowAreSurvivedButNotMore() {
        platform.nextAnswer(FakePlatform::isApproval, 503, "{\"error\":\"sts_unavailable\"}");
        platform.nextLost(FakePlatform::isApproval, new TransportException(TransportException.Kind.IO, "lost", null));
        next("approved");
        StepVerifier.create(caracal.waitForApproval("approval-1"))
                .expectComplete()
                .verify(LIMIT);
        assertThat(polls()).isEqualTo(3);
        for (int i = 0; i < 6; i++) {
            platform.nextAnswer(FakePlatform::isApproval, 503, "{\"error\":\"sts_unavailable\"}");
        }
        StepVerifier.create(caracal.waitForApproval("approval-1"))
                .expectError(StsException.ServiceUnavailable.class)
                .verify(LIMIT);
        assertThat(polls()).isEqualTo(9);
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
                        // As WebClient wraps what a decorated client meets.
                        .onErrorMap(e -> new IllegalStateException(e)))))
                .expectErrorSatisfies(e -> assertThat(e).hasCauseInstanceOf(ApprovalRequiredException.class))
                .verify(LIMIT);
        assertThat(polls()).isEqualTo(1);
    }
}
