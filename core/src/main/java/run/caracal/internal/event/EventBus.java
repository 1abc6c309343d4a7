package run.caracal.internal.event;

import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.Queue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.Disposable;
import reactor.core.Disposables;
import reactor.core.Exceptions;
import reactor.core.publisher.BufferOverflowStrategy;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;
import reactor.core.scheduler.Scheduler;
import reactor.core.scheduler.Schedulers;
import reactor.util.concurrent.Queues;
import reactor.util.context.Context;
import reactor.util.context.ContextView;
import run.caracal.error.CaracalException;
import run.caracal.error.Refusal;
import run.caracal.error.ServiceException;
import run.caracal.event.CaracalEvent;
import run.caracal.event.Completion;
import run.caracal.event.Completion.Outcome;
import run.caracal.event.OperationListener;
import run.caracal.http.HttpRequest;
import run.caracal.http.HttpResponse;
import run.caracal.http.HttpTransport;
import run.caracal.internal.Headers;
import run.caracal.internal.LogGate;
import run.caracal.internal.Supplied;

/**
 * Distributes events. Listeners run on the bus's own thread, each behind a bounded buffer: a slow listener loses
 * events, a failing one is logged, and neither affects the operation. An {@link OperationListener} is called on the
 * operation's thread.
 */
public final class EventBus {
    private static final Logger log = LoggerFactory.getLogger(EventBus.class);

    /** Logs every event, for diagnosis. */
    private static final Logger details = LoggerFactory.getLogger(CaracalEvent.class);

    /** The buffer size of a listener; further events are dropped. */
    private static final int BUFFER = 1024;

    /** How long closing waits for listeners. */
    private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(1);

    private final Scheduler scheduler = Schedulers.newSingle("caracal-events", true);
    private final Sinks.Many<CaracalEvent> sink = Sinks.many().multicast().directBestEffort();
    private final List<OperationListener> operationListeners = new CopyOnWriteArrayList<>();
    private final LogGate failures = new LogGate();
    private final LogGate losses = new LogGate();

    /** Emissions waiting for the sink, drained by one thread at a time without blocking the others. */
    private final Queue<CaracalEvent> emitted =
            Queues.<CaracalEvent>unboundedMultiproducer().get();

    private final AtomicInteger turns = new AtomicInteger();
    private volatile boolean closing;

    /**
     * {@return the events from the subscription on; a hot Flux, on the bus's own thread; completes when the bus is
     * disposed}
     */
    public Flux<CaracalEvent> events() {
        return Flux.defer(() -> scheduler.isDisposed()
                ? Flux.empty()
                : sink.asFlux()
                        .onBackpressureBuffer(BUFFER, this::dropped, BufferOverflowStrategy.DROP_LATEST)
                        .publishOn(scheduler, 1));
    }

    /**
     * Adds a listener.
     *
     * @param listener receives every event on the bus's own thread; its exceptions are logged
     */
    public Disposable listen(Consumer<? super CaracalEvent> listener) {
        return events().subscribe(
                        event -> {
                            try {
                                listener.accept(event);
                            } catch (Throwable e) {
                                Exceptions.throwIfJvmFatal(e);
                                failed(event.getClass(), e);
                            }
                        },
                        e -> log.debug("A listener was added to a closed client", e));
    }

    private void failed(Class<?> kind, Throwable error) {
        failures.warn(
                log, "An event listener failed on {}; the next event reaches it again", kind.getSimpleName(), error);
    }

    private void dropped(CaracalEvent event) {
        if (losses.passes()) {
            log.warn(
                    "A listener is too slow: {} events wait for it, and those beyond are dropped; do less in it, or do it on "
                            + "another thread",
                    BUFFER);
        }
    }

    /** Adds a listener that runs on the operations' threads. */
    public Disposable listen(OperationListener listener) {
        operationListeners.add(listener);
        return Disposables.composite(() -> operationListeners.remove(listener));
    }

    /**
     * {@return whether an operation that starts now is observed; if not, nothing has to be prepared for its end}
     */
    public boolean isObserved() {
        return sink.currentSubscriberCount() > 0 || !operationListeners.isEmpty() || details.isDebugEnabled();
    }

    /**
     * Emits an event without a duration if there are listeners. An error of the event does not affect its operation.
     */
    public void emit(Supplier<CaracalEvent> event) {
        emit(event, Context.empty());
    }

    private void emit(Supplier<CaracalEvent> event, ContextView context) {
        if (!isObserved()) {
            return;
        }
        try {
            CaracalEvent made = event.get();
            details.debug("{}", made);
            for (OperationListener listener : operationListeners) {
                try {
                    listener.ended(made, context);
                } catch (RuntimeException | LinkageError e) {
                    failed(made.getClass(), e);
                }
            }
            // Reached only if the draining thread was stopped for long.
            if (sink.currentSubscriberCount() > 0 && turns.get() < BUFFER && emitted.offer(made)) {
                emitInTurn();
            }
        } catch (RuntimeException e) {
            log.warn("An event was lost", e);
        }
    }

    /** An event without observers is not worth an error. */
    private void emitInTurn() {
        if (turns.getAndIncrement() != 0) {
            return; // the draining thread emits this one, too
        }
        int taken = 1;
        do {
            for (CaracalEvent next = emitted.poll(); next != null; next = emitted.poll()) {
                var unused = sink.tryEmitNext(next);
            }
            if (closing) {
                var unused = sink.tryEmitComplete();
            }
            taken = turns.addAndGet(-taken);
        } while (taken != 0);
    }

