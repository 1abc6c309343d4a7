package run.caracal.http;

import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * The decision about one outgoing request: its URL, and the edits of its headers after everything that the caller has
 * set. Valid for one request only.
 */
public interface OutboundDecision {

    /**
     * {@return the absolute URL: that of the caller, or that at the Gateway} For a request that {@linkplain
     * #carriesIdentity() carries no identity}, use the caller's own URL.
     */
    String url();

    /**
     * {@return whether the request carries an identity} If not, send it as the caller made it, except for
     * {@link #edit}, which then only removes headers that must not leave.
     */
    boolean carriesIdentity();

    /**
     * Edits the headers of the request: sets identity, trace context and baggage, and keeps the caller's own. Call it
     * exactly once per request, immediately before sending, and not on a redirect.
     *
     * @param headers the complete headers
     * @throws run.caracal.error.RoutingException if the headers are rejected, for instance for an unknown resource; do
     *     not send the request
     */
    void edit(OutboundHeaders headers);

    /**
     * {@return whether the {@code Authorization} set by {@link #edit} must not be replaced; {@code false} if the
     * request carries its identity to another origin than the Gateway, where a header that the caller sets later wins}
     */
    default boolean ownsAuthorization() {
        return true;
    }

    /** {@return whether the end of the request is observed; if not, {@link #ended} need not be called} */
    default boolean isObserved() {
        return false;
    }

    /**
     * Reports that the headers of the answer have arrived, which ends the request. Call it even if the request is not
     * {@linkplain #isObserved() observed}; a client and a filter on top of it may both call it.
     *
     * @param header returns the first value of a header of the answer, {@code null} if absent
     */
    default void answered(int status, Function<String, @Nullable String> header) {
        ended(status, null);
    }

    /**
     * Reports that the request has ended: answered, failed or cancelled. The first call counts.
     *
     * @param status the status of the answer; 0 if there is none
     * @param error the failure; {@code null} if the request was answered or cancelled
     */
    default void ended(int status, @Nullable Throwable error) {}
}
