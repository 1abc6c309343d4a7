package run.caracal.error;

/** A request was refused before it was sent, because of where it would have gone. */
public final class RoutingException extends CaracalException {
    private static final long serialVersionUID = 1L;

    /**
     * Creates the exception.
     *
     * @param message what happened and what to do
     */
    public RoutingException(String message) {
        super("routing_refused", message, null);
    }
}
