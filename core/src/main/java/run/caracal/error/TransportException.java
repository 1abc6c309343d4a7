package run.caracal.error;

import org.jspecify.annotations.Nullable;

/**
 * A request to a Caracal service got no answer. This is neither a denial nor a permission: the
 * {@link #kind()} tells whether the service may have acted on the request.
 */
public final class TransportException extends CaracalException {
    private static final long serialVersionUID = 1L;

    /** The cause of the missing answer. */
    public enum Kind {
        /** No connection could be made (refused, unknown host, TLS handshake): the service saw nothing. */
        CONNECT,
        /** The transport has no capacity left (its pool is exhausted): the service saw nothing. */
        OVERLOADED,
        /** No complete answer in time: the service may have acted. */
        TIMEOUT,
        /** The connection broke before a complete answer: the service may have acted. */
        IO,
        /** The answer exceeds the limit: the service has acted. */
        RESPONSE_TOO_LARGE
    }

    private final Kind kind;
    private final boolean ambiguous;

    /**
     * Creates the exception.
     *
     * @param kind what kept the answer away
     * @param message which call, to which service, and what to check
     * @param cause the transport's own error, or {@code null}
     */
    public TransportException(Kind kind, String message, @Nullable Throwable cause) {
        this(kind, message, cause, kind != Kind.CONNECT && kind != Kind.OVERLOADED);
    }

    private TransportException(Kind kind, String message, @Nullable Throwable cause, boolean ambiguous) {
        super("transport_" + kind.name().toLowerCase(java.util.Locale.ROOT), message, cause);
        this.kind = kind;
        this.ambiguous = ambiguous;
    }

    /**
     * This failure for a call whose earlier attempt may have acted: whatever the last attempt came to, the outcome of the
     * call is unknown.
     *
     * @return this exception if it says so already, else a copy with this exception as its cause
     */
    public TransportException withOutcomeUnknown() {
        return ambiguous
                ? this
                : new TransportException(
                        kind,
                        getMessage() + ". An earlier attempt may have taken effect: its answer was lost",
                        this,
                        true);
    }

    /** {@return what kept the answer away} */
    public Kind kind() {
        return kind;
    }

    /**
     * {@return whether the service may have acted on the request although no answer arrived; {@code true} when the
     * outcome is unknown}
     */
    public boolean isAmbiguous() {
        return ambiguous;
    }

    @Override
    public boolean isRetryable() {
        return kind != Kind.RESPONSE_TOO_LARGE;
    }
}
