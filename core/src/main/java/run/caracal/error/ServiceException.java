package run.caracal.error;

import java.time.Duration;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * An error answer of a Caracal service. {@link #code()} is the service's own code, or {@value Refusal#NO_CODE} if the
 * answer has none, for instance an error page of a proxy.
 */
public abstract sealed class ServiceException extends CaracalException
        permits StsException, CoordinatorException, GatewayException {
    private static final long serialVersionUID = 1L;

    private final Refusal refusal;
    private final @Nullable Limit limit;

    ServiceException(
            String who, Refusal refusal, @Nullable String hint, @Nullable Limit limit, @Nullable Throwable cause) {
        super(refusal.code(), message(who, refusal, hint), cause);
        this.refusal = refusal;
        this.limit = limit;
    }

    private static String message(String who, Refusal refusal, @Nullable String hint) {
        StringBuilder text = new StringBuilder(who).append(refusal.httpStatus());
        if (!refusal.code().equals(Refusal.NO_CODE)) {
            text.append(' ').append(refusal.code());
        }
        if (!refusal.description().isEmpty()) {
            text.append(": ").append(refusal.description());
        }
        if (text.charAt(text.length() - 1) != '.') {
            text.append('.');
        }
        if (hint != null) {
            text.append(' ').append(hint);
        }
        if (refusal.requestId() != null) {
            text.append(" Request id: ").append(refusal.requestId()).append('.');
        }
        return text.toString();
    }

    /** {@return the HTTP status of the answer} */
    public final int httpStatus() {
        return refusal.httpStatus();
    }

    /**
     * {@return the service's explanation, or the beginning of an upstream's text body: one line, truncated, with
     * secrets redacted; may be empty}
     */
    public final String description() {
        return refusal.description();
    }

    /** {@return the id of the request in the platform's logs and audit, if the answer had one} */
    public final Optional<String> requestId() {
        return Optional.ofNullable(refusal.requestId());
    }

    /** {@return how long the service, or a proxy in front of it, asked to wait, if it did} */
    public final Optional<Duration> retryAfter() {
        return Optional.ofNullable(refusal.retryAfter());
    }

    /**
     * {@return the exceeded limit, if any} Every 429 has one, and so has the bare {@code policy denied} of the STS,
     * which means its mint limit, or one of a few denials that it answers alike.
     */
    public final Optional<Limit> limit() {
        return Optional.ofNullable(limit);
    }

    final boolean isPassingLimit() {
        return limit != null && limit.passes();
    }

    final Refusal refusal() {
        return refusal;
    }

    static boolean isTransient(int status) {
        return status == 408 || status == 425 || status >= 500;
    }
}
