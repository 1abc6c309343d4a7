package run.caracal.internal.lifecycle;

import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BiFunction;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.reactivestreams.Publisher;
import reactor.core.Exceptions;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Operators;
import reactor.core.publisher.Signal;
import reactor.core.publisher.Sinks;
import reactor.core.scheduler.Scheduler;
import reactor.util.context.Context;
import reactor.util.context.ContextView;
import run.caracal.error.ClosedException;

/**
 * Ends every resource that it holds exactly once; closing waits for all of them.
 *
 * <p>A resource counts from the start of its open call to the end of its single termination. Its subscribers are not
 * counted, because a cancelled pipeline is gone before its cleanup ends. Scopes nest: a resource also counts in the
 * enclosing scopes.
 */
public final class Scope {
    /** Set in {@link #state} when the scope rejects new resources; the lower bits count the held ones. */
    private static final long CLOSED = 1L << 62;

    /** The maximum number of suppressed cleanup failures of the work's error. */
    private static final int MAX_SUPPRESSED = 8;

    private final @Nullable Scope enclosing;
    private final String closedMessage;
    private final Supplier<Scheduler> callers;
    private final Supplier<Scheduler> timers;
    private final AtomicLong state = new AtomicLong();
    private final Sinks.Empty<Void> drained = Sinks.empty();
    private final Set<Held<?>> held = ConcurrentHashMap.newKeySet();
    private volatile boolean swept;

    /**
     * Creates an open scope.
     *
     * @param closedMessage what the error says when something is opened after the scope was closed
     * @param callers where the code of the calling thread goes on after an end
     * @param timers where its wait for an end is timed
     */
    public Scope(String closedMessage, Supplier<Scheduler> callers, Supplier<Scheduler> timers) {
        this(null, closedMessage, callers, timers);
    }

    /** Creates an open scope inside of another one. */
    public Scope(Scope enclosing, String closedMessage) {
        this(enclosing, closedMessage, enclosing.callers, enclosing.timers);
    }

    private Scope(
            @Nullable Scope enclosing, String closedMessage, Supplier<Scheduler> callers, Supplier<Scheduler> timers) {
        this.enclosing = enclosing;
        this.closedMessage = closedMessage;
        this.callers = callers;
        this.timers = timers;
    }

    /**
     * A resource and its single termination: the first subscription starts it, all others share it, and no cancellation
     * stops it. The shared Mono is created on that first subscription, because most resources are idle.
     */
    private final class Held<R> {
        final R resource;
        final Mono<Void> end = Mono.defer(this::ending);
        private final Function<R, Mono<Void>> terminate;
        private final Consumer<Throwable> report;
        private @Nullable Mono<Void> ending;

        /** Whether its owner ends it, so that waiting for its work makes no sense. */
        volatile boolean handedOver;

        Held(R resource, Lifecycle<R> lifecycle) {
            this.resource = resource;
            this.terminate = lifecycle.end();
            this.report = lifecycle.report();
        }

        /** The end for code of users, which is not to run where the end is signalled, nor to delay what waits there. */
        Mono<Void> endForCaller() {
            return Mono.defer(() -> end.publishOn(callers.get()));
        }

        private synchronized Mono<Void> ending() {
            Mono<Void> known = ending;
            if (known == null) {
                known = Mono.defer(() -> terminate.apply(resource))
                        // Reported only here, so exactly once, whether or not anything waits for the end.
                        .doOnError(report)
                        .doFinally(signal -> {
                            held.remove(this);
                            exit();
                        })
                        .cache();
                ending = known;
            }
            return known;
        }
    }

    /**
     * How resources of one kind are opened and ended.
     *
     * @param open opens a resource; told whether the caller has gone, it may stop retrying what cannot have opened one
     * @param budget how long a pipeline waits for the end, given the error of its work or {@code null}; after that it goes
     *     on by itself
     * @param failOnEnd maps the failure of an end after successful work to the error that replaces the result; gives
     *     {@code null} to keep the result
     * @param report hears of every failed end, and of every failed open whose caller has gone
     */
    public record Lifecycle<R>(
            Function<BooleanSupplier, Mono<R>> open,
            Function<R, Mono<Void>> end,
            Function<@Nullable Throwable, Duration> budget,
            Function<Throwable, @Nullable RuntimeException> failOnEnd,
            Consumer<Throwable> report) {}

    /** {@return whether the scope refuses new resources; {@code true} once {@link #close} was subscribed} */
    public boolean isClosed() {
        return (state.get() & CLOSED) != 0 || (enclosing != null && enclosing.isClosed());
    }

    /** {@return how many resources are opening, open or ending} */
    public long count() {
        return state.get() & ~CLOSED;
    }

