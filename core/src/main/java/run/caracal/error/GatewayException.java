package run.caracal.error;

import java.util.Set;
import org.jspecify.annotations.Nullable;
import run.caracal.error.GatewayError.Origin;

/**
 * A call through the Gateway was answered with a status of 400 or more: by the Gateway, or the STS behind it, or by the
 * protected upstream; {@link #origin()} tells which, so that an upstream's 401 or 429 is not taken for the platform's. A
 * redirect of the Gateway's own is a failure too: the upstream has not seen the request.
 */
public final class GatewayException extends ServiceException {
    private static final long serialVersionUID = 1L;

    private static final Set<String> OUTAGES = Set.of("sts_unavailable", "provider_rate_limited");

    private final Origin origin;
    private final byte[] body;

    /**
     * Creates the exception.
     *
     * @param origin who answered
     * @param refusal what was answered
     * @param hint what the caller can do about it, or {@code null}
     * @param body the body of the answer, or its beginning; not copied
     */
    public GatewayException(Origin origin, Refusal refusal, @Nullable String hint, byte[] body) {
        super(
                origin == Origin.GATEWAY ? "The Gateway answered " : "The upstream answered ",
                refusal,
                hint,
                origin == Origin.GATEWAY ? Limit.ofSts(refusal) : Limit.ofOthers(refusal),
                null);
        this.origin = origin;
        this.body = body;
    }

    /** {@return who answered; the Gateway, or the upstream behind it} */
    public Origin origin() {
        return origin;
    }

    /**
     * {@return the body of the answer as it came, which may hold anything: of an upstream's only the beginning is in the
     * message, as {@link #description()}; a copy of the bytes, cut at the limit of the request; empty when there was none}
     */
    public byte[] body() {
        return body.clone();
    }

    /**
     * Whether the same call may succeed later without any change by the caller: for the statuses 408, 425, 429 and from 500
     * on, whoever answered; and when the Gateway says {@code sts_unavailable} or {@code provider_rate_limited} under another
     * status, the bare {@code policy denied} of a {@link #limit()}, or {@code token replay detected}, since each call has a
     * mandate of its own and a Gateway that has lost its memory answers so.
     *
     * <p>It does not tell whether repeating is safe: the upstream may have acted, certainly when it is the {@link #origin()}.
     * Repeat what is not idempotent only when you can tell that it has not.
     */
    @Override
    public boolean isRetryable() {
        return isPassingLimit()
                || isTransient(httpStatus())
                || (origin == Origin.GATEWAY
                        && (OUTAGES.contains(code()) || description().startsWith("token replay detected")));
    }
}
