package run.caracal;

import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import reactor.util.context.ContextView;
import run.caracal.internal.propagation.Envelope;
import run.caracal.verify.VerifiedMandate;

/**
 * Who acts: the agent session that is bound to a pipeline, and its trace. Immutable; it travels in the Reactor
 * Context, so it survives every change of thread; a thread is shown it only with {@link
 * run.caracal.context.CaracalContextAccessor}. It shows ids only, never a token or a secret.
 *
 * <p>A context that was {@linkplain Caracal#bindFromHeaders bound from headers} is that of the request's caller: its bearer
 * goes with the calls that are made under it and is shown nowhere. It may be without a session; see {@link
 * #hasAgentSession()}.
 */
public final class CaracalContext {
    private final String zoneId;
    private final String applicationId;
    private final Envelope envelope;
    private final @Nullable Session session;
    private final @Nullable Authority authority;

    /** Whether it was put into another trace than its session's. */
    private final boolean elsewhere;

    CaracalContext(
            String zoneId,
            String applicationId,
            Envelope envelope,
            @Nullable Session session,
            @Nullable Authority authority) {
        this(zoneId, applicationId, envelope, session, authority, false);
    }

    private CaracalContext(
            String zoneId,
            String applicationId,
            Envelope envelope,
            @Nullable Session session,
            @Nullable Authority authority,
            boolean elsewhere) {
        this.elsewhere = elsewhere;
        this.zoneId = zoneId;
        this.applicationId = applicationId;
        this.envelope = envelope;
        this.session = session;
        this.authority = authority;
    }

    /**
     * The context that is bound in a Reactor Context.
     *
     * @param view the Reactor Context, for instance of {@code Mono.deferContextual}
     * @return the context, or empty outside a session
     */
    public static Optional<CaracalContext> from(ContextView view) {
        return Optional.ofNullable(find(view));
    }

    static @Nullable CaracalContext find(ContextView view) {
        return view.getOrDefault(CaracalContext.class, null);
    }

    /**
     * Whether there is an agent session. There is, but for an inbound request that names none, and for one whose work runs
     * as the application ({@link Boundary#asApplication()}).
     *
     * @return {@code false} when {@link #agentSessionId()} would fail
     */
    public boolean hasAgentSession() {
        return envelope.agentSessionId() != null;
    }

    /**
     * The agent session.
     *
     * @return its id
     * @throws IllegalStateException if there is none, which only an inbound request brings about; see {@link
     *     #hasAgentSession()}
     */
    public String agentSessionId() {
        String id = envelope.agentSessionId();
        if (id == null) {
            throw new IllegalStateException(
                    "The request names no agent session; ask hasAgentSession() first, or spawn one");
        }
        return id;
    }

    /**
     * The zone in which the application acts. For a request that a boundary without a verifier has let in, the client's own,
     * whoever called.
     *
     * @return its id
     */
    public String zoneId() {
        return zoneId;
    }

    /**
     * The application whose credential backs the session: for a proven request the caller's. For a request that a boundary
     * without a verifier has let in it is the client's own and says nothing of the caller.
     *
     * @return its id
     */
    public String applicationId() {
        return applicationId;
    }

    /**
     * The delegation that bounds the session's authority.
     *
     * @return its id; empty when the session acts with the application's own authority
     */
    public Optional<String> delegationEdgeId() {
        return Optional.ofNullable(envelope.delegationEdgeId());
    }

    /**
     * The delegation from which the session's own was derived.
     *
     * @return its id; empty when there is none
     */
    public Optional<String> parentEdgeId() {
        return Optional.ofNullable(envelope.parentEdgeId());
    }

    /**
     * The authority record of the user for whom the session acts.
     *
     * @return its id; empty when the session acts for the application
     */
    public Optional<String> authorityRecordId() {
        return Optional.ofNullable(envelope.authorityRecordId());
    }

    /**
     * The W3C trace id that runs through the session and its children.
     *
     * @return 32 lower-case hexadecimal digits
     */
    public String traceId() {
        return Objects.requireNonNull(envelope.traceId());
    }

    /**
     * How many delegations lie between the session and the root of its authority.
     *
     * @return 0 to 10
     */
    public int hop() {
        return envelope.hop();
    }

