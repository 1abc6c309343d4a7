package run.caracal.internal.control;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Scheduler;
import run.caracal.config.CaracalConfig;
import run.caracal.error.CoordinatorException;
import run.caracal.error.ProtocolException;
import run.caracal.error.SessionReplayedException;
import run.caracal.http.HttpRequest;
import run.caracal.http.HttpResponse;
import run.caracal.http.HttpTransport;
import run.caracal.internal.control.Attempts.Operation;
import run.caracal.internal.event.EventBus;
import run.caracal.internal.propagation.Envelope;
import run.caracal.internal.propagation.TraceParent;
import run.caracal.internal.token.TokenCache;
import run.caracal.internal.wire.Call;
import run.caracal.internal.wire.CoordinatorRequests;
import run.caracal.internal.wire.CreateDelegation;
import run.caracal.internal.wire.DelegationAnswer;
import run.caracal.internal.wire.IdempotencyKeys;
import run.caracal.internal.wire.InboundAnswer;
import run.caracal.internal.wire.LeaseAnswer;
import run.caracal.internal.wire.OpenSession;
import run.caracal.internal.wire.SessionAnswer;

/** The operations at the Coordinator. */
public final class Coordinator {
    private static final Operation OPEN = new Operation("open", 2, true);
    private static final Operation TERMINATE = new Operation("terminate", 2, false);
    private static final Operation RENEW = new Operation("renew", 0, false);
    private static final Operation ATTACH = new Operation("attach", 1, false);
    private static final Operation DELEGATE = new Operation("delegate", 1, false);
    private static final Operation CHECK = new Operation("check", 1, false);
    private static final Operation REVOKE = new Operation("revoke", 1, false);

    /**
     * What a session is opened with.
     *
     * @param parentId the parent session
     * @param inheritsAuthority whether it is given what the parent holds
     * @param parentEdgeId the delegation that bounds the parent, to be inherited
     * @param ttl how long the platform lets it live; {@code null} for a service, which lives as long as its lease
     * @param labels its labels
     * @param metadata what its record says besides
     * @param kind its kind
     * @param subjectAuthorityRecordId the user for whom it acts
     * @param idempotencyKey the caller's own key; {@code null} for a generated one
     * @param adopt whether a session that the caller's key opened before is taken over
     * @param trace the trace it belongs to
     */
    public record Opening(
            @Nullable String parentId,
            boolean inheritsAuthority,
            @Nullable String parentEdgeId,
            @Nullable Duration ttl,
            List<String> labels,
            Map<String, @Nullable Object> metadata,
            @Nullable String kind,
            @Nullable String subjectAuthorityRecordId,
            @Nullable String idempotencyKey,
            boolean adopt,
            Envelope trace) {}

    private final CaracalConfig config;
    private final CoordinatorRequests requests;
    private final Attempts attempts;

    /**
     * Creates the client.
     *
     * @param config which Coordinator, zone and application
     * @param transport how to reach it
     * @param tokens the application token
     * @param events observes every operation
     * @param timer where pauses are measured
     * @param closed whether the client is closed: nothing is sent then
     */
    public Coordinator(
            CaracalConfig config,
            HttpTransport transport,
            TokenCache tokens,
            EventBus events,
            Scheduler timer,
            BooleanSupplier closed) {
        this.config = config;
        this.requests = new CoordinatorRequests(config.coordinatorUrl());
        this.attempts = new Attempts(transport, tokens, events, timer, closed);
    }

    /**
     * Opens a session, a task if it has a TTL, else a service, under one idempotency key through all attempts, so that a lost answer never leaves a second
     * session.
     *
     * @param opening what it is opened with
     * @param abandoned whether the caller has gone
     * @return the session; an error when the caller's own key opened it before and it is not to be adopted
     */
    public Mono<SessionAnswer> open(Opening opening, BooleanSupplier abandoned) {
        return Mono.defer(() -> {
            Duration ttl = opening.ttl();
            OpenSession.Builder session = OpenSession.builder(config.zoneId(), config.applicationId())
                    .lifecycle(ttl == null ? "service" : "task")
                    .ttlSeconds(ttl == null ? 0 : ttl.toSeconds())
                    .labels(opening.labels())
                    .metadata(opening.metadata())
                    .kind(opening.kind())
                    .subjectAuthorityRecordId(opening.subjectAuthorityRecordId());
            if (opening.parentId() != null) {
                session = session.parentId(opening.parentId())
                        .parentAuthority(opening.inheritsAuthority() ? "inherit" : "none")
                        .inheritParentEdgeId(opening.inheritsAuthority() ? opening.parentEdgeId() : null);
            }
            String key = opening.idempotencyKey();
            OpenSession request = (key == null
                            ? session.generatedIdempotencyKey(IdempotencyKeys.generate())
                            : session.idempotencyKey(key))
                    .build();
            return attempts.run(
                            OPEN,
                            bearer -> requests.open(request, call(bearer, opening.trace())),
                            (sent, answer, repeated) -> {
                                SessionAnswer opened = read(sent, answer);
                                // A replay may be that of our own lost attempt, with a generated key it can be no
                                // other.
                                if (opened.isReplay() && key != null && !opening.adopt() && !repeated) {
                                    throw new SessionReplayedException(opened.agentSessionId());
                                }
                                return opened;
                            },
                            abandoned)
                    // The answer cannot be used, but it names a session that is open.
                    .onErrorResume(
                            UnreadableSession.class,
                            e -> terminate(e.agentSessionId, null, opening.trace())
                                    .onErrorComplete()
                                    .then(Mono.error(e.problem)));
        });
    }

