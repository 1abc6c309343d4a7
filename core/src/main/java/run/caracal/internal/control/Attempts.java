package run.caracal.internal.control;

import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;
import reactor.core.scheduler.Scheduler;
import run.caracal.error.CaracalException;
import run.caracal.error.ClosedException;
import run.caracal.error.CoordinatorException;
import run.caracal.error.Limit;
import run.caracal.error.ProtocolException;
import run.caracal.error.ServiceException;
import run.caracal.error.TransportException;
import run.caracal.event.CaracalEvent;
import run.caracal.http.HttpRequest;
import run.caracal.http.HttpResponse;
import run.caracal.http.HttpTransport;
import run.caracal.internal.event.EventBus;
import run.caracal.internal.lifecycle.ClientState;
import run.caracal.internal.token.AccessToken;
import run.caracal.internal.token.TokenCache;
import run.caracal.internal.wire.Backoff;
import run.caracal.internal.wire.ErrorAnswers;

/**
 * Runs one operation at the Coordinator with the retries that its kind allows: which failures are retried, when, with which
 * bearer, and whether the outcome is unknown.
 */
final class Attempts {

    /**
     * An operation.
     *
     * @param keepsBearer whether all attempts after an ambiguous one must carry the same bearer: the digest of a session
     *     start covers it, and a second bearer would turn the replay into a conflict
     * @param waits whether it waits for limits of the platform that pass, when the client has the patience
     * @param apart whether it runs where no code of users does, because none may delay it; else where callers' code goes on
     */
    record Operation(String name, int retries, boolean keepsBearer, boolean waits, boolean apart) {
        boolean opensSession() {
            return keepsBearer;
        }
    }

    /** Hears that an operation may have acted although it failed. */
    @FunctionalInterface
    interface Unresolved {
        /** The operation has failed for its caller. */
        void failed(AccessToken token, Throwable error);
    }

    /** Reads a 2xx answer. */
    @FunctionalInterface
    interface Reader<T> {
        /** Reads it. */
        T read(Sent sent, HttpResponse answer);
    }

    /**
     * An attempt that was answered.
     *
     * @param ageNanos how long ago it was made, or an earlier one that may have done already what this one asked for; an
     *     operation may have waited for long before
     * @param repeated whether there is such an earlier one
     */
    record Sent(HttpRequest request, long ageNanos, boolean repeated) {}

    /** The time over which the calls that waited for a new minute are spread. */
    private static final Duration SPREAD = Duration.ofSeconds(1);

    /** From which attempt on the pauses between two attempts to find a free place grow no more. */
    private static final int LAST_STEP = 4;

    private final HttpTransport apart;
    private final HttpTransport calls;
    private final TokenCache tokens;
    private final EventBus events;
    private final Scheduler timer;
    private final BooleanSupplier closed;
    private final Duration patience;
    private final Sinks.Empty<Void> noMoreOpening = Sinks.empty();
    private final Sinks.Empty<Void> noMoreWaiting = Sinks.empty();

    /**
     * Creates it.
     *
     * @param apart how operations apart from the callers are sent
     * @param calls how the others are sent
     * @param closed whether the client is closed: nothing is sent then
     * @param patience how long one operation waits for limits of the platform that pass; zero not to wait
     */
    Attempts(
            HttpTransport apart,
            HttpTransport calls,
            TokenCache tokens,
            EventBus events,
            Scheduler timer,
            BooleanSupplier closed,
            Duration patience) {
        this.closed = closed;
        this.patience = patience;
        this.apart = apart;
        this.calls = calls;
        this.tokens = tokens;
        this.events = events;
        this.timer = timer;
    }

    /**
     * Runs an operation.
     *
     * @param abandoned whether the caller has gone: then only what is ambiguous is tried again, to learn what came of it
     */
    <T> Mono<T> run(
            Operation operation,
            Function<AccessToken, HttpRequest> request,
            Reader<T> read,
            BooleanSupplier abandoned) {
        return run(operation, bearer(operation), request, read, abandoned, (token, error) -> {});
    }

