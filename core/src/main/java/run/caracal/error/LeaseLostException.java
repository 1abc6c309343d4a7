package run.caracal.error;

import org.jspecify.annotations.Nullable;

/**
 * A service session is not this holder's any more: whatever it does from now on may be done by somebody else too. The {@link #reason()} tells what to do.
 */
public final class LeaseLostException extends CaracalException {
    private static final long serialVersionUID = 1L;

    /** Why a lease is lost. */
    public enum Reason {
        /** The session does not exist any more: open a new service. */
        GONE("the session is gone; open a new service"),
        /** Another holder took the session over: stop, it works in this one's place. */
        FENCED("another holder took the session over; stop, it works in this one's place"),
        /** The authority record for which the session acts is revoked or has ended: open a new service with a live one. */
        SUBJECT_INACTIVE("the authority record of the session is not active any more; open a new service"),
        /** No renewal came through before the deadline: open a new service. */
        EXPIRED("no renewal came through before the deadline; open a new service"),
        /** An operator suspended the session: it may be resumed, and then attached again. */
        SUSPENDED("the session is suspended; have it resumed and attach it again, or open a new service"),
        /** The Coordinator refuses the application: check its credentials and ownership of the session. */
        UNAUTHORIZED("the Coordinator refuses the application; check its credentials, and that the session is its own");

        private final String remedy;

        Reason(String remedy) {
            this.remedy = remedy;
        }
    }

    private final Reason reason;
    private final String agentSessionId;

    /**
     * Creates the exception.
     *
     * @param reason why the lease is lost
     * @param agentSessionId the service session
     * @param cause what the last renewal met, or {@code null}
     */
    public LeaseLostException(Reason reason, String agentSessionId, @Nullable Throwable cause) {
        super(
                "lease_lost_" + reason.name().toLowerCase(java.util.Locale.ROOT),
                "The lease of the service session " + agentSessionId + " is lost: " + reason.remedy,
                cause);
        this.reason = reason;
        this.agentSessionId = agentSessionId;
    }

    /** {@return why the lease is lost} */
    public Reason reason() {
        return reason;
    }

    /** {@return the id of the service session} */
    public String agentSessionId() {
        return agentSessionId;
    }
}
