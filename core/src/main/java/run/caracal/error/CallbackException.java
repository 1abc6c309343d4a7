package run.caracal.error;

/**
 * A function that the application gave to the SDK, such as a hook, returned {@code null} or did not end within its time. What
 * such a function throws or signals itself is passed on as it is.
 */
public final class CallbackException extends CaracalException {
    private static final long serialVersionUID = 1L;

    private final boolean late;

    private CallbackException(String code, String message, boolean late) {
        super(code, message, null);
        this.late = late;
    }

    /**
     * A function that did not end within its time.
     *
     * @param message which function, how long it had, and what to check
     * @return the exception, retryable
     */
    public static CallbackException late(String message) {
        return new CallbackException("callback_timeout", message, true);
    }

    /**
     * A function that returned {@code null}.
     *
     * @param message which function, and what it has to return
     * @return the exception, not retryable
     */
    public static CallbackException withoutResult(String message) {
        return new CallbackException("callback_without_result", message, false);
    }

    /** {@code true} when the function did not end within its time. */
    @Override
    public boolean isRetryable() {
        return late;
    }
}