    /** Rejects openings that wait for a limit, now and later. */
    void stopOpening() {
        var unused = noMoreOpening.tryEmitEmpty();
    }

    /** Fails all waits for a limit with that limit, now and later. */
    void stopWaiting() {
        var unused = noMoreWaiting.tryEmitEmpty();
    }

    Mono<AccessToken> bearer(Operation operation) {
        return operation.apart() ? tokens.get() : tokens.getForCaller();
    }

    /** Runs an operation with a given first bearer. */
    <T> Mono<T> run(
            Operation operation,
            Mono<AccessToken> first,
            Function<AccessToken, HttpRequest> request,
            Reader<T> read,
            BooleanSupplier abandoned,
            Unresolved unresolved) {
        return Mono.defer(() -> {
            Run<T> run = new Run<>(operation, request, read, abandoned, unresolved);
            Mono<T> result = first.flatMap(run::attempt);
            return events.observe(
                    CaracalEvent.CoordinatorCall.class,
                    result,
                    (value, completion) ->
                            new CaracalEvent.CoordinatorCall(operation.name(), run.attempts, completion));
        });
    }

    /** The state of one subscription; its attempts follow one another. */
    private final class Run<T> {
        private final Operation operation;
        private final Function<AccessToken, HttpRequest> request;
        private final Reader<T> read;
        private final BooleanSupplier abandoned;
        private final Unresolved unresolved;
        private int attempts;
        private int retried;
        private boolean ambiguous;
        private long since;
        private boolean refreshed;
        private int waited;
        private long waitsUntil;

        Run(
                Operation operation,
                Function<AccessToken, HttpRequest> request,
                Reader<T> read,
                BooleanSupplier abandoned,
                Unresolved unresolved) {
            this.unresolved = unresolved;
            this.operation = operation;
            this.request = request;
            this.read = read;
            this.abandoned = abandoned;
        }

        Mono<T> attempt(AccessToken token) {
            if (closed.getAsBoolean()) {
                return Mono.error(new ClosedException("The Caracal client is closed, so nothing was sent"));
            }
            if (abandoned.getAsBoolean() && !ambiguous) {
                return Mono.error(new ClosedException("The caller went before the request was sent; nothing was sent"));
            }
            attempts++;
            HttpRequest sent = request.apply(token);
            if (!ambiguous) {
                since = timer.now(TimeUnit.NANOSECONDS);
            }
            return (operation.apart() ? apart : calls)
                    .exchange(sent)
                    .switchIfEmpty(Mono.error(() -> ErrorAnswers.none(sent)))
                    .map(answer -> {
                        if (!ErrorAnswers.isSuccess(answer.status())) {
                            throw ErrorAnswers.coordinator(sent, answer, Instant.now());
                        }
                        return read.read(new Sent(sent, timer.now(TimeUnit.NANOSECONDS) - since, ambiguous), answer);
                    })
                    .onErrorResume(e -> failed(token, e));
        }

        private Mono<T> failed(AccessToken token, Throwable error) {
            if (isRefusedToken(error) && !refreshed && !(ambiguous && operation.keepsBearer())) {
                refreshed = true;
                tokens.reject(token);
                return bearer(operation)
                        .flatMap(fresh -> fresh.value().equals(token.value()) ? Mono.error(error) : attempt(fresh));
            }
            ambiguous |= isAmbiguous(error);
            Duration turn = turn(error);
            if (turn != null) {
                Sinks.Empty<Void> stop = operation.opensSession() ? noMoreOpening : noMoreWaiting;
                return Mono.firstWithSignal(
                                stop.asMono().thenReturn(false),
                                Mono.delay(turn, timer).thenReturn(true))
                        .flatMap(goesOn -> goesOn ? attempt(token) : stopped(token, error));
            }
            if (retried < operation.retries() && isTransient(error) && (ambiguous || !abandoned.getAsBoolean())) {
                Duration pause = Backoff.delay(
                        retried++,
                        retryAfter(error),
                        ThreadLocalRandom.current().nextDouble());
                return Mono.delay(pause, timer)
                        .then(Mono.defer(() -> attempt(token)))
                        // That nothing was sent is true of the last attempt only.
                        .onErrorResume(
                                ClosedException.class, closed -> ambiguous ? ended(token, error) : Mono.error(closed));
            }
            return ended(token, error);
        }

