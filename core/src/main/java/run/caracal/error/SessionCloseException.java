package run.caracal.error;

/**
 * The work of a session succeeded, but the session could not be closed. Signalled only when the configuration asks for it;
 * the cause says why.
 */
public final class SessionCloseException extends CaracalException {
    private static final long serialVersionUID = 1L;

    /**
     * Creates the exception.
     *
     * @param cause what the close met
     */
    public SessionCloseException(Throwable cause) {
        super(
                "session_close_failed",
                "The work succeeded, but its agent session could not be closed; the platform ends it when its TTL is over: "
                        + cause.getMessage(),
                cause);
    }
}
