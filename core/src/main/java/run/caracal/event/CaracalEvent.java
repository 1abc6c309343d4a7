package run.caracal.event;

import java.time.Duration;
import org.jspecify.annotations.Nullable;
import run.caracal.error.LeaseLostException;

/**
 * An operation of the SDK at a Caracal service. Events contain ids and outcomes, never a token or a secret. New kinds
 * may be added, so give a {@code switch} over them a default branch.
 */
public interface CaracalEvent {

    /** {@return how the operation ended} */
    Completion completion();

    /**
     * The application token was requested.
     *
     * @param cache the source of the token
     * @param completion how it ended
     */
    record TokenExchange(Cache cache, Completion completion) implements CaracalEvent {

        /** The source of a token. */
        public enum Cache {
            /** The cache, without a call. */
            HIT,
            /** An exchange that a caller waited for. */
            MISS,
            /** An early exchange, while the old token was still served. */
            REFRESH
        }
    }

    /**
     * A one-shot mandate was requested, as for each call with scopes through the Gateway.
     *
     * @param resource the resource of the mandate
     * @param completion how it ended
     */
    record MandateMinted(String resource, Completion completion) implements CaracalEvent {}

    /**
     * A request to the Gateway ended. For a decorated client this is when the response headers arrive, because the body
     * belongs to the caller; for {@code fetch} when the answer is complete. A retried call emits an event per attempt;
     * a followed redirect emits none.
     *
     * @param resource the selected resource; {@code -} if the request ended before it was known
     * @param completion how it ended; a status of 400 or more is a failure with the code {@code http_status}, from the
     *     Gateway or the upstream. The duration starts when the identity was resolved; the request id is that of the
     *     request
     */
    record GatewayCall(String resource, Completion completion) implements CaracalEvent {}

    /**
     * A user's identity token was exchanged.
     *
     * @param authorityRecordId the user's authority record; {@code null} on failure
     * @param completion how it ended
     */
    record SubjectFederated(@Nullable String authorityRecordId, Completion completion) implements CaracalEvent {}

    /**
     * A wait for a person's approval ended.
     *
     * @param approvalId the approval
     * @param completion how it ended; the code of a failure is {@code approval_rejected} and the like
     */
    record ApprovalAwaited(String approvalId, Completion completion) implements CaracalEvent {}

    /**
     * An incoming request was verified, and accepted or rejected.
     *
     * @param actsAs the identity of its handler; {@code NOBODY} also for a rejection
     * @param mismatch whether its baggage named another session, delegation, authority record or hop than its verified
     *     mandate, whose claims were used: a bug of the caller, or an attack
     * @param completion how it ended; the code of a failure is {@code missing_token}, {@code invalid_token} and the
     *     like
     */
    record InboundRequest(ActsAs actsAs, boolean mismatch, Completion completion) implements CaracalEvent {

        /** The identity of a request's handler. */
        public enum ActsAs {
            /** The verified caller. */
            CALLER,
            /** The unverified caller. */
            CALLER_UNPROVEN,
            /** The application itself: the request had no bearer. */
            APPLICATION,
            /** Nobody: the request was rejected, or passed anonymously. */
            NOBODY
        }
    }

    /**
     * An operation at the Coordinator ended, with all its attempts.
     *
     * @param operation for instance {@code open} or {@code terminate}; {@code settle} for the attempts of
     *     {@link TerminationPending}
     * @param attempts the number of requests sent
     * @param completion how it ended
     */
    record CoordinatorCall(String operation, int attempts, Completion completion) implements CaracalEvent {}

    /**
     * A session waited for its permit, or a mint for its turn. Operations that did not wait emit no event.
     *
     * @param capacity the awaited capacity
     * @param completion how the wait ended; its duration is that of the wait
     */
    record CapacityWaited(Capacity capacity, Completion completion) implements CaracalEvent {

        /** The awaited capacity. */
        public enum Capacity {
            /** A permit of {@code maxOpenSessions}. */
            SESSION,
            /** A turn of {@code maxMintsPerMinute}. */
            MINT
        }
    }

    /**
     * An agent session was opened, or opening it failed.
     *
     * @param agentSessionId the session; {@code null} on failure
     * @param completion how it ended
     */
    record SessionOpened(@Nullable String agentSessionId, Completion completion) implements CaracalEvent {}

    /**
     * An agent session was terminated, or its termination failed for good, so that the session ends with its TTL.
     *
     * @param agentSessionId the session
     * @param completion how it ended
     */
    record SessionClosed(String agentSessionId, Completion completion) implements CaracalEvent {}

    /**
     * The client continues in the background to terminate a session that may still be open: its termination failed
     * transiently, or the response to its opening was lost.
     *
     * @param agentSessionId the session; {@code null} if only its opening is known
     * @param pending the number of sessions being terminated in the background, including this one
     * @param completion the failure of the last call
     */
    record TerminationPending(@Nullable String agentSessionId, int pending, Completion completion)
            implements CaracalEvent {}

    /**
     * A pending termination has ended: the session is gone, or it was given up, because the Coordinator rejects the
     * termination, because too many are pending, or because the client is closed. A session that was given up ends with
     * its TTL or its lease.
     *
     * @param agentSessionId the session; {@code null} if only its opening is known
     * @param pending the number of sessions still being terminated in the background
     * @param completion how it ended; its duration starts at {@link TerminationPending}
     */
    record TerminationSettled(@Nullable String agentSessionId, int pending, Completion completion)
            implements CaracalEvent {}

    /**
     * The lease of a service was renewed, or a renewal failed; it is retried at the next tick.
     *
     * @param agentSessionId the service session
     * @param lag the delay of the renewal after its due time; zero for {@code heartbeat()}
     * @param completion how it ended
     */
    record LeaseRenewed(String agentSessionId, Duration lag, Completion completion) implements CaracalEvent {}

    /**
     * The lease of a service was lost; once per service.
     *
     * @param agentSessionId the service session
     * @param reason why
     * @param completion a failure with the code of the loss
     */
    record LeaseLost(String agentSessionId, LeaseLostException.Reason reason, Completion completion)
            implements CaracalEvent {}

    /**
     * A delegation was created, or creating it failed: by {@code delegate} and {@code createDelegation}, or for a
     * narrowed session.
     *
     * @param delegationEdgeId the delegation; {@code null} on failure
     * @param sourceSessionId the issuing session
     * @param targetSessionId the receiving session
     * @param completion how it ended
     */
    record DelegationCreated(
            @Nullable String delegationEdgeId, String sourceSessionId, String targetSessionId, Completion completion)
            implements CaracalEvent {}

    /**
     * A delegation was accepted by the receiving session, or found inactive.
     *
     * @param delegationEdgeId the delegation
     * @param agentSessionId the receiving session
     * @param completion how it ended; its status is 0 if the Coordinator was not asked
     */
    record DelegationAccepted(String delegationEdgeId, String agentSessionId, Completion completion)
            implements CaracalEvent {}

    /**
     * A delegation was revoked, or revoking it failed.
     *
     * @param delegationEdgeId the delegation
     * @param completion how it ended
     */
    record DelegationRevoked(String delegationEdgeId, Completion completion) implements CaracalEvent {}
}
