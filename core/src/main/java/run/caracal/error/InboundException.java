package run.caracal.error;

import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * An incoming request was rejected: it has no valid mandate, its mandate does not meet the requirements, or it could
 * not be verified because keys or revocations were unavailable; the last is not a denial, and {@link #isRetryable()}.
 *
 * <p>Code, description and hint may be returned to the caller: they contain no token, no value of a claim and no detail
 * of the verifier, which only {@link #getCause()} has.
 */
public final class InboundException extends CaracalException {
    private static final long serialVersionUID = 1L;

    private static final int MAX_TEXT = 256;

    /** The reason of a rejection, with the codes and statuses of the platform's own verifiers. */
    public enum Reason {
        /** The request has no bearer. */
        MISSING_TOKEN(401),
        /** The token is malformed, not signed by the zone, for another audience, expired, or lacks a claim. */
        INVALID_TOKEN(401),
        /** The token is from another zone. */
        INVALID_ZONE(401),
        /** The mandate lacks a required scope. */
        INSUFFICIENT_SCOPE(403),
        /** The mandate has no agent session, and one is required. */
        SESSION_REQUIRED(403),
        /** The mandate has no delegation, and one is required. */
        DELEGATION_REQUIRED(403),
        /** The mandate has more delegations than allowed. */
        HOP_COUNT_EXCEEDED(403),
        /** A required application is not in the chain of delegations. */
        CHAIN_MISMATCH(403),
        /** The authority record, its root, the session or the delegation of the mandate is revoked. */
        SESSION_REVOKED(401),
        /** Delegations of the zone were revoked since the mandate was minted: the caller needs a new mandate. */
        DELEGATION_STALE(401),
        /** Keys or revocations are unavailable; the mandate may be valid. */
        VERIFIER_UNAVAILABLE(503);

        private final int httpStatus;

        Reason(int httpStatus) {
            this.httpStatus = httpStatus;
        }

        /** {@return the HTTP status of the answer; 401, 403 or 503} */
        public int httpStatus() {
            return httpStatus;
        }

        /** {@return the code on the wire, for instance {@code invalid_token}} */
        public String code() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    private final Reason reason;
    private final String description;
    private final @Nullable String hint;

    /**
     * Creates the exception.
     *
     * @param description what is wrong, for the caller; truncated to 256 characters, with tokens redacted
     * @param hint what the caller can do, treated alike, or {@code null}
     * @param cause why the verifier could not decide, not for the caller, or {@code null}
     */
    public InboundException(Reason reason, String description, @Nullable String hint, @Nullable Throwable cause) {
        super(Objects.requireNonNull(reason, "reason").code(), message(reason, description, hint), cause);
        this.reason = reason;
        this.description = Excerpts.of(description, MAX_TEXT);
        String text = Excerpts.of(hint, MAX_TEXT);
        this.hint = text.isEmpty() ? null : text;
    }

    /** Creates the exception without a hint and a cause. */
    public InboundException(Reason reason, String description) {
        this(reason, description, null, null);
    }

    private static String message(Reason reason, String description, @Nullable String hint) {
        String text = "The request was rejected (" + reason.httpStatus() + " " + reason.code() + "): "
                + Excerpts.of(description, MAX_TEXT);
        String advice = Excerpts.of(hint, MAX_TEXT);
        return advice.isEmpty() ? text : text + ". " + advice;
    }

    /** {@return the reason of the rejection} */
    public Reason reason() {
        return reason;
    }

    /** {@return the HTTP status of the answer; 401, 403 or 503} */
    public int httpStatus() {
        return reason.httpStatus();
    }

    /** {@return what is wrong, for the caller: one line without tokens} */
    public String description() {
        return description;
    }

    /** {@return what the caller can do: one line, if there is advice} */
    public Optional<String> hint() {
        return Optional.ofNullable(hint);
    }

    /** {@code true} if the verifier could not decide. */
    @Override
    public boolean isRetryable() {
        return reason == Reason.VERIFIER_UNAVAILABLE;
    }
}
