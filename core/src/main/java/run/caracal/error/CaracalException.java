package run.caracal.error;

import org.jspecify.annotations.Nullable;

/**
 * Root of all errors of the SDK. The subtypes tell what a caller can do; the message says what happened, where a bad
 * value came from and what to do. No message contains a token or a secret.
 */
public abstract class CaracalException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final String code;

    /**
     * Creates the exception.
     *
     * @param code a stable, machine-readable code
     * @param message what happened and what to do, without secrets
     * @param cause the cause, or {@code null}
     */
    protected CaracalException(String code, String message, @Nullable Throwable cause) {
        super(message, cause);
        this.code = code;
    }

    /**
     * {@return the stable, machine-readable code: that of the service if one answered, else one of the SDK; never
     * blank}
     */
    public final String code() {
        return code;
    }

    /**
     * {@return whether the same call may succeed later, unchanged: {@code true} for outages, overload and timeouts,
     * {@code false} for denials and mistakes}
     */
    public boolean isRetryable() {
        return false;
    }
}