    /**
     * The W3C baggage that others put on the way, without Caracal's own members. Unsigned: never an authority.
     *
     * @return an immutable map, empty by default
     */
    public Map<String, String> baggage() {
        return envelope.extraBaggage();
    }

    /**
     * What the mandate of the request proves, for a context that a boundary with a verifier has bound, and for what is
     * derived from it in the same session.
     *
     * @return the claims; empty for a session that was opened here, and where nothing was proven
     */
    public Optional<VerifiedMandate> verifiedMandate() {
        Authority.Received received = received();
        return Optional.ofNullable(received == null ? null : received.mandate());
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
     * @return a new context
     */
    public CaracalContext inTraceOf(CaracalContext other) {
        return inTrace(other.envelope);
    }

    /**
     * This context in the trace of a message, as {@link #inTraceOf(CaracalContext)}.
     *
     * @param message what came with the message
     * @return a new context
     */
    public CaracalContext inTraceOf(CarriedContext message) {
        return inTrace(message.envelope());
    }

    private CaracalContext inTrace(Envelope other) {
        return new CaracalContext(zoneId, applicationId, envelope.inTraceOf(other), session, authority, true);
    }

    /**
     * What others may be told of this context, for carriers that are no HTTP requests: messages of a queue, gRPC metadata,
     * {@code _meta} of MCP. Without any token.
     *
     * @return the ids, trace and baggage as they are now
     */
    public CarriedContext carried() {
        return new CarriedContext(present().envelope);
    }

    /**
     * The entries that carry this context, without any token; short for {@code carried().toMap()}.
     *
     * @return an immutable map of {@code traceparent}, and of {@code tracestate} and {@code baggage} where there is any
     */
    public Map<String, String> toMap() {
        return carried().toMap();
    }

    Envelope envelope() {
        return envelope;
    }

    /** Whether it was put into another trace than its session's. */
    boolean isElsewhere() {
        return elsewhere;
    }

    /** How it came with a request, itself or the one it was derived from; {@code null} for one that began here. */
    Authority.@Nullable Received received() {
        CaracalContext context = this;
        while (context.authority instanceof Authority.Issued || context.authority instanceof Authority.Accepted) {
            context = Objects.requireNonNull(context.authority.above());
        }
        return context.authority instanceof Authority.Received received ? received : null;
    }

    /** Whether its session is our application's: opened here, or that of a request, proven. */
    boolean isOurs() {
        Authority.Received received = received();
        return hasAgentSession() && (received == null || received.ours());
    }

    /** The session that this client opened, or {@code null} for a context that came from elsewhere. */
    @Nullable
    Session session() {
        return session;
    }

    /** How it came by its authority, {@code null} for a context that came from elsewhere. */
    @Nullable
    Authority authority() {
        return authority;
    }

    /** The context that holds the session's own authority: what it issued to others is not its to pass on. */
    CaracalContext own() {
        if (authority instanceof Authority.Issued issued) {
            CaracalContext own = issued.above().own();
            return elsewhere ? own.inTrace(envelope) : own;
        }
        return present();
    }

    /** What the session shows now: the delegation of a service is renewed while contexts given out before live on. */
    CaracalContext present() {
        if (session == null || !(authority instanceof Authority.Spawned)) {
            return this;
        }
        return elsewhere ? session.context().inTrace(envelope) : session.context();
    }

    /** The same session under another delegation, which it issued or received. */
    CaracalContext presenting(String edge, @Nullable String parentEdge, Authority presented) {
        Envelope shown = envelope.toBuilder()
                .delegationEdgeId(edge)
                .parentEdgeId(parentEdge)
                .hop(own().hop() + 1)
                .build();
        return new CaracalContext(zoneId, applicationId, shown, session, presented, elsewhere);
    }

    /** When the delegation that bounds it ends at the earliest, on the monotonic clock; {@code null} when unknown. */
    @Nullable
    Long edgeEnds() {
        return authority instanceof Authority.Spawned spawned ? spawned.edgeEnds() : null;
    }

    @Override
    public String toString() {
        return "CaracalContext[agentSessionId=" + envelope.agentSessionId() + ", zoneId=" + zoneId + ", applicationId="
                + applicationId + ", delegationEdgeId=" + envelope.delegationEdgeId() + ", traceId="
                + envelope.traceId()
                + ", hop=" + envelope.hop() + "]";
    }
}