    /**
     * Rejects new resources, ends those that have an owner, waits for those whose work ends, ends the rest after the
     * grace period, and waits for that as long again.
     *
     * @param grace how long to wait, twice at most
     * @return completes when nothing is held or the time is over; never fails
     */
    public Mono<Void> close(Duration grace, Scheduler timer) {
        return Mono.defer(() -> {
            refuse();
            if (count() == 0) {
                return Mono.empty(); // and nothing comes any more
            }
            Mono<Void> rest = sweep(grace, timer);
            // The enclosing scope is already ending the rest, so there is no time to wait.
            if (isEnclosedInSweep()) {
                return rest;
            }
            Mono<Void> owned = Flux.fromIterable(held)
                    .filter(h -> h.handedOver)
                    .flatMap(h -> h.end.onErrorComplete(), Integer.MAX_VALUE)
                    .then();
            return Mono.when(owned, drained.asMono()).timeout(grace, rest, timer);
        });
    }

    /** Rejects new resources and ends the held ones immediately, for resources without work. */
    public Mono<Void> endAll(Duration limit, Scheduler timer) {
        return Mono.defer(() -> {
            refuse();
            return count() == 0 ? Mono.empty() : sweep(limit, timer);
        });
    }

    private Mono<Void> sweep(Duration limit, Scheduler timer) {
        return Mono.defer(() -> {
            swept = true;
            return Flux.fromIterable(held)
                    .flatMap(h -> h.end.onErrorComplete(), Integer.MAX_VALUE)
                    .then(drained.asMono())
                    .timeout(limit, Mono.empty(), timer);
        });
    }

    private boolean isEnclosedInSweep() {
        return enclosing != null && (enclosing.swept || enclosing.isEnclosedInSweep());
    }

    /** Rejects new resources, without waiting for the held ones. */
    public void refuse() {
        if (state.getAndUpdate(x -> x | CLOSED) == 0) {
            drained.tryEmitEmpty().orThrow();
        }
    }

    /**
     * Runs work that needs one resource; see {@link #many}.
     *
     * @return the result, held back until the end of the resource or until the budget is over
     */
    public <R, T> Mono<T> one(Lifecycle<R> lifecycle, Function<R, Mono<T>> work) {
        return Mono.defer(() -> {
            AtomicBoolean cancelled = new AtomicBoolean();
            return Mono.usingWhen(
                            acquire(lifecycle, cancelled),
                            h -> work.apply(h.resource),
                            h -> afterSuccess(lifecycle, h),
                            (h, e) -> afterError(lifecycle, h, e),
                            h -> h.end.onErrorComplete())
                    .onErrorResume(e -> cancelled.get() ? Mono.empty() : Mono.error(unwrap(e)))
                    .doOnCancel(() -> cancelled.set(true));
        });
    }

    /**
     * Runs work that needs one resource. The resource is opened on subscription and ended exactly once: when the work
     * completes, fails or is cancelled, and also when the cancellation arrives while it is still being opened. Cleanup
     * failures never replace the result or the error of the work, unless the lifecycle asks for it.
     */
    public <R, T> Flux<T> many(Lifecycle<R> lifecycle, Function<R, Publisher<T>> work) {
        return Flux.defer(() -> {
            AtomicBoolean cancelled = new AtomicBoolean();
            return Flux.usingWhen(
                            acquire(lifecycle, cancelled),
                            h -> work.apply(h.resource),
                            h -> afterSuccess(lifecycle, h),
                            (h, e) -> afterError(lifecycle, h, e),
                            h -> h.end.onErrorComplete())
                    .onErrorResume(e -> cancelled.get() ? Mono.empty() : Mono.error(unwrap(e)))
                    .doOnCancel(() -> cancelled.set(true));
        });
    }

    /**
     * Opens a resource for an owner, which has to end it. Until it is delivered it belongs to this scope: a subscriber that
     * cancels before leaves nothing behind.
     *
     * @param handle makes what the owner gets of the resource and its end: the first subscription to the end starts it, all
     *     others share it, and no cancellation stops it
     */
    public <R, A> Mono<A> handOver(Lifecycle<R> lifecycle, BiFunction<R, Mono<Void>, A> handle) {
        return Mono.deferContextual(context -> {
            AtomicBoolean gone = new AtomicBoolean();
            Mono<Held<R>> shared = detached(hold(lifecycle, gone::get));
            Runnable takeBack = () -> {
                gone.set(true);
                endDetached(shared, lifecycle, context);
            };
            return shared.map(h -> {
                        try {
                            h.handedOver = true;
                            return handle.apply(h.resource, h.endForCaller());
                        } catch (RuntimeException e) {
                            takeBack.run();
                            throw e;
                        }
                    })
                    .transform(Operators.<A, A>lift((scannable, actual) -> new Delivery<>(actual, takeBack)));
        });
    }

    /** Its end is owned by this scope, which counts it. */
    private <R> void endDetached(Mono<Held<R>> shared, Lifecycle<R> lifecycle, ContextView context) {
        var unused = shared.doOnError(lifecycle.report())
                .flatMap(h -> h.end)
                .subscribe(null, reported -> {}, null, Context.of(context));
    }

