package run.caracal.error;

/** An identity is required and none is bound: bind a context, or act as the application explicitly. */
public final class NoContextException extends CaracalException {
    private static final long serialVersionUID = 1L;

    /**
     * Creates the exception.
     *
     * @param message what happened and what to do
     */
    public NoContextException(String message) {
        super("no_context", message, null);
    }
}
