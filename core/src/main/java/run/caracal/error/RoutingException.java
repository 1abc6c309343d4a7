package run.caracal.error;

/** A request was rejected before it was sent, because of its address or resource. */
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
