package run.caracal.internal.control;

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Scheduler;
import run.caracal.config.CaracalConfig;
import run.caracal.error.CaracalException;
import run.caracal.error.CoordinatorException;
import run.caracal.error.ProtocolException;
import run.caracal.error.SessionReplayedException;
import run.caracal.http.HttpRequest;
import run.caracal.http.HttpResponse;
import run.caracal.http.HttpTransport;
import run.caracal.internal.capacity.Place;
import run.caracal.internal.control.Attempts.Operation;
import run.caracal.internal.event.EventBus;
import run.caracal.internal.lifecycle.ClientState;
import run.caracal.internal.propagation.Envelope;
import run.caracal.internal.propagation.TraceParent;
import run.caracal.internal.token.AccessToken;
import run.caracal.internal.token.TokenCache;
import run.caracal.internal.wire.CallHeaders;
import run.caracal.internal.wire.CoordinatorRequests;
import run.caracal.internal.wire.CreateDelegation;
import run.caracal.internal.wire.DelegationAnswer;
import run.caracal.internal.wire.InboundAnswer;
import run.caracal.internal.wire.LeaseAnswer;
import run.caracal.internal.wire.OpenSession;
import run.caracal.internal.wire.SessionAnswer;

/** The operations at the Coordinator. */
public final class Coordinator {
    private static final Operation OPEN = new Operation("open", 2, true, true, false);
    private static final Operation REPLAY = new Operation("settle", 0, false, false, true);
    private static final Operation TERMINATE = new Operation("terminate", 2, false, true, true);
    private static final Operation TERMINATE_ONCE = new Operation("settle", 0, false, false, true);
    private static final Operation RENEW = new Operation("renew", 0, false, false, true);
    private static final Operation ATTACH = new Operation("attach", 1, false, true, false);
    private static final Operation DELEGATE = new Operation("delegate", 1, false, true, false);
    private static final Operation RENEW_DELEGATION = new Operation("delegate", 1, false, true, true);
    private static final Operation CHECK = new Operation("check", 1, false, false, false);
    private static final Operation REVOKE = new Operation("revoke", 1, false, true, true);

    /** The code of a service whose lease another holder has taken over. */
    public static final String FENCED = "session_lease_fenced";

    /** No session and no delegation has this id. */
    private static final String NOBODY = "00000000-0000-0000-0000-000000000000";

    private final CaracalConfig config;
    private final CoordinatorRequests requests;
    private final Attempts attempts;
    private final PendingTerminations pending;
    private final Scheduler timer;
    private final Supplier<Scheduler> callers;

    /** How renewals and terminations are sent, and those in the background timed: where no code of users runs. */
    public record Apart(HttpTransport transport, Scheduler timer) {}

    /**
     * Creates the client.
     *
     * @param calls how everything else is sent
     * @param callers where the code of a caller goes on after a revocation; ends of sessions are told by their scopes
     */
    public Coordinator(
            CaracalConfig config,
            Apart apart,
            HttpTransport calls,
            TokenCache tokens,
            EventBus events,
            Scheduler timer,
            Supplier<Scheduler> callers,
            ClientState state) {
        this.config = config;
        this.requests = new CoordinatorRequests(config.coordinatorUrl());
        // A limit of open sessions implies waiting for capacity.
        Duration patience = config.maxOpenSessions().isPresent() ? config.sessionAcquireTimeout() : Duration.ZERO;
        this.attempts = new Attempts(apart.transport(), calls, tokens, events, timer, state::isClosed, patience);
        this.timer = timer;
        this.callers = callers;
        this.pending = new PendingTerminations(events, apart.timer());
    }

    /**
     * An answer, and how long ago it was asked for. Whatever it grants lasts at the least from then on, and not from when
     * its operation began to wait.
     */
    public record Timed<T>(T answer, long ageNanos) {
        /** {@return when the answer was asked for, on a monotonic clock} */
        public long askedAt(Scheduler clock) {
            return clock.now(TimeUnit.NANOSECONDS) - ageNanos;
        }
    }

    /**
     * Opens a session, under one idempotency key through all attempts, so that a lost answer never leaves a second session.
     *
     * @param adopt whether a session that the caller's own key opened before is taken over
     * @param place its permit, already taken; given back when it fails
     * @return the session; an error when the caller's own key opened it before and it is not to be adopted
     */
    public Mono<Timed<SessionAnswer>> open(
            OpenSession session, boolean adopt, Envelope trace, BooleanSupplier abandoned, Place place) {
        return attempts.run(
                        OPEN,
                        attempts.bearer(OPEN),
                        bearer -> requests.open(session, call(bearer, trace)),
                        (sent, answer) -> {
                            SessionAnswer opened = read(sent.request(), answer, session.isService());
                            // A replay may be that of our own lost attempt, with a generated key it can be no other.
                            if (opened.isReplay() && !session.isKeyGenerated() && !adopt && !sent.repeated()) {
                                throw new SessionReplayedException(opened.agentSessionId());
                            }
                            return new Timed<>(opened, sent.ageNanos());
                        },
                        abandoned,
                        (token, error) -> {
                            // The caller of a key of its own learns the session by using the key again.
                            if (session.isKeyGenerated() && error instanceof CaracalException) {
                                pending.takeOver(
                                        null,
                                        endsAt(session),
                                        error,
                                        place,
                                        entry -> settle(entry, session, token, trace));
                            }
                        })
                // The answer cannot be used, but it names a session that is open.
                .onErrorResume(
                        UnreadableSession.class,
                        e -> terminate(e.agentSessionId, firstGeneration(session), endsAt(session), trace, place)
                                .onErrorComplete()
                                .then(Mono.error(e.problem)))
                .doOnError(failed -> place.release());
    }

