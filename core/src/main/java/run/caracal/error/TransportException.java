package run.caracal.error;

import org.jspecify.annotations.Nullable;

/**
 * A request to a Caracal service got no answer. {@link #isAmbiguous()} says whether the service may have processed it.
 */
public final class TransportException extends CaracalException {
    private static final long serialVersionUID = 1L;

    /** Why there is no answer. */
    public enum Kind {
        /** The connection failed (refused, unknown host, TLS handshake): nothing was sent. */
        CONNECT,
        /** The connection pool is exhausted: nothing was sent. */
        OVERLOADED,
        /** No complete answer arrived in time: the service may have processed the request. */
        TIMEOUT,
        /** The connection broke before a complete answer: the service may have processed the request. */
        IO,
        /** The answer exceeds the limit: the service has processed the request. */
        RESPONSE_TOO_LARGE
    }

    private final Kind kind;
    private final boolean ambiguous;

    /**
     * Creates the exception.
     *
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
     * {@return this exception for a call whose earlier attempt may have been processed: itself if already ambiguous,
     * else an ambiguous copy with this exception as its cause}
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

    /** {@return why there is no answer} */
    public Kind kind() {
        return kind;
    }

    /** {@return whether the service may have processed the request} */
    public boolean isAmbiguous() {
        return ambiguous;
    }

    @Override
    public boolean isRetryable() {
        return kind != Kind.RESPONSE_TOO_LARGE;
    }
}
