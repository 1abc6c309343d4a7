package run.caracal.internal.event;

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.Disposable;
import reactor.core.Exceptions;
import reactor.core.publisher.BufferOverflowStrategy;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;
import reactor.core.publisher.Sinks.EmitResult;
import reactor.core.scheduler.Scheduler;
import reactor.core.scheduler.Schedulers;
import run.caracal.error.CaracalException;
import run.caracal.error.ServiceException;
import run.caracal.event.CaracalEvent;
import run.caracal.event.Completion;
import run.caracal.event.Completion.Outcome;

/**
 * Hands events to listeners on a thread of its own, through a bounded buffer for each: a slow listener loses events, a
 * failing one is logged, and neither is felt by the operation that made the event (DESIGN E5).
 */
public final class EventBus {
    private static final Logger log = LoggerFactory.getLogger(EventBus.class);

    /** How many events wait for one listener; those beyond are dropped. */
    private static final int BUFFER = 1024;

    /** How long closing waits for listeners. */
    private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(1);

    /** Emissions of several threads take turns, each for the time of putting an event into buffers; this bounds the wait. */
    private static final Duration TURN_TIMEOUT = Duration.ofMillis(100);

    private final Scheduler scheduler = Schedulers.newSingle("caracal-events", true);
    private final Sinks.Many<CaracalEvent> sink = Sinks.many().multicast().directBestEffort();

    /**
     * The events from the subscription on.
     *
     * @return a hot Flux; heard on the bus's own thread; completes when the bus is disposed
     */
    public Flux<CaracalEvent> events() {
        return Flux.defer(() -> scheduler.isDisposed()
                ? Flux.empty()
                : sink.asFlux()
                        .onBackpressureBuffer(BUFFER, dropped -> {}, BufferOverflowStrategy.DROP_LATEST)
                        .publishOn(scheduler, 1));
    }

    /**
     * Adds a listener.
     *
     * @param listener hears every event on the bus's own thread; what it throws is logged
     * @return removes it
     */
    public Disposable listen(Consumer<? super CaracalEvent> listener) {
        return events().subscribe(
                        event -> {
                            try {
                                listener.accept(event);
                            } catch (Throwable e) {
                                Exceptions.throwIfJvmFatal(e);
                                log.warn(
                                        "An event listener failed on {}; the next event reaches it again",
                                        event.getClass().getSimpleName(),
                                        e);
                            }
                        },
                        e -> log.debug("A listener was added to a closed client", e));
    }

    /**
     * Emits an event when somebody listens. Whatever goes wrong with it, the operation that it is about goes on.
     *
     * @param event makes the event
     */
    public void emit(Supplier<CaracalEvent> event) {
        if (sink.currentSubscriberCount() > 0) {
            try {
                CaracalEvent made = event.get();
                inTurn(() -> sink.tryEmitNext(made));
            } catch (RuntimeException e) {
                log.warn("An event was lost", e);
            }
        }
    }

    /** An event that finds no turn, or nobody to hear it any more, is not worth an error. */
    private void inTurn(Supplier<EmitResult> emission) {
        long start = nanos();
        while (emission.get() == EmitResult.FAIL_NON_SERIALIZED) {
            if (nanos() - start > TURN_TIMEOUT.toNanos()) {
                log.debug("An event was lost: no turn to emit it within {}", TURN_TIMEOUT);
                return;
            }
        }
    }

    /**
     * Observes an operation: when it ends, however it ends, its event is emitted.
     *
     * @param operation the operation
     * @param event makes the event of its result ({@code null} unless it gave one) and its completion
     * @param status the HTTP status of a success
     * @param <T> the type of the result
     * @return the same operation, observed for each subscription
     */
    public <T> Mono<T> observe(Mono<T> operation, int status, EventFactory<T> event) {
        return Mono.defer(() -> {
            long start = nanos();
            AtomicBoolean ended = new AtomicBoolean();
            // Before the result goes on: what a caller does with it comes later in the stream of events.
            return operation
                    .doOnSuccess(result -> end(ended, () -> event.create(result, success(status, start))))
                    .doOnError(error -> end(ended, () -> event.create(null, failure(error, start))))
                    .doOnCancel(() -> end(
                            ended,
                            () -> event.create(null, new Completion(Outcome.CANCELLED, since(start), 0, null, null))));
        });
    }

    private void end(AtomicBoolean ended, Supplier<CaracalEvent> event) {
        if (ended.compareAndSet(false, true)) {
            emit(event);
        }
    }

    /**
     * Makes the event of an ended operation.
     *
     * @param <T> the type of the operation's result
     */
    @FunctionalInterface
    public interface EventFactory<T> {
        /**
         * Makes the event.
         *
         * @param result the result, or {@code null} when there was none
         * @param completion how the operation ended
         * @return the event
         */
        CaracalEvent create(@Nullable T result, Completion completion);
    }

    private Completion success(int status, long start) {
        return new Completion(Outcome.SUCCESS, since(start), status, null, null);
    }

    private Completion failure(Throwable error, long start) {
        ServiceException answer = error instanceof ServiceException service ? service : null;
        return new Completion(
                Outcome.FAILURE,
                since(start),
                answer == null ? 0 : answer.httpStatus(),
                error instanceof CaracalException typed ? typed.code() : "error",
                answer == null ? null : answer.requestId());
    }

    private Duration since(long start) {
        return Duration.ofNanos(nanos() - start);
    }

    private long nanos() {
        return scheduler.now(TimeUnit.NANOSECONDS);
    }

    /**
     * Completes the subscribers, once they have heard what was emitted before.
     *
     * @return completes when the bus has stopped; a listener that does not return is left behind
     */
    public Mono<Void> close() {
        return Mono.defer(() -> {
            inTurn(sink::tryEmitComplete);
            // What runs behind all deliveries on the one thread has waited for them. Not disposeGracefully: that keeps
            // a
            // thread which is no daemon for ten seconds, and with it a program that has ended.
            return Mono.fromRunnable(() -> {})
                    .subscribeOn(scheduler)
                    .timeout(CLOSE_TIMEOUT, Mono.empty())
                    // Shutting a thread pool down may wait for a lock of its own.
                    .publishOn(Schedulers.boundedElastic())
                    .then(Mono.fromRunnable(scheduler::dispose));
        });
    }
}
