package run.caracal.event;

import java.time.Duration;
import org.jspecify.annotations.Nullable;
import run.caracal.error.LeaseLostException;

/**
 * Something the SDK did at a Caracal service. Events hold ids and outcomes, never a token or a secret. New
 * kinds may be added: give a {@code switch} over them a default branch.
 */
public interface CaracalEvent {

    /** {@return how the operation ended} */
    Completion completion();

    /**
     * The application token was asked for.
     *
     * @param cache where the token came from
     * @param completion how it ended
     */
    record TokenExchange(Cache cache, Completion completion) implements CaracalEvent {

        /** Where a token came from. */
        public enum Cache {
            /** From memory, without a call. */
            HIT,
            /** From an exchange for which a caller waited. */
            MISS,
            /** From an early exchange, while the old token was still served. */
            REFRESH
        }
    }

    /**
     * A one-shot mandate was asked for; each call through the Gateway that has scopes asks for one of its own.
     *
     * @param resource the resource that it is for
     * @param completion how it ended
     */
    record MandateMinted(String resource, Completion completion) implements CaracalEvent {}

    /**
     * A request to the Gateway was answered, or came to nothing: one of a decorated client, emitted when the headers of the
     * answer arrive, because its body belongs to the caller; or one of {@code fetch}, emitted when the answer is there. A
     * retried call makes an event for each request that was resolved; a redirect that the client follows does not.
     *
     * @param resource the resource that it selected; {@code -} when it ended before that was known
     * @param completion how it ended; an answer with a status of 400 or more is a failure with the code {@code
     *     http_status}, whether the Gateway or the upstream gave it. The duration runs from the moment at which its identity
     *     was there; the request id is the one that the request carries
     */
    record GatewayCall(String resource, Completion completion) implements CaracalEvent {}

    /**
     * A user's identity token was exchanged, or refused.
     *
     * @param authorityRecordId the user's authority record; {@code null} when it was refused
     * @param completion how it ended
     */
    record SubjectFederated(@Nullable String authorityRecordId, Completion completion) implements CaracalEvent {}

    /**
     * A wait for a person's approval ended.
     *
     * @param approvalId the approval
     * @param completion how it ended; the code of a failure says {@code approval_rejected} and the like
     */
    record ApprovalAwaited(String approvalId, Completion completion) implements CaracalEvent {}

    /**
     * An incoming request was judged; each one, let in or not.
     *
     * @param actsAs for whom its work runs; {@code NOBODY} also when it was refused
     * @param mismatch whether its baggage named another session, delegation, authority record or hop than its proven
     *     mandate, whose claims were taken: a mistake of the caller, or worse
     * @param completion how it ended: the code of a failure says {@code missing_token}, {@code invalid_token} and the like
     */
    record InboundRequest(ActsAs actsAs, boolean mismatch, Completion completion) implements CaracalEvent {

        /** For whom the work of a request runs. */
        public enum ActsAs {
            /** For its caller, whose mandate is proven. */
            CALLER,
            /** For its caller, of whom nothing is proven. */
            CALLER_UNPROVEN,
            /** For the application itself: it had no bearer. */
            APPLICATION,
            /** For nobody: it was refused, or passed without a bearer. */
            NOBODY
        }
    }

    /**
     * One operation at the Coordinator, with all its attempts.
     *
     * @param operation the operation, for instance {@code open} or {@code terminate}; {@code settle} for the attempts of
     *     {@link TerminationPending}
     * @param attempts how many requests were sent
     * @param completion how it ended
     */
    record CoordinatorCall(String operation, int attempts, Completion completion) implements CaracalEvent {}

    /**
     * A session has waited for its place among those that the client may hold open, or a mandate for its turn. What did not
     * have to wait makes no event.
     *
     * @param capacity for what it waited
     * @param completion how the waiting ended; its duration is that of the waiting
     */
    record CapacityWaited(Capacity capacity, Completion completion) implements CaracalEvent {

        /** For what it waited. */
        public enum Capacity {
            /** A place among {@code maxOpenSessions}. */
            SESSION,
            /** A turn among {@code maxMintsPerMinute}. */
            MINT
        }
    }

    /**
     * An agent session was opened, or could not be.
     *
     * @param agentSessionId the session; {@code null} when none was opened
     * @param completion how it ended
     */
    record SessionOpened(@Nullable String agentSessionId, Completion completion) implements CaracalEvent {}

    /**
     * An agent session was terminated, or its termination failed for good and the platform's TTL has to end it.
     *
     * @param agentSessionId the session
     * @param completion how it ended
     */
    record SessionClosed(String agentSessionId, Completion completion) implements CaracalEvent {}

    /**
     * The client goes on ending a session that may still be open: its termination failed for a reason that passes, or the
     * answer to its opening was lost.
     *
     * @param agentSessionId the session; {@code null} when only its opening is known
     * @param pending how many sessions the client is ending in the background, this one included
     * @param completion a failure: that of the call that left the session behind
     */
    record TerminationPending(@Nullable String agentSessionId, int pending, Completion completion)
            implements CaracalEvent {}

    /**
     * A session that was left behind is gone, or was given up: because the Coordinator refuses its termination, because too
     * many are pending, or because the client closes. A session that was given up ends with its TTL or its lease.
     *
     * @param agentSessionId the session; {@code null} when only its opening is known
     * @param pending how many others the client is still ending
     * @param completion how it ended; its duration runs from {@link TerminationPending}
     */
    record TerminationSettled(@Nullable String agentSessionId, int pending, Completion completion)
            implements CaracalEvent {}

    /**
     * The lease of a service was renewed, or a renewal failed; one that fails is tried again at the next tick.
     *
     * @param agentSessionId the service session
     * @param lag how late it began, against the instant at which it was due; zero for one that was asked for by hand
     * @param completion how it ended
     */
    record LeaseRenewed(String agentSessionId, Duration lag, Completion completion) implements CaracalEvent {}

    /**
     * The lease of a service is lost; once for each service.
     *
     * @param agentSessionId the service session
     * @param reason why
     * @param completion a failure, with the code of the loss
     */
    record LeaseLost(String agentSessionId, LeaseLostException.Reason reason, Completion completion)
            implements CaracalEvent {}

    /**
     * A delegation was created, or could not be: by {@code delegate} and {@code createDelegation}, and for a narrowed
     * session.
     *
     * @param delegationEdgeId the delegation; {@code null} when none was created
     * @param sourceSessionId the session that delegates
     * @param targetSessionId the session that receives
     * @param completion how it ended
     */
    record DelegationCreated(
            @Nullable String delegationEdgeId, String sourceSessionId, String targetSessionId, Completion completion)
            implements CaracalEvent {}

    /**
     * A delegation was taken on by the session that received it, or was found not to be active.
     *
     * @param delegationEdgeId the delegation
     * @param agentSessionId the session that presents it
     * @param completion how it ended; its status is 0 when the Coordinator was not asked
     */
    record DelegationAccepted(String delegationEdgeId, String agentSessionId, Completion completion)
            implements CaracalEvent {}

    /**
     * A delegation was revoked, or could not be.
     *
     * @param delegationEdgeId the delegation
     * @param completion how it ended
     */
    record DelegationRevoked(String delegationEdgeId, Completion completion) implements CaracalEvent {}
}