    /**
     * Observes an operation: emits its event when it completes, fails or is cancelled. A listener that is added while the operation
     * runs may not receive it.
     *
     * @param event makes the event of its result ({@code null} unless it gave one) and its completion
     */
    public <T> Mono<T> observe(Class<? extends CaracalEvent> kind, Mono<T> operation, EventFactory<T> event) {
        return Mono.deferContextual(view -> {
            if (!isObserved()) {
                return operation;
            }
            Running running = start(kind, view);
            // Before the result is emitted, so that events of the caller's next operations come later.
            Mono<T> observed = operation
                    .doOnSuccess(result ->
                            running.end(Outcome.SUCCESS, null, completion -> event.create(result, completion)))
                    .doOnError(
                            error -> running.end(Outcome.FAILURE, error, completion -> event.create(null, completion)))
                    .doOnCancel(
                            () -> running.end(Outcome.CANCELLED, null, completion -> event.create(null, completion)));
            Context within = running.within;
            return within == null ? observed : observed.contextWrite(context -> within);
        });
    }

    /** Starts an operation that ends with {@link Running#end}. */
    public Running start(Class<? extends CaracalEvent> kind, ContextView view) {
        return new Running(kind, view);
    }

    /**
     * {@return a transport whose answers are told to the operations that asked for them; to be used by operations that
     * are observed}
     */
    public HttpTransport observe(HttpTransport transport) {
        return new ObservedTransport(transport);
    }

    private record ObservedTransport(HttpTransport transport) implements HttpTransport {
        @Override
        public Mono<HttpResponse> exchange(HttpRequest request) {
            return Mono.deferContextual(view -> {
                Running running = view.getOrDefault(Running.class, null);
                Mono<HttpResponse> answer = Supplied.given(transport.exchange(request), "The HttpTransport");
                return running == null ? answer : answer.doOnNext(running::answered);
            });
        }

        @Override
        public Mono<Void> disposeLater() {
            return transport.disposeLater();
        }

        @Override
        public void dispose() {
            transport.dispose();
        }

        @Override
        public boolean isDisposed() {
            return transport.isDisposed();
        }
    }

    private record Answer(int status, @Nullable String requestId) {
        static final Answer NONE = new Answer(0, null);
    }

    /** One operation between its start and its end. */
    public final class Running {
        private final long startNanos = nanos();
        private final AtomicBoolean ended = new AtomicBoolean();
        private final @Nullable Running outer;
        private final @Nullable Context within;
        private volatile Answer answer = Answer.NONE;

        private Running(Class<? extends CaracalEvent> kind, ContextView view) {
            if (!isObserved()) {
                this.outer = null;
                this.within = null;
                return;
            }
            this.outer = view.getOrDefault(Running.class, null);
            Context context = Context.of(view);
            for (OperationListener listener : operationListeners) {
                try {
                    context = Objects.requireNonNull(listener.started(kind, context), "started(...) returned null");
                } catch (RuntimeException | LinkageError e) {
                    failed(kind, e);
                }
            }
            this.within = context.put(Running.class, this);
        }

        /** The answer to a part is also the last answer of the whole. */
        private void answered(HttpResponse response) {
            String id = response.header(Headers.REQUEST_ID)
                    .filter(Headers::isRequestId)
                    .orElse(null);
            Answer last = new Answer(response.status(), id);
            for (Running running = this; running != null; running = running.outer) {
                running.answer = last;
            }
        }

        /** Ends the operation; the first end counts. */
        public void end(Outcome outcome, @Nullable Throwable error, Function<Completion, CaracalEvent> event) {
            if (ended.compareAndSet(false, true)) {
                emit(() -> event.apply(completion(outcome, error)), within == null ? Context.empty() : within);
            }
        }

        private Completion completion(Outcome outcome, @Nullable Throwable error) {
            Duration duration = Duration.ofNanos(nanos() - startNanos);
            Answer last = answer;
            if (error instanceof ServiceException said) {
                return new Completion(
                        outcome,
                        duration,
                        said.httpStatus(),
                        said.code(),
                        said.requestId().orElse(last.requestId));
            }
            return new Completion(outcome, duration, last.status, code(outcome, error), last.requestId);
        }
    }

    private static @Nullable String code(Outcome outcome, @Nullable Throwable error) {
        if (outcome != Outcome.FAILURE) {
            return null;
        }
        return error instanceof CaracalException typed ? typed.code() : Refusal.NO_CODE;
    }

    /** Makes the event of an ended operation. */
    @FunctionalInterface
    public interface EventFactory<T> {
        /** Makes the event. */
        CaracalEvent create(@Nullable T result, Completion completion);
    }

    private long nanos() {
        return scheduler.now(TimeUnit.NANOSECONDS);
    }

    /** Completes the subscribers, once they have received what was emitted before. */
    public Mono<Void> close() {
        return Mono.defer(() -> {
            closing = true;
            emitInTurn();
            // A task behind all deliveries on the single thread has waited for them. Not disposeGracefully, which keeps
            // a non-daemon thread for ten seconds, and with it a program that has ended.
            return Mono.fromRunnable(() -> {})
                    .subscribeOn(scheduler)
                    .timeout(CLOSE_TIMEOUT, Mono.empty())
                    // Shutting down a thread pool may block on its lock, and so may submitting the last task, which may
                    // have run, and shut down the pool, before its submission returns.
                    .subscribeOn(Schedulers.boundedElastic())
                    .publishOn(Schedulers.boundedElastic())
                    .then(Mono.fromRunnable(scheduler::dispose));
        });
    }
}