    /** Not a {@link ProtocolException}, which is tried again: the same answer would come again. */
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

    private static SessionAnswer read(HttpRequest sent, HttpResponse answer) {
        try {
            return SessionAnswer.parse(sent, answer);
        } catch (ProtocolException e) {
            String id = SessionAnswer.idOf(answer);
            if (id == null || id.isEmpty()) {
                throw e;
            }
            throw new UnreadableSession(id, e);
        }
    }

    /**
     * Renews the lease of a service. One attempt: the next tick is the retry.
     *
     * @param agentSessionId the session
     * @param status the status that the renewal carries
     * @param generation the generation of the lease, or {@code null} when none was given
     * @param trace the trace it belongs to
     * @return the renewed lease
     */
    public Mono<LeaseAnswer> renew(String agentSessionId, String status, @Nullable Long generation, Envelope trace) {
        return attempts.run(
                RENEW,
                bearer -> requests.heartbeat(config.zoneId(), agentSessionId, status, generation, call(bearer, trace)),
                (sent, answer, repeated) -> LeaseAnswer.parse(sent, answer),
                () -> false);
    }

    /**
     * Takes over the lease of a service, which fences its older holder.
     *
     * @param agentSessionId the session
     * @param trace the trace it belongs to
     * @param abandoned whether the caller has gone
     * @return the lease in its new generation
     */
    public Mono<LeaseAnswer> attach(String agentSessionId, Envelope trace, BooleanSupplier abandoned) {
        return attempts.run(
                ATTACH,
                bearer -> requests.attach(config.zoneId(), agentSessionId, call(bearer, trace)),
                (sent, answer, repeated) -> LeaseAnswer.parse(sent, answer),
                abandoned);
    }

    /**
     * Terminates a session. One that is already gone counts as terminated.
     *
     * @param agentSessionId the session
     * @param generation the generation of a service's lease; {@code null} for a task
     * @param trace the trace it belongs to
     * @return completes when the session is gone
     */
    public Mono<Void> terminate(String agentSessionId, @Nullable Long generation, Envelope trace) {
        return attempts.run(
                        TERMINATE,
                        bearer -> requests.terminate(config.zoneId(), agentSessionId, generation, call(bearer, trace)),
                        (sent, answer, repeated) -> true,
                        () -> false)
                .onErrorResume(CoordinatorException.class, e -> e.isSessionGone() ? Mono.empty() : Mono.error(e))
                .then();
    }

    /**
     * Creates a delegation, under one idempotency key through all attempts.
     *
     * @param delegation what is delegated
     * @param trace the trace it belongs to
     * @param abandoned whether the caller has gone
     * @return the delegation
     */
    public Mono<DelegationAnswer> delegate(CreateDelegation delegation, Envelope trace, BooleanSupplier abandoned) {
        return attempts.run(
                DELEGATE,
                bearer -> requests.delegate(delegation, call(bearer, trace)),
                (sent, answer, repeated) -> DelegationAnswer.parse(sent, answer),
                abandoned);
    }

    /**
     * Asks for a delegation that is addressed to a session.
     *
     * @param agentSessionId the session
     * @param delegationEdgeId the delegation
     * @param trace the trace the call belongs to
     * @return the delegation; empty when it is not active or not addressed to the session
     */
    public Mono<InboundAnswer> inbound(String agentSessionId, String delegationEdgeId, Envelope trace) {
        return attempts.run(
                        CHECK,
                        bearer -> requests.inbound(
                                config.zoneId(), agentSessionId, delegationEdgeId, call(bearer, trace)),
                        (sent, answer, repeated) -> InboundAnswer.parse(sent, answer),
                        () -> false)
                .onErrorResume(CoordinatorException.class, Coordinator::unlessNoDelegation);
    }

    /**
     * Revokes a delegation and what was derived from it. One that is not active any more counts as revoked.
     *
     * @param delegationEdgeId the delegation
     * @param trace the trace the call belongs to
     * @return completes when the delegation has ended
     */
    public Mono<Void> revoke(String delegationEdgeId, Envelope trace) {
        return attempts.run(
                        REVOKE,
                        bearer -> requests.revoke(config.zoneId(), delegationEdgeId, call(bearer, trace)),
                        (sent, answer, repeated) -> true,
                        () -> false)
                .onErrorResume(CoordinatorException.class, Coordinator::unlessNoDelegation)
                .then();
    }

    /** Another 404, for instance that of an unknown route, says nothing about the delegation. */
    private static <T> Mono<T> unlessNoDelegation(CoordinatorException e) {
        return e.httpStatus() == 404 && e.code().equals("delegation_not_found") ? Mono.empty() : Mono.error(e);
    }

    private Call call(String bearer, Envelope trace) {
        return new Call(
                bearer,
                TraceParent.write(trace.traceId(), trace.traceFlags()),
                trace.traceState(),
                config.coordinatorTimeout());
    }
}
