package run.caracal.internal.mandate;

import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Scheduler;
import run.caracal.error.ApprovalNotGrantedException;
import run.caracal.error.ApprovalRequiredException;
import run.caracal.error.CaracalException;
import run.caracal.error.ServiceException;
import run.caracal.event.CaracalEvent;
import run.caracal.internal.control.StsClient;
import run.caracal.internal.event.EventBus;
import run.caracal.internal.lifecycle.ClientState;
import run.caracal.internal.wire.Backoff;

/** Waits for what people decide. A person may take hours: the wait survives short failures of the STS. */
public final class ApprovalWaiter {
    /** The longest that the STS holds a poll open. */
    private static final Duration POLL = Duration.ofSeconds(25);

    /** The pace of polls at an STS that answers at once. */
    private static final Duration PACE = Duration.ofSeconds(1);

    /** How many polls may fail one after another. */
    private static final int MAX_FAILURES = 5;

    private final StsClient sts;
    private final EventBus events;
    private final Scheduler timer;
    private final ClientState state;

    /** Creates the waiter of a client. */
    public ApprovalWaiter(StsClient sts, EventBus events, Scheduler timer, ClientState state) {
        this.sts = sts;
        this.events = events;
        this.timer = timer;
        this.state = state;
    }

    /** Waits until a person has approved. */
    public Mono<Void> await(String approvalId) {
        // Repeated rather than chained: a wait of days must not grow.
        Mono<String> approved = Mono.defer(() -> {
            AtomicInteger failures = new AtomicInteger();
            return Mono.defer(() -> poll(approvalId, failures)).repeatWhenEmpty(polls -> polls);
        });
        return events.observe(
                        CaracalEvent.ApprovalAwaited.class,
                        approved,
                        (state, completion) -> new CaracalEvent.ApprovalAwaited(approvalId, completion))
                .then();
    }

    /** Empty when it is time for the next one. */
    private Mono<String> poll(String approvalId, AtomicInteger failures) {
        state.requireOpen();
        long start = timer.now(TimeUnit.NANOSECONDS);
        return sts.approvalState(approvalId, POLL)
                .flatMap(state -> {
                    failures.set(0);
                    return switch (state) {
                        case "approved" -> Mono.just(state);
                        case "pending" -> pause(PACE.minusNanos(timer.now(TimeUnit.NANOSECONDS) - start));
                        default -> Mono.error(new ApprovalNotGrantedException(approvalId, state));
                    };
                })
                .onErrorResume(
                        e -> e instanceof CaracalException typed && typed.isRetryable(),
                        e -> failures.get() >= MAX_FAILURES
                                ? Mono.error(e)
                                : pause(Backoff.delay(
                                        failures.getAndIncrement(),
                                        retryAfter(e),
                                        ThreadLocalRandom.current().nextDouble())));
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
                    : await(held.approvalId()).then(Mono.defer(() -> operation.apply(Optional.of(held.approvalId()))));
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
