package run.caracal.error;

/**
 * The client's own limit kept an operation back, and nothing was sent: its turn did not come in time, or never can. {@link
 * #isRetryable()} tells the two apart.
 */
public final class CapacityException extends CaracalException {
    private static final long serialVersionUID = 1L;

    private final Limit limit;

    /**
     * Creates the exception.
     *
     * @param message what happened and what to do
     * @param limit the limit
     */
    public CapacityException(String message, Limit limit) {
        super(limit.passes() ? "capacity_timeout" : "capacity_too_small", message, null);
        this.limit = limit;
    }

    /** {@return the limit that kept it back} */
    public Limit limit() {
        return limit;
    }

    /**
     * {@return whether the same operation may succeed later: {@code true} when its turn did not come in time, {@code false}
     * when the limit is too small for it}
     */
    @Override
    public boolean isRetryable() {
        return limit.passes();
    }
}
