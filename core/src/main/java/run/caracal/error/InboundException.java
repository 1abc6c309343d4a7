package run.caracal.error;

import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * An incoming request is rejected: it has no usable mandate, its mandate allows less than what is required, or nothing
 * could be proven because the keys or the revocations could not be read. The last is neither a denial nor a permission: {@link #isRetryable()} tells it from the others.
 *
 * <p>Code, description and hint are fit for an answer to the caller: they hold no token, no value of a claim and nothing
 * about the verifier's own surroundings, which only {@link #getCause()} tells.
 */
public final class InboundException extends CaracalException {
    private static final long serialVersionUID = 1L;

    private static final int MAX_TEXT = 256;

    /** The reason of a rejection; the codes and the statuses are those of the platform's own verifiers. */
    public enum Reason {
        /** The request has no bearer. */
        MISSING_TOKEN(401),
        /** The token is malformed, not signed by the zone, not meant for here, expired, or lacks what every mandate has. */
        INVALID_TOKEN(401),
        /** The token is one of another zone. */
        INVALID_ZONE(401),
        /** The mandate lacks a required scope. */
        INSUFFICIENT_SCOPE(403),
        /** The mandate is bound to no agent session, and one is required. */
        SESSION_REQUIRED(403),
        /** The mandate is bound to no delegation, and one is required. */
        DELEGATION_REQUIRED(403),
        /** The mandate came over more delegations than allowed. */
        HOP_COUNT_EXCEEDED(403),
        /** A required application is not in the chain of delegations. */
        CHAIN_MISMATCH(403),
        /** The authority record, its root, the session or the delegation of the mandate is revoked. */
        SESSION_REVOKED(401),
        /** Delegations of the zone were revoked since the mandate was minted: the caller needs a new one. */
        DELEGATION_STALE(401),
        /** Keys or revocations could not be read; the mandate may be good or not. */
        VERIFIER_UNAVAILABLE(503);

        private final int httpStatus;

        Reason(int httpStatus) {
            this.httpStatus = httpStatus;
        }

        /** {@return the HTTP status of the answer to such a request; 401, 403 or 503} */
        public int httpStatus() {
            return httpStatus;
        }

        /** {@return the code on the wire, for instance {@code invalid_token}; the name in lower case} */
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
     * @param reason the reason of the rejection
     * @param description what is wrong, for the caller to read; cut to 256 characters, and cleaned of what looks like a token
     * @param hint what the caller can do, treated alike, or {@code null}
     * @param cause what kept the verifier from deciding, not for the caller to see, or {@code null}
     */
    public InboundException(Reason reason, String description, @Nullable String hint, @Nullable Throwable cause) {
        super(Objects.requireNonNull(reason, "reason").code(), message(reason, description, hint), cause);
        this.reason = reason;
        this.description = Excerpts.of(description, MAX_TEXT);
        String text = Excerpts.of(hint, MAX_TEXT);
        this.hint = text.isEmpty() ? null : text;
    }

    /**
     * Creates the exception without a hint and a cause.
     *
     * @param reason the reason of the rejection
     * @param description what is wrong, for the caller to read
     */
    public InboundException(Reason reason, String description) {
        this(reason, description, null, null);
    }

    private static String message(Reason reason, String description, @Nullable String hint) {
        String text = "The request was rejected (" + reason.httpStatus() + " " + reason.code() + "): "
                + Excerpts.of(description, MAX_TEXT);
        String advice = Excerpts.of(hint, MAX_TEXT);
        return advice.isEmpty() ? text : text + ". " + advice;
    }

    /** {@return the reason of the rejection; {@link #code()} is its form on the wire} */
    public Reason reason() {
        return reason;
    }

    /** {@return the HTTP status of the answer; 401, 403 or 503} */
    public int httpStatus() {
        return reason.httpStatus();
    }

    /** {@return what is wrong, for the caller to read; one line of text, free of tokens} */
    public String description() {
        return description;
    }

    /** {@return what the caller can do; one line of text; empty when there is no advice} */
    public Optional<String> hint() {
        return Optional.ofNullable(hint);
    }

    /** {@code true} only when the verifier could not decide. */
    @Override
    public boolean isRetryable() {
        return reason == Reason.VERIFIER_UNAVAILABLE;
    }
}
