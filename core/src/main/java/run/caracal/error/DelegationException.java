package run.caracal.error;

import java.util.Locale;

/**
 * Authority cannot be passed on or taken on like this. Known before any call, but for {@link Reason#NOT_ACTIVE} and {@link
 * Reason#UNLINKED}, where the Coordinator's answer leaves nothing to act with.
 */
public final class DelegationException extends CaracalException {
    private static final long serialVersionUID = 1L;

    /** Why not. */
    public enum Reason {
        /** A narrowed session needs a parent, whose authority is narrowed. */
        NO_PARENT,
        /** A narrowed session needs a resource, and none was named. */
        NO_RESOURCE,
        /** A session that was given nothing of its parent's authority cannot obtain any. */
        NOTHING_GRANTED,
        /** A session cannot delegate to itself. */
        SELF,
        /** The delegation has ended, or is not addressed to the session that presents it. */
        NOT_ACTIVE,
        /** A session that should be bounded by its parent's delegation was opened without one. */
        UNLINKED
    }

    private final Reason reason;

    /**
     * Creates the exception.
     *
     * @param reason why not
     * @param message what happened and what to do
     */
    public DelegationException(Reason reason, String message) {
        super("delegation_" + reason.name().toLowerCase(Locale.ROOT), message, null);
        this.reason = reason;
    }

    /** {@return why not} */
    public Reason reason() {
        return reason;
    }
}
