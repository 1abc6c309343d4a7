package run.caracal.error;

/** The bound context belongs to another client, for instance of another application; nothing was sent. */
public final class ForeignContextException extends CaracalException {
    private static final long serialVersionUID = 1L;

    /**
     * Creates the exception.
     *
     * @param message what happened and what to do
     */
    public ForeignContextException(String message) {
        super("foreign_context", message, null);
    }
}
