package run.caracal.error;

import java.util.Locale;

/**
 * Authority cannot be delegated or accepted like this. Detected before any call, except {@link Reason#NOT_ACTIVE} and
 * {@link Reason#UNLINKED}, which follow from the Coordinator's answer.
 */
public final class DelegationException extends CaracalException {
    private static final long serialVersionUID = 1L;

    /** The reason. */
    public enum Reason {
        /** A narrowed session needs a parent. */
        NO_PARENT,
        /** A narrowed session needs a resource. */
        NO_RESOURCE,
        /** A session of {@code Grant.none()} obtains no authority. */
        NOTHING_GRANTED,
        /** A session cannot delegate to itself. */
        SELF,
        /** The delegation has ended, or is addressed to another session. */
        NOT_ACTIVE,
        /** The session was opened without the delegation that should limit it. */
        UNLINKED
    }

    private final Reason reason;

    /**
     * Creates the exception.
     *
     * @param message what happened and what to do
     */
    public DelegationException(Reason reason, String message) {
        super("delegation_" + reason.name().toLowerCase(Locale.ROOT), message, null);
        this.reason = reason;
    }

    /** {@return the reason} */
    public Reason reason() {
        return reason;
    }
}
