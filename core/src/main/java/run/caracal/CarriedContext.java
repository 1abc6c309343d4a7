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
 * The context that travels with a message: the ids of its session and delegation, its trace, and foreign baggage; no
 * token. For carriers other than HTTP: headers of a queue, gRPC metadata, {@code _meta} of MCP.
 *
 * <pre>{@code
 * message.headers().putAll(context.toMap());                              // the sender
 * CarriedContext sent = CarriedContext.fromMap(message.headers());        // the receiver
 * caracal.bind(agent.context().inTraceOf(sent), work);
 * }</pre>
 *
 * <p>The sender's claims are not verified: base no decision on them. Immutable.
 */
public final class CarriedContext {
    private final Envelope envelope;

    CarriedContext(Envelope envelope) {
        this.envelope = envelope;
    }

    /**
     * Reads {@code traceparent}, {@code tracestate} and {@code baggage}; other entries are ignored, a bearer too. The
     * limits of headers apply: malformed entries and ids, and baggage over 8192 characters or 64 members, are ignored.
     * Without a valid {@code traceparent} a new trace starts.
     *
     * @param map the entries of the carrier; names match in any case, values other than text are ignored
     * @return the context; never fails because of the entries
     */
    public static CarriedContext fromMap(Map<String, ?> map) {
        return new CarriedContext(IncomingHeaders.read(IncomingHeaders.lookup(Objects.requireNonNull(map, "map"))));
    }

    /**
     * {@return an immutable map of {@code traceparent}, and {@code tracestate} and {@code baggage} if there are any}
     * Each call creates a new span id. Foreign baggage beyond the limits is omitted.
     */
    public Map<String, String> toMap() {
        Map<String, String> map = new LinkedHashMap<>();
        envelope.encode(new HeaderMap(map));
        return Collections.unmodifiableMap(map);
    }

    /** {@return the id of the agent session, if any} */
    public Optional<String> agentSessionId() {
        return Optional.ofNullable(envelope.agentSessionId());
    }

    /** {@return the id of the delegation, if any} */
    public Optional<String> delegationEdgeId() {
        return Optional.ofNullable(envelope.delegationEdgeId());
    }

    /** {@return the id of the delegation from which {@link #delegationEdgeId()} was derived, if any} */
    public Optional<String> parentEdgeId() {
        return Optional.ofNullable(envelope.parentEdgeId());
    }

    /** {@return the id of the authority record, if any} */
    public Optional<String> authorityRecordId() {
        return Optional.ofNullable(envelope.authorityRecordId());
    }

    /** {@return the W3C trace id; 32 lower-case hexadecimal digits} */
    public String traceId() {
        return Objects.requireNonNull(envelope.traceId());
    }

    /** {@return the claimed number of delegations between the session and the root of its authority; 0 to 10} */
    public int hop() {
        return envelope.hop();
    }

    /** {@return the W3C baggage without Caracal's own members; an immutable map} */
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

    /** Contains the ids, not the values of the baggage. */
    @Override
    public String toString() {
        return "CarriedContext[agentSessionId=" + envelope.agentSessionId() + ", delegationEdgeId="
                + envelope.delegationEdgeId() + ", traceId=" + envelope.traceId() + ", hop=" + envelope.hop()
                + ", baggage=" + List.copyOf(envelope.extraBaggage().keySet()) + "]";
    }
}