    /** Replays an opening whose answer was lost until the session is known, and ends that session. */
    private Mono<Void> settle(
            PendingTerminations.Entry entry, OpenSession request, AccessToken bearer, Envelope trace) {
        return Mono.defer(() -> {
            String known = entry.agentSessionId();
            if (known != null) {
                return terminate(TERMINATE_ONCE, known, firstGeneration(request), trace)
                        .then();
            }
            return attempts.run(
                            REPLAY,
                            Mono.just(bearer),
                            token -> requests.open(request, call(token, trace)),
                            (sent, answer) -> {
                                // The id alone is needed, and of an answer without one the parser says so.
                                String id = SessionAnswer.idOf(answer);
                                return id != null
                                        ? id
                                        : SessionAnswer.parse(sent.request(), answer, false)
                                                .agentSessionId();
                            },
                            () -> false,
                            (token, error) -> {})
                    .onErrorResume(CoordinatorException.class, Coordinator::unlessRefused)
                    .flatMap(id -> {
                        entry.learned(id);
                        return terminate(TERMINATE_ONCE, id, firstGeneration(request), trace);
                    })
                    .then();
        });
    }

    /** The generation of a new lease, without which the platform ends no service; a task has none. */
    private static @Nullable Long firstGeneration(OpenSession session) {
        return session.isService() ? 1L : null;
    }

    /** A refusal says that there is no session, but for a conflict of the key: then there is one whose id stays unknown. */
    private static <T> Mono<T> unlessRefused(CoordinatorException e) {
        boolean conflict = e.httpStatus() == 409 && e.code().equals("idempotency_key_conflict");
        return conflict || PendingTerminations.passes(e) || e.httpStatus() == 401 ? Mono.error(e) : Mono.empty();
    }

    /** The number of sessions being terminated in the background. */
    public int pendingTerminations() {
        return pending.count();
    }

    /**
     * Rejects openings that wait for the Coordinator's limits, because the client closes.
     */
    public void refuseWaiters() {
        attempts.stopOpening();
    }

    /**
     * Ends pending terminations; see {@link PendingTerminations#close}.
     *
     * @return completes when nothing is pending any more; never an error
     */
    public Mono<Void> closePending(Duration bound) {
        // Stops the waits for the Coordinator's limits, for which there is no more time.
        return Mono.<Void>fromRunnable(attempts::stopWaiting).then(pending.close(bound));
    }

    /** Not a {@link ProtocolException}, which is retried, because the answer would be the same. */
    private static final class UnreadableSession extends RuntimeException {
        private static final long serialVersionUID = 1L;
        private final String agentSessionId;
        private final transient ProtocolException problem;

        UnreadableSession(String agentSessionId, ProtocolException problem) {
            super(problem.getMessage(), problem, false, false);
            this.agentSessionId = agentSessionId;
            this.problem = problem;
        }
    }

    private static SessionAnswer read(HttpRequest sent, HttpResponse answer, boolean leased) {
        try {
            return SessionAnswer.parse(sent, answer, leased);
        } catch (ProtocolException e) {
            String id = SessionAnswer.idOf(answer);
            if (id == null || id.isEmpty()) {
                throw e;
            }
            throw new UnreadableSession(id, e);
        }
    }

    /** Renews the lease of a service. One attempt: the next tick is the retry. */
    public Mono<LeaseAnswer> renew(String agentSessionId, String status, @Nullable Long generation, Envelope trace) {
        return attempts.run(
                RENEW,
                bearer -> requests.heartbeat(config.zoneId(), agentSessionId, status, generation, call(bearer, trace)),
                (sent, answer) -> LeaseAnswer.parse(sent.request(), answer),
                () -> false);
    }

    /** Takes over the lease of a service, which fences its older holder. */
    public Mono<Timed<LeaseAnswer>> attach(String agentSessionId, Envelope trace, BooleanSupplier abandoned) {
        return attempts.run(
                ATTACH,
                bearer -> requests.attach(config.zoneId(), agentSessionId, call(bearer, trace)),
                (sent, answer) -> new Timed<>(LeaseAnswer.parse(sent.request(), answer), sent.ageNanos()),
                abandoned);
    }

