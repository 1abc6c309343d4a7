package run.caracal.error;

import java.util.Set;
import org.jspecify.annotations.Nullable;
import run.caracal.error.GatewayError.Origin;

/**
 * A call through the Gateway was answered with a status of 400 or more, by the Gateway, the STS behind it, or the
 * upstream; {@link #origin()} tells an upstream's 401 or 429 from the platform's. A redirect of the Gateway itself is
 * an error too: the upstream has not received the request.
 */
public final class GatewayException extends ServiceException {
    private static final long serialVersionUID = 1L;

    private static final Set<String> OUTAGES = Set.of("sts_unavailable", "provider_rate_limited");

    private final Origin origin;
    private final byte[] body;

    /**
     * Creates the exception.
     *
     * @param origin the origin of the answer
     * @param refusal the answer
     * @param hint what the caller can do, or {@code null}
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

    /** {@return the origin of the answer} */
    public Origin origin() {
        return origin;
    }

    /**
     * {@return a copy of the raw body, truncated at the request's limit; may be empty} Of an upstream's body, the
     * message contains only the {@link #description()}.
     */
    public byte[] body() {
        return body.clone();
    }

    /**
     * {@return whether the same call may succeed later, unchanged} That is so for the statuses 408, 425, 429 and 500
     * and above of either origin, and for these codes of the Gateway: {@code sts_unavailable},
     * {@code provider_rate_limited}, the bare {@code policy denied} of a {@link #limit()}, and
     * {@code token replay detected}, which a Gateway answers after it has lost its state.
     *
     * <p>It does not say that a retry is safe: the upstream may have processed the request, and certainly has if it is
     * the {@link #origin()}. Do not retry a call that is not idempotent unless you can tell.
     */
    @Override
    public boolean isRetryable() {
        return isPassingLimit()
                || isTransient(httpStatus())
                || (origin == Origin.GATEWAY
                        && (OUTAGES.contains(code()) || description().startsWith("token replay detected")));
    }
}
