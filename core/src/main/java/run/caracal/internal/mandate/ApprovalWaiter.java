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

/** Waits for a person's decision, which may take hours: until the hold expires, through outages of the STS. */
public final class ApprovalWaiter {
    private static final Logger log = LoggerFactory.getLogger(LogNames.CLIENT);

    /** The maximum time of a long poll. */
    private static final Duration POLL = Duration.ofSeconds(25);

    /** The minimum interval of polls, for an STS that answers immediately. */
    private static final Duration PACE = Duration.ofSeconds(1);

    /** The platform's maximum life of a hold, for one without a known expiry. */
    private static final Duration LONGEST_HOLD = Duration.ofDays(7);

    /** The maximum backoff after failed polls. */
    private static final int MAX_STEPS = 39;

    /** Of consecutive failed polls, the first and every n-th are logged. */
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
        // Repeated rather than chained, because the chain of a wait of days would grow.
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

    /** One wait, with sequential polls. */
    private final class Wait {
        private final String approvalId;
        private Instant ends;
        private int failures;

        Wait(String approvalId, @Nullable Instant ends) {
            this.approvalId = approvalId;
            this.ends = ends == null ? now().plus(LONGEST_HOLD) : ends;
        }

        /** Empty if the next poll is due. */
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

    /** Clients may wrap the error, as WebClient does. */
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
