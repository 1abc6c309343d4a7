package run.caracal.error;

/**
 * The work of a session succeeded, but the session could not be closed, for the reason in the cause. Signalled only
 * with {@code failOnCloseError(true)}.
 */
public final class SessionCloseException extends CaracalException {
    private static final long serialVersionUID = 1L;

    /**
     * Creates the exception.
     *
     * @param cause the error of the close
     */
    public SessionCloseException(Throwable cause) {
        super(
                "session_close_failed",
                "The work succeeded, but its agent session could not be closed; the platform ends it when its TTL is over: "
                        + cause.getMessage(),
                cause);
    }
}