    /**
     * Opens a resource such that a cancellation does not orphan it: usingWhen would only cancel the open call, whose
     * request may have been sent. The open call runs to completion, and its resource is ended. A cancellation that
     * races with the arrival of the resource reaches both this and usingWhen's cleanup; the end is shared, so it
     * happens once.
     */
    private <R> Mono<Held<R>> acquire(Lifecycle<R> lifecycle, AtomicBoolean cancelled) {
        return Mono.deferContextual(context -> {
            Mono<Held<R>> shared = detached(hold(lifecycle, cancelled::get));
            AtomicBoolean failed = new AtomicBoolean();
            return shared.doOnError(told -> failed.set(true)).doOnCancel(() -> {
                // Operators may cancel a source that has already failed, as flatMap does when one of its inner sources
                // fails.
                if (!failed.get()) {
                    cancelled.set(true);
                    endDetached(shared, lifecycle, context);
                }
            });
        });
    }

    /**
     * Runs a call once and to completion, even if its subscribers cancel, and shares its result. Not {@code cache()},
     * whose operators would retain the upstream, and with it the whole exchange and its bearer.
     */
    private static <T> Mono<T> detached(Mono<T> call) {
        return Mono.<T>create(sink -> {
                    var unused =
                            call.subscribe(sink::success, sink::error, sink::success, Context.of(sink.contextView()));
                })
                .cache();
    }

    private <R> Mono<Held<R>> hold(Lifecycle<R> lifecycle, BooleanSupplier abandoned) {
        return Mono.defer(() -> {
            Scope refusing = enter();
            if (refusing != null) {
                return Mono.error(new ClosedException(refusing.closedMessage));
            }
            return Mono.defer(() -> lifecycle.open().apply(abandoned))
                    .switchIfEmpty(Mono.error(() -> new IllegalStateException("nothing was opened")))
                    .map(resource -> register(resource, lifecycle))
                    .doOnError(e -> exit())
                    // An opening that fails may have ended what it had opened before, and signals where that ended.
                    .onErrorResume(e -> Mono.<Held<R>>error(e).hide().publishOn(callers.get()))
                    // A resource that opens after the sweep of close() is not seen by it.
                    .flatMap(h -> swept
                            ? h.endForCaller().onErrorComplete().then(Mono.error(new ClosedException(closedMessage)))
                            : Mono.just(h));
        });
    }

    private <R> Held<R> register(R resource, Lifecycle<R> lifecycle) {
        Held<R> entry = new Held<>(resource, lifecycle);
        held.add(entry);
        return entry;
    }

    private <R> Mono<Void> afterSuccess(Lifecycle<R> lifecycle, Held<R> h) {
        return bounded(lifecycle, h, null).onErrorResume(failure -> {
            RuntimeException replacement = lifecycle.failOnEnd().apply(failure);
            return replacement == null ? Mono.empty() : Mono.error(new EndFailed(replacement));
        });
    }

    private <R> Mono<Void> afterError(Lifecycle<R> lifecycle, Held<R> h, Throwable error) {
        return bounded(lifecycle, h, error).onErrorResume(failure -> {
            // Suppressed exceptions of a shared instance would grow forever.
            if (error.getSuppressed().length < MAX_SUPPRESSED) {
                Exceptions.addSuppressed(error, failure);
            }
            return Mono.empty();
        });
    }

    /**
     * Waits for the end within the budget, if any; after it the end continues, because the shared Mono does not
     * propagate a cancellation. Its failure is materialized, because after the timeout an error would be dropped and
     * logged once more.
     */
    private <R> Mono<Void> bounded(Lifecycle<R> lifecycle, Held<R> h, @Nullable Throwable error) {
        Mono<Signal<Void>> ended = h.endForCaller().materialize();
        return Mono.defer(
                        () -> ended.takeUntilOther(Mono.delay(lifecycle.budget().apply(error), timers.get())))
                .onErrorResume(noBudget -> ended)
                .dematerialize();
    }

    /** Unwraps the RuntimeException in which usingWhen wraps a cleanup failure after success. */
    private static Throwable unwrap(Throwable e) {
        return e.getCause() instanceof EndFailed failed ? failed.replacement : e;
    }

    /** Counts a resource here and in every enclosing scope, or returns the scope that rejects it. */
    private @Nullable Scope enter() {
        Scope refusing = enclosing == null ? null : enclosing.enter();
        if (refusing != null) {
            return refusing;
        }
        if ((state.getAndUpdate(x -> (x & CLOSED) != 0 ? x : x + 1) & CLOSED) == 0) {
            return null;
        }
        if (enclosing != null) {
            enclosing.exit();
        }
        return this;
    }

    private void exit() {
        if (state.decrementAndGet() == CLOSED) {
            drained.tryEmitEmpty().orThrow();
        }
        if (enclosing != null) {
            enclosing.exit();
        }
    }

    /** Carries the error that replaces a result through usingWhen, which would wrap it in a RuntimeException. */
    private static final class EndFailed extends RuntimeException {
        private static final long serialVersionUID = 1L;
        private final transient RuntimeException replacement;

        EndFailed(RuntimeException replacement) {
            super(replacement.getMessage(), replacement, false, false);
            this.replacement = replacement;
        }
    }
}
