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
 * The identity of a pipeline: its agent session and its trace. Immutable; it travels in the Reactor
 * Context, so it survives every change of thread; a thread is shown it only with {@link
 * run.caracal.micrometer.CaracalContextAccessor}. It shows ids only, never a token or a secret.
 *
 * <p>A context that was {@linkplain Caracal#bindFromHeaders bound from headers} is that of the request's caller: its bearer
 * goes with the calls that are made under it and is shown nowhere. It may be without a session; see {@link
 * #hasAgentSession()}.
 */
public final class CaracalContext {
    private final BoundContext bound;

    CaracalContext(BoundContext bound) {
        this.bound = bound;
    }

    /**
     * The context that is bound in a Reactor Context.
     *
     * @param view the Reactor Context, for instance of {@code Mono.deferContextual}
     * @return the context, or empty outside a session
     */
    public static Optional<CaracalContext> from(ContextView view) {
        return Optional.ofNullable(BoundContext.find(view)).map(CaracalContext::new);
    }

    /**
     * {@return whether there is an agent session; {@code false} when {@link #agentSessionId()} would fail} There is,
     * but for an inbound request that names none, and for one whose work runs as the application ({@link
     * Boundary#asApplication()}).
     */
    public boolean hasAgentSession() {
        return bound.hasAgentSession();
    }

    /**
     * The agent session.
     *
     * @return its id
     * @throws IllegalStateException if there is none, which only an inbound request brings about; see {@link
     *     #hasAgentSession()}
     */
    public String agentSessionId() {
        return bound.agentSessionId();
    }

    /**
     * {@return the id of the zone in which the application acts} For a request that a boundary without a verifier has
     * let in, the client's own, whoever called.
     */
    public String zoneId() {
        return bound.zoneId();
    }

    /**
     * {@return the id of the application whose credential backs the session: for a proven request the caller's} For a
     * request that a boundary without a verifier has let in it is the client's own and says nothing of the caller.
     */
    public String applicationId() {
        return bound.applicationId();
    }

    /**
     * {@return the id of the delegation that bounds the session's authority; empty when the session acts with the
     * application's own authority}
     */
    public Optional<String> delegationEdgeId() {
        return Optional.ofNullable(bound.envelope().delegationEdgeId());
    }

    /** {@return the id of the delegation from which the session's own was derived; empty when there is none} */
    public Optional<String> parentEdgeId() {
        return Optional.ofNullable(bound.envelope().parentEdgeId());
    }

    /**
     * {@return the id of the authority record of the user for whom the session acts; empty when the session acts for
     * the application}
     */
    public Optional<String> authorityRecordId() {
        return Optional.ofNullable(bound.envelope().authorityRecordId());
    }

    /** {@return the W3C trace id that runs through the session and its children; 32 lower-case hexadecimal digits} */
    public String traceId() {
        return Objects.requireNonNull(bound.envelope().traceId());
    }

    /** {@return how many delegations lie between the session and the root of its authority; 0 to 10} */
    public int hop() {
        return bound.envelope().hop();
    }

    /**
     * {@return the W3C baggage that others put on the way, without Caracal's own members; an immutable map, empty by
     * default} Unsigned: never an authority.
     */
    public Map<String, String> baggage() {
        return bound.envelope().extraBaggage();
    }

    /**
     * {@return what the mandate of the request proves, for a context that a boundary with a verifier has bound, and for
     * what is derived from it in the same session; empty for a session that was opened here, and where nothing was
     * proven}
     */
    public Optional<VerifiedMandate> verifiedMandate() {
        return Optional.ofNullable(bound.received()).map(Provenance.Received::mandate);
    }

    /**
     * This context in the trace of another: the same session and authority, with the trace and the baggage of others that
     * the other one has. For a service that handles a request under its own session, so that one trace runs through:
     *
     * <pre>{@code
     * caracal.current().flatMap(caller -> caracal.bind(agent.context().inTraceOf(caller), work));
     * }</pre>
     *
     * @param other the context whose trace goes on
     */
    public CaracalContext inTraceOf(CaracalContext other) {
        return new CaracalContext(bound.inTraceOf(other.bound.envelope()));
    }

    /**
     * This context in the trace of a message, as {@link #inTraceOf(CaracalContext)}.
     *
     * @param message what came with the message
     */
    public CaracalContext inTraceOf(CarriedContext message) {
        return new CaracalContext(bound.inTraceOf(message.envelope()));
    }

    /**
     * {@return what others may be told of this context, for carriers that are no HTTP requests: messages of a queue,
     * gRPC metadata, {@code _meta} of MCP; the ids, trace and baggage as they are now} Without any token.
     */
    public CarriedContext carried() {
        return new CarriedContext(bound.present().envelope());
    }

    /**
     * {@return the entries that carry this context, without any token; short for {@code carried().toMap()}; an
     * immutable map of {@code traceparent}, and of {@code tracestate} and {@code baggage} where there is any}
     */
    public Map<String, String> toMap() {
        return carried().toMap();
    }

    BoundContext bound() {
        return bound;
    }

    /** Whether the other is a view of the same context, as it was bound. */
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
