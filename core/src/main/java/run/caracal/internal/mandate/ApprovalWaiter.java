package run.caracal.internal.mandate;

import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Scheduler;
import run.caracal.error.ApprovalNotGrantedException;
import run.caracal.error.ApprovalRequiredException;
import run.caracal.error.CaracalException;
import run.caracal.error.ServiceException;
import run.caracal.event.CaracalEvent;
import run.caracal.internal.LogNames;
import run.caracal.internal.control.StsClient;
import run.caracal.internal.event.EventBus;
import run.caracal.internal.lifecycle.ClientState;
import run.caracal.internal.wire.Backoff;

/** Waits for what people decide. A person may take hours: the wait lasts as long as the hold, also while the STS is away. */
public final class ApprovalWaiter {
    private static final Logger log = LoggerFactory.getLogger(LogNames.CLIENT);

    /** The longest that the STS holds a poll open. */
    private static final Duration POLL = Duration.ofSeconds(25);

    /** The pace of polls at an STS that answers at once. */
    private static final Duration PACE = Duration.ofSeconds(1);

    /** The longest that a hold of the platform lasts; for one whose end is not known. */
    private static final Duration LONGEST_HOLD = Duration.ofDays(7);

    /** The pause after a failed poll grows up to about ten seconds. */
    private static final int MAX_STEPS = 39;

    /** Of polls that fail in a row, the first is logged, and then each one whose number is a multiple of this. */
    private static final int LOG_EVERY = 30;

    private final StsClient sts;
    private final EventBus events;
    private final Scheduler timer;
    private final ClientState state;

    public ApprovalWaiter(StsClient sts, EventBus events, Scheduler timer, ClientState state) {
        this.sts = sts;
        this.events = events;
        this.timer = timer;
        this.state = state;
    }

    /** Waits until a person has approved. */
    public Mono<Void> await(String approvalId) {
        return await(approvalId, null);
    }

    private Mono<Void> await(String approvalId, @Nullable Instant ends) {
        // Repeated rather than chained: a wait of days must not grow.
        Mono<String> approved = Mono.defer(() -> {
            Wait wait = new Wait(approvalId, ends);
            return Mono.defer(wait::poll).repeatWhenEmpty(polls -> polls);
        });
        return events.observe(
                        CaracalEvent.ApprovalAwaited.class,
                        approved,
                        (state, completion) -> new CaracalEvent.ApprovalAwaited(approvalId, completion))
                .then();
    }

    /** One wait; its polls follow one another. */
    private final class Wait {
        private final String approvalId;
        private Instant ends;
        private int failures;

        Wait(String approvalId, @Nullable Instant ends) {
            this.approvalId = approvalId;
            this.ends = ends == null ? now().plus(LONGEST_HOLD) : ends;
        }

        /** Empty when it is time for the next one. */
        Mono<String> poll() {
            state.requireOpen();
            long start = timer.now(TimeUnit.NANOSECONDS);
            return sts.approvalState(approvalId, POLL)
                    .flatMap(answer -> {
                        failures = 0;
                        if (answer.expiresAt() != null) {
                            ends = answer.expiresAt();
                        }
                        return switch (answer.state()) {
                            case "approved" -> Mono.just(answer.state());
                            case "pending" -> pause(PACE.minusNanos(timer.now(TimeUnit.NANOSECONDS) - start));
                            default -> Mono.error(new ApprovalNotGrantedException(approvalId, answer.state()));
                        };
                    })
                    .onErrorResume(e -> e instanceof CaracalException typed && typed.isRetryable(), this::failed);
        }

        private Mono<String> failed(Throwable error) {
            if (!now().isBefore(ends)) {
                return Mono.error(error);
            }
            if (failures % LOG_EVERY == 0) {
                log.warn(
                        "The STS could not be asked about the approval {}; that is tried again until the hold ends, at {} at the"
                                + " latest: {}",
                        approvalId,
                        ends,
                        error.getMessage());
            }
            return pause(Backoff.delay(
                    Math.min(failures++, MAX_STEPS),
                    retryAfter(error),
                    ThreadLocalRandom.current().nextDouble()));
        }
    }

    private Instant now() {
        return Instant.ofEpochMilli(timer.now(TimeUnit.MILLISECONDS));
    }

    private Mono<String> pause(Duration time) {
        return time.isNegative() ? Mono.empty() : Mono.delay(time, timer).then(Mono.empty());
    }

    private static @Nullable Duration retryAfter(Throwable error) {
        return error instanceof ServiceException answer ? answer.retryAfter().orElse(null) : null;
    }

    /** Runs an operation, and once more with the approval when it is held for one. */
    public <T> Mono<T> around(Function<? super Optional<String>, ? extends Mono<T>> operation) {
        return Mono.<T>defer(() -> operation.apply(Optional.empty())).onErrorResume(e -> {
            ApprovalRequiredException held = held(e);
            return held == null || held.approvalId().isEmpty()
                    ? Mono.error(e)
                    : await(held.approvalId(), held.expiresAt().orElse(null))
                            .then(Mono.defer(() -> operation.apply(Optional.of(held.approvalId()))));
        });
    }

    /** Clients wrap what a transport meets, WebClient for instance. */
    private static @Nullable ApprovalRequiredException held(Throwable error) {
        Throwable e = error;
        for (int depth = 0; e != null && depth < 8; depth++) {
            if (e instanceof ApprovalRequiredException held) {
                return held;
            }
            e = e.getCause();
        }
        return null;
    }
}
