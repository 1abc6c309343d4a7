package run.caracal;

import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import reactor.util.context.ContextView;
import run.caracal.internal.context.BoundContext;
import run.caracal.internal.context.Provenance;
import run.caracal.verify.VerifiedMandate;

/**
 * The identity of a pipeline: its agent session and its trace. Immutable. It travels in the Reactor Context, so it
 * survives thread hops; imperative code sees it only with {@link run.caracal.micrometer.CaracalContextAccessor}. It
 * exposes ids, never a token.
 *
 * <p>A context that was {@linkplain Caracal#bindFromHeaders bound from headers} is that of the request's caller: calls
 * under it carry the caller's bearer, which it does not expose. It may have no session; see {@link #hasAgentSession()}.
 */
public final class CaracalContext {
    private final BoundContext bound;

    CaracalContext(BoundContext bound) {
        this.bound = bound;
    }

    /**
     * {@return the context bound in a Reactor Context, for instance of {@code Mono.deferContextual}; empty outside a
     * session}
     */
    public static Optional<CaracalContext> from(ContextView view) {
        return Optional.ofNullable(BoundContext.find(view)).map(CaracalContext::new);
    }

    /**
     * {@return whether there is an agent session; {@code false} only for an inbound request that names none, or that
     * runs as the application ({@link Boundary#asApplication()})}
     */
    public boolean hasAgentSession() {
        return bound.hasAgentSession();
    }

    /**
     * {@return the id of the agent session}
     *
     * @throws IllegalStateException if there is none; see {@link #hasAgentSession()}
     */
    public String agentSessionId() {
        return bound.agentSessionId();
    }

    /** {@return the zone of the session; for the unverified caller of a request, that of this client} */
    public String zoneId() {
        return bound.zoneId();
    }

    /**
     * {@return the application of the session; for the verified caller of a request, the caller's; for an unverified
     * one, that of this client}
     */
    public String applicationId() {
        return bound.applicationId();
    }

    /**
     * {@return the id of the delegation that limits the session's authority; empty if the session acts with the
     * authority of the application}
     */
    public Optional<String> delegationEdgeId() {
        return Optional.ofNullable(bound.envelope().delegationEdgeId());
    }

    /** {@return the id of the delegation from which {@link #delegationEdgeId()} was derived, if any} */
    public Optional<String> parentEdgeId() {
        return Optional.ofNullable(bound.envelope().parentEdgeId());
    }

    /** {@return the authority record of the user for whom the session acts; empty if it acts for the application} */
    public Optional<String> authorityRecordId() {
        return Optional.ofNullable(bound.envelope().authorityRecordId());
    }

    /** {@return the W3C trace id, shared by the session and its children; 32 lower-case hexadecimal digits} */
    public String traceId() {
        return Objects.requireNonNull(bound.envelope().traceId());
    }

    /** {@return the number of delegations between the session and the root of its authority; 0 to 10} */
    public int hop() {
        return bound.envelope().hop();
    }

    /**
     * {@return the W3C baggage without Caracal's own members; an immutable map, empty by default} Unsigned: base no
     * decision on it.
     */
    public Map<String, String> baggage() {
        return bound.envelope().extraBaggage();
    }

    /**
     * {@return the verified mandate of the inbound request, also in contexts derived from it in the same session; empty
     * if the request was not verified, and in sessions that this client opened}
     */
    public Optional<VerifiedMandate> verifiedMandate() {
        return Optional.ofNullable(bound.received()).map(Provenance.Received::mandate);
    }

    /**
     * {@return this context with the trace and the foreign baggage of another} A service that handles a request in its
     * own session thus continues the caller's trace:
     *
     * <pre>{@code
     * caracal.current().flatMap(caller -> caracal.bind(agent.context().inTraceOf(caller), work));
     * }</pre>
     */
    public CaracalContext inTraceOf(CaracalContext other) {
        return new CaracalContext(bound.inTraceOf(other.bound.envelope()));
    }

    /** {@return this context with the trace and the foreign baggage of a message} */
    public CaracalContext inTraceOf(CarriedContext message) {
        return new CaracalContext(bound.inTraceOf(message.envelope()));
    }

    /**
     * {@return the current ids, trace and baggage, without any token, for carriers other than HTTP: queues, gRPC
     * metadata, {@code _meta} of MCP}
     */
    public CarriedContext carried() {
        return new CarriedContext(bound.present().envelope());
    }

    /**
     * {@return the entries of {@link #carried()}: an immutable map of {@code traceparent}, and {@code tracestate} and
     * {@code baggage} if there are any; without any token}
     */
    public Map<String, String> toMap() {
        return carried().toMap();
    }

    BoundContext bound() {
        return bound;
    }

    /** Compares the bound context. */
    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof CaracalContext that && bound.equals(that.bound);
    }

    @Override
    public int hashCode() {
        return bound.hashCode();
    }

    @Override
    public String toString() {
        return bound.toString();
    }
}
