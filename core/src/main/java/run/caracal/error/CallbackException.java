package run.caracal.error;

/**
 * A function of the application, such as a hook, returned {@code null} or timed out. Errors that such a function throws
 * or signals are passed on unchanged.
 */
public final class CallbackException extends CaracalException {
    private static final long serialVersionUID = 1L;

    private final boolean late;

    private CallbackException(String code, String message, boolean late) {
        super(code, message, null);
        this.late = late;
    }

    /**
     * {@return a retryable exception for a function that timed out}
     *
     * @param message which function, its timeout, and what to check
     */
    public static CallbackException late(String message) {
        return new CallbackException("callback_timeout", message, true);
    }

    /**
     * {@return an exception for a function that returned {@code null}; not retryable}
     *
     * @param message which function, and what it must return
     */
    public static CallbackException withoutResult(String message) {
        return new CallbackException("callback_without_result", message, false);
    }

    /** {@code true} for a timeout. */
    @Override
    public boolean isRetryable() {
        return late;
    }
}
