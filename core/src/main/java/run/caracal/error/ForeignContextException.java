package run.caracal.error;

/**
 * The bound context belongs to another client, or to the caller of a request, for whom the operation is not available;
 * nothing was sent.
 */
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
