package run.caracal;

import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import reactor.util.context.ContextView;
import run.caracal.internal.propagation.Envelope;

/**
 * Who acts: the agent session that is bound to a pipeline, and its trace (DESIGN C1). Immutable; it travels in the Reactor
 * Context and nowhere else, so it survives every change of thread. It holds ids only, never a token or a secret.
 */
public final class CaracalContext {
    private final String zoneId;
    private final String applicationId;
    private final Envelope envelope;
    private final @Nullable Session session;
    private final @Nullable Authority authority;

    CaracalContext(
            String zoneId,
            String applicationId,
            Envelope envelope,
            @Nullable Session session,
            @Nullable Authority authority) {
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
     * The agent session.
     *
     * @return its id
     */
    public String agentSessionId() {
        return Objects.requireNonNull(envelope.agentSessionId());
    }

    /**
     * The zone in which the application acts.
     *
     * @return its id
     */
    public String zoneId() {
        return zoneId;
    }

    /**
     * The application whose credential backs the session.
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

    Envelope envelope() {
        return envelope;
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
        return authority instanceof Authority.Issued issued ? issued.above().own() : present();
    }

    /** What the session shows now: the delegation of a service is renewed while contexts given out before live on. */
    CaracalContext present() {
        return session != null && authority instanceof Authority.Spawned ? session.context() : this;
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
