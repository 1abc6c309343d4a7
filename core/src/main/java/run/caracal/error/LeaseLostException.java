package run.caracal.error;

import org.jspecify.annotations.Nullable;

/**
 * A service session is no longer held by this agent: another holder may be working in its place. The {@link #reason()}
 * tells what to do.
 */
public final class LeaseLostException extends CaracalException {
    private static final long serialVersionUID = 1L;

    /** The reason of the loss. */
    public enum Reason {
        /** The session no longer exists: open a new service. */
        GONE("the session is gone; open a new service"),
        /** Another holder took over the session and works in this one's place: stop. */
        FENCED("another holder took over the session and works in this one's place; stop"),
        /** The session's authority record is revoked or has ended: open a new service with an active one. */
        SUBJECT_INACTIVE("the authority record of the session is no longer active; open a new service"),
        /** No renewal succeeded before the deadline: open a new service. */
        EXPIRED("no renewal succeeded before the deadline; open a new service"),
        /** An operator suspended the session: attach it again once it is resumed. */
        SUSPENDED("the session is suspended; have it resumed and attach it again, or open a new service"),
        /** The Coordinator rejects the application: check its credentials and its ownership of the session. */
        UNAUTHORIZED("the Coordinator rejects the application; check its credentials and its ownership of the session");

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
     * @param agentSessionId the service session
     * @param cause the error of the last renewal, or {@code null}
     */
    public LeaseLostException(Reason reason, String agentSessionId, @Nullable Throwable cause) {
        super(
                "lease_lost_" + reason.name().toLowerCase(java.util.Locale.ROOT),
                "The lease of the service session " + agentSessionId + " is lost: " + reason.remedy,
                cause);
        this.reason = reason;
        this.agentSessionId = agentSessionId;
    }

    /** {@return the reason of the loss} */
    public Reason reason() {
        return reason;
    }

    /** {@return the id of the service session} */
    public String agentSessionId() {
        return agentSessionId;
    }
}