        private Mono<T> stopped(AccessToken token, Throwable error) {
            return operation.opensSession() && !ambiguous ? Mono.error(ClientState.closedError()) : ended(token, error);
        }

        /** The wait for a limit; {@code null} if there is none, or it would be too long. */
        private @Nullable Duration turn(Throwable error) {
            if (patience.isZero() || !operation.waits() || !(error instanceof CoordinatorException refused)) {
                return null;
            }
            Limit limit = refused.limit().orElse(null);
            Duration turn =
                    limit == null ? null : turn(limit, refused.retryAfter().orElse(null));
            if (turn == null) {
                return null;
            }
            long now = timer.now(TimeUnit.NANOSECONDS);
            if (waited++ == 0) {
                waitsUntil = now + patience.toNanos();
            }
            return now + turn.toNanos() - waitsUntil > 0 ? null : turn;
        }

        private @Nullable Duration turn(Limit limit, @Nullable Duration asked) {
            double random = ThreadLocalRandom.current().nextDouble();
            return switch (limit.kind()) {
                // Counted by the minutes of the clock. Not all at the same moment.
                case COORDINATOR_CALLS ->
                    (asked == null ? untilNextMinute() : asked).plusMillis((long) (random * SPREAD.toMillis()));
                case ZONE_SESSIONS, APPLICATION_SESSIONS, SESSION_CHILDREN ->
                    asked == null ? Backoff.delay(Math.min(waited, LAST_STEP), null, random) : asked;
                default -> null;
            };
        }

        private Duration untilNextMinute() {
            long minute = TimeUnit.MINUTES.toMillis(1);
            return Duration.ofMillis(minute - Math.floorMod(timer.now(TimeUnit.MILLISECONDS), minute));
        }

        private Mono<T> ended(AccessToken token, Throwable error) {
            if (!ambiguous) {
                return Mono.error(error);
            }
            Throwable unknown = error instanceof CoordinatorException answer
                    ? answer.withOutcomeUnknown()
                    : error instanceof TransportException lost ? lost.withOutcomeUnknown() : error;
            unresolved.failed(token, unknown);
            return Mono.error(unknown);
        }
    }

    private static boolean isRefusedToken(Throwable error) {
        return error instanceof ServiceException answer && answer.httpStatus() == 401;
    }

    /** Whether the service may have acted although the attempt failed. */
    private static boolean isAmbiguous(Throwable error) {
        if (error instanceof TransportException lost) {
            return lost.isAmbiguous();
        }
        if (error instanceof ServiceException answer) {
            return answer.httpStatus() >= 500 || answer.httpStatus() == 408;
        }
        return error instanceof ProtocolException;
    }

    private static boolean isTransient(Throwable error) {
        if (error instanceof ServiceException answer) {
            // The platform's own 429 are capacity limits, which a second attempt does not change; a proxy's say when.
            return isAmbiguous(error)
                    || (answer.httpStatus() == 429 && answer.retryAfter().isPresent());
        }
        return error instanceof CaracalException typed && (typed.isRetryable() || error instanceof ProtocolException);
    }

    private static @Nullable Duration retryAfter(Throwable error) {
        return error instanceof ServiceException answer ? answer.retryAfter().orElse(null) : null;
    }
}
