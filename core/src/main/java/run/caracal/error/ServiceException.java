package run.caracal.error;

import java.time.Duration;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A Caracal service answered, and the answer is not what was asked for. {@link #code()} is the service's own code, or
 * {@value Refusal#NO_CODE} when its answer has none (an outage page of a proxy, for instance); the HTTP status is always
 * kept.
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
     * {@return the service's own explanation, or the beginning of an upstream's body that is text; shortened, one line, without
     * anything that looks like a secret; empty when there was none}
     */
    public final String description() {
        return refusal.description();
    }

    /**
     * {@return the id of the request, by which the platform's logs and audit can be searched; empty when the answer
     * names none}
     */
    public final Optional<String> requestId() {
        return Optional.ofNullable(refusal.requestId());
    }

    /** {@return how long the service, or a proxy before it, asked to wait; empty when none did} */
    public final Optional<Duration> retryAfter() {
        return Optional.ofNullable(refusal.retryAfter());
    }

    /**
     * {@return the limit that the call met; empty when it is another refusal} Every 429 has one, and so has the bare {@code
     * policy denied} with which the STS answers above its limit of mandates, and in a few other cases that it does not tell
     * apart.
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