    /**
     * Terminates a session. One that is already gone counts as terminated, and so does a service that another holder has
     * taken over. A failure that passes is signalled, and the session is ended in the background.
     *
     * @param generation the generation of a service's lease; {@code null} for a task
     * @param endsAtNanos when the session ends by itself, on the monotonic clock; {@code null} when unknown
     * @param place its permit, which is given back when it is gone
     * @return whether the platform has ended it, and its descendants; {@code false} if another holder keeps it
     */
    public Mono<Boolean> terminate(
            String agentSessionId, @Nullable Long generation, @Nullable Long endsAtNanos, Envelope trace, Place place) {
        return terminate(TERMINATE, agentSessionId, generation, trace)
                .doOnError(
                        PendingTerminations::passes,
                        e -> pending.takeOver(
                                agentSessionId,
                                endsAtNanos,
                                e,
                                place,
                                entry -> terminate(TERMINATE_ONCE, agentSessionId, generation, trace)
                                        .then()))
                // Before its owner is signalled, which may need the permit for its next session.
                .doOnSuccess(gone -> place.release())
                .doOnError(failed -> place.release())
                .doOnCancel(place::release);
    }

    private @Nullable Long endsAt(OpenSession session) {
        long ttl = session.ttlSeconds();
        return ttl == 0 ? null : timer.now(TimeUnit.NANOSECONDS) + TimeUnit.SECONDS.toNanos(ttl);
    }

    private Mono<Boolean> terminate(
            Operation operation, String agentSessionId, @Nullable Long generation, Envelope trace) {
        return attempts.run(
                        operation,
                        bearer -> requests.terminate(config.zoneId(), agentSessionId, generation, call(bearer, trace)),
                        (sent, answer) -> true,
                        () -> false)
                .onErrorResume(
                        CoordinatorException.class,
                        e -> e.isSessionGone() ? Mono.just(!e.code().equals(FENCED)) : Mono.error(e));
    }

    /** Creates a delegation, under one idempotency key through all attempts. */
    public Mono<Timed<DelegationAnswer>> delegate(
            CreateDelegation delegation, Envelope trace, BooleanSupplier abandoned) {
        return delegate(DELEGATE, delegation, trace, abandoned);
    }

    /** As {@link #delegate}, for the delegation of a service, whose lease is lost with it. */
    public Mono<Timed<DelegationAnswer>> renewDelegation(CreateDelegation delegation, Envelope trace) {
        return delegate(RENEW_DELEGATION, delegation, trace, () -> false);
    }

    private Mono<Timed<DelegationAnswer>> delegate(
            Operation operation, CreateDelegation delegation, Envelope trace, BooleanSupplier abandoned) {
        return attempts.run(
                operation,
                bearer -> requests.delegate(delegation, call(bearer, trace)),
                (sent, answer) -> new Timed<>(DelegationAnswer.parse(sent.request(), answer), sent.ageNanos()),
                abandoned);
    }

    /**
     * Queries a delegation that is addressed to a session.
     *
     * @return the delegation; empty when it is not active or not addressed to the session
     */
    public Mono<InboundAnswer> inbound(String agentSessionId, String delegationEdgeId, Envelope trace) {
        return attempts.run(
                        CHECK,
                        bearer -> requests.inbound(
                                config.zoneId(), agentSessionId, delegationEdgeId, call(bearer, trace)),
                        (sent, answer) -> InboundAnswer.parse(sent.request(), answer),
                        () -> false)
                .onErrorResume(CoordinatorException.class, Coordinator::unlessNoDelegation);
    }

    /** Revokes a delegation and everything derived from it. An inactive one counts as revoked. */
    public Mono<Void> revoke(String delegationEdgeId, Envelope trace) {
        return Mono.defer(() -> attempts.run(
                        REVOKE,
                        bearer -> requests.revoke(config.zoneId(), delegationEdgeId, call(bearer, trace)),
                        (sent, answer) -> true,
                        () -> false)
                .onErrorResume(CoordinatorException.class, Coordinator::unlessNoDelegation)
                .then()
                .publishOn(callers.get()));
    }

    /**
     * Queries a delegation that does not exist, which succeeds only if the Coordinator accepts the application token.
     */
    public Mono<Void> check() {
        return Mono.defer(() -> inbound(
                        NOBODY,
                        NOBODY,
                        Envelope.EMPTY.toBuilder()
                                .traceId(TraceParent.newTraceId())
                                .build()))
                .then();
    }

    /** Another 404, for instance that of an unknown route, says nothing about the delegation. */
    private static <T> Mono<T> unlessNoDelegation(CoordinatorException e) {
        return e.httpStatus() == 404 && e.code().equals("delegation_not_found") ? Mono.empty() : Mono.error(e);
    }

    private CallHeaders call(AccessToken bearer, Envelope trace) {
        return new CallHeaders(
                bearer.authorization(),
                TraceParent.write(trace.traceId(), trace.traceFlags()),
                trace.traceState(),
                config.coordinatorTimeout());
    }
}
