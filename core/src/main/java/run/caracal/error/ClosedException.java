package run.caracal.error;

/** The client, session or agent was closed; nothing was sent. */
public final class ClosedException extends CaracalException {
    private static final long serialVersionUID = 1L;

    /**
     * Creates the exception.
     *
     * @param message what happened and what to do
     */
    public ClosedException(String message) {
        super("closed", message, null);
    }
}
