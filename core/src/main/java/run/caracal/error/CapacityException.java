package run.caracal.error;

/**
 * A limit of this client held an operation back, and nothing was sent: the wait timed out (then {@link #isRetryable()}
 * is {@code true}), or the limit is too small for the operation.
 */
public final class CapacityException extends CaracalException {
    private static final long serialVersionUID = 1L;

    private final Limit limit;

    /**
     * Creates the exception.
     *
     * @param message what happened and what to do
     */
    public CapacityException(String message, Limit limit) {
        super(limit.passes() ? "capacity_timeout" : "capacity_too_small", message, null);
        this.limit = limit;
    }

    /** {@return the limit} */
    public Limit limit() {
        return limit;
    }

    /** {@return {@code true} if the wait timed out, {@code false} if the limit is too small for the operation} */
    @Override
    public boolean isRetryable() {
        return limit.passes();
    }
}
