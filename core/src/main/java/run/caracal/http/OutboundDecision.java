package run.caracal.http;

import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * The decision about one outgoing request: where to send it, and how its headers are to be edited at the last moment,
 * after everything the caller has set. Valid for one request only.
 */
public interface OutboundDecision {

    /**
     * Where to send the request. Equal to what the caller asked for unless the request is routed through the Gateway; for
     * a call that does not {@linkplain #carriesIdentity() carry an identity}, hand the caller's own address on instead.
     *
     * @return the absolute address
     */
    String url();

    /**
     * Whether the request gets an identity. When it does not, it is to be sent as the caller made it, but for
     * {@link #edit}, which only removes what must not leave.
     *
     * @return {@code false} for a request that the propagation policy leaves alone
     */
    boolean carriesIdentity();

    /**
     * Edits the headers of the request that is about to leave: sets identity, trace context and baggage, and keeps what
     * belongs to the caller. To be called exactly once for each request that leaves, and not on a redirect.
     *
     * @param headers the outgoing headers, complete
     * @throws run.caracal.error.RoutingException if the headers ask for something that is refused, for instance an unknown
     *     resource; the request must then not be sent
     */
    void edit(OutboundHeaders headers);

    /**
     * Whether the {@code Authorization} that {@link #edit} sets has to be the one that leaves. When it has not, one that the
     * caller sets later takes its place.
     *
     * @return {@code true} unless the request carries its identity to another origin than the Gateway
     */
    default boolean ownsAuthorization() {
        return true;
    }

    /**
     * {@return whether somebody observes how the request ends; {@code false} when {@link #ended} need not be called}
     */
    default boolean isObserved() {
        return false;
    }

    /**
     * The request was answered: the headers of its answer have arrived, which ends it. To be called whether or not somebody
     * {@linkplain #isObserved() observes} it; a client and a filter on top of it may both call it.
     *
     * @param status the status of the answer
     * @param header gives the first value of a header of the answer by name, {@code null} when it is absent
     */
    default void answered(int status, Function<String, @Nullable String> header) {
        ended(status, null);
    }

    /**
     * The request has ended: it was answered, or it failed or was cancelled before. The first call counts.
     *
     * @param status the status of the answer; 0 when there is none
     * @param error what it failed with; {@code null} when it was answered or cancelled
     */
    default void ended(int status, @Nullable Throwable error) {}
}
