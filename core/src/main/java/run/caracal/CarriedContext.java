package run.caracal;

import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import run.caracal.internal.propagation.Envelope;
import run.caracal.internal.propagation.HeaderMap;
import run.caracal.internal.propagation.IncomingHeaders;

/**
 * The context that travels beside a call or a message: the ids of its session and delegation, its trace, and foreign
 * baggage; no token. For carriers that are no HTTP requests: headers of a queue, gRPC metadata, {@code _meta} of MCP.
 *
 * <pre>{@code
 * message.headers().putAll(context.toMap());                              // the sender
 * CarriedContext sent = CarriedContext.fromMap(message.headers());        // the receiver
 * caracal.bind(agent.context().inTraceOf(sent), work);
 * }</pre>
 *
 * <p>Nothing in it is proven: its ids are what the sender wrote, and never a reason to allow anything. Immutable.
 */
public final class CarriedContext {
    private final Envelope envelope;

    CarriedContext(Envelope envelope) {
        this.envelope = envelope;
    }

    /**
     * Reads {@code traceparent}, {@code tracestate} and {@code baggage}, with the limits of headers: what is malformed or
     * over 8192 characters or 64 members counts as absent, and malformed ids are ignored. Without a valid {@code
     * traceparent} a new trace begins. Everything else in the map is ignored, a bearer too.
     *
     * @param map the entries of the carrier; names match in any case, values that are no text count as absent
     * @return what is carried; never fails because of the entries
     */
    public static CarriedContext fromMap(Map<String, ?> map) {
        return new CarriedContext(IncomingHeaders.read(IncomingHeaders.lookup(Objects.requireNonNull(map, "map"))));
    }

    /**
     * The entries for a carrier, with a fresh span id each time. Baggage of others that goes beyond the limits is left out.
     *
     * @return an immutable map of {@code traceparent}, and of {@code tracestate} and {@code baggage} where there is any
     */
    public Map<String, String> toMap() {
        Map<String, String> map = new LinkedHashMap<>();
        envelope.encode(new HeaderMap(map));
        return Collections.unmodifiableMap(map);
    }

    /** {@return the id of the agent session that is named, if one is named} */
    public Optional<String> agentSessionId() {
        return Optional.ofNullable(envelope.agentSessionId());
    }

    /** {@return the id of the delegation that is named, if one is named} */
    public Optional<String> delegationEdgeId() {
        return Optional.ofNullable(envelope.delegationEdgeId());
    }

    /** {@return the id of the delegation from which that one was derived, if one is named} */
    public Optional<String> parentEdgeId() {
        return Optional.ofNullable(envelope.parentEdgeId());
    }

    /** {@return the id of the authority record that is named, if one is named} */
    public Optional<String> authorityRecordId() {
        return Optional.ofNullable(envelope.authorityRecordId());
    }

    /** {@return the W3C trace id; 32 lower-case hexadecimal digits} */
    public String traceId() {
        return Objects.requireNonNull(envelope.traceId());
    }

    /** {@return how many delegations are said to lie between the session and the root of its authority; 0 to 10} */
    public int hop() {
        return envelope.hop();
    }

    /** {@return the W3C baggage of others, without Caracal's own members; an immutable map} */
    public Map<String, String> baggage() {
        return envelope.extraBaggage();
    }

    Envelope envelope() {
        return envelope;
    }

    private List<@Nullable Object> values() {
        return Arrays.asList(
                envelope.agentSessionId(),
                envelope.delegationEdgeId(),
                envelope.parentEdgeId(),
                envelope.authorityRecordId(),
                envelope.traceId(),
                envelope.traceFlags(),
                envelope.traceState(),
                envelope.hop(),
                envelope.extraBaggage());
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof CarriedContext that && values().equals(that.values());
    }

    @Override
    public int hashCode() {
        return values().hashCode();
    }

    /** Names the ids, not the values of the baggage. */
    @Override
    public String toString() {
        return "CarriedContext[agentSessionId=" + envelope.agentSessionId() + ", delegationEdgeId="
                + envelope.delegationEdgeId() + ", traceId=" + envelope.traceId() + ", hop=" + envelope.hop()
                + ", baggage=" + List.copyOf(envelope.extraBaggage().keySet()) + "]";
    }
}
