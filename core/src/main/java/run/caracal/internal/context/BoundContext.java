package run.caracal.internal.context;

import java.util.Objects;
import org.jspecify.annotations.Nullable;
import reactor.util.context.Context;
import reactor.util.context.ContextView;
import run.caracal.error.ClosedException;
import run.caracal.error.ForeignContextException;
import run.caracal.internal.capacity.Place;
import run.caracal.internal.lifecycle.Scope;
import run.caracal.internal.propagation.Envelope;

/**
 * The identity in the Reactor Context, under this class as its key.
 *
 * @param session the session of this client; {@code null} for a context from elsewhere
 * @param provenance the origin of its authority; {@code null} for a context from elsewhere
 */
public record BoundContext(
        String zoneId,
        String applicationId,
        Envelope envelope,
        @Nullable Session session,
        @Nullable Provenance provenance,
        boolean isElsewhere) {

    /** The context that is bound in a Reactor Context, or {@code null}. */
    public static @Nullable BoundContext find(ContextView view) {
        return view.getOrDefault(BoundContext.class, null);
    }

    /** The Reactor Context with this context bound, for {@code contextWrite}. */
    public Context bind(Context view) {
        return view.put(BoundContext.class, this);
    }

    public boolean hasAgentSession() {
        return envelope.agentSessionId() != null;
    }

    public String agentSessionId() {
        String id = envelope.agentSessionId();
        if (id == null) {
            throw new IllegalStateException(
                    "The request names no agent session; ask hasAgentSession() first, or spawn one");
        }
        return id;
    }

    /** The same session and authority in the trace of another. */
    public BoundContext inTraceOf(Envelope other) {
        return new BoundContext(zoneId, applicationId, envelope.inTraceOf(other), session, provenance, true);
    }

    /** The inbound request that it was derived from; {@code null} for a context that this client opened. */
    public Provenance.@Nullable Received received() {
        BoundContext context = this;
        while (context.provenance instanceof Provenance.Issued || context.provenance instanceof Provenance.Accepted) {
            context = Objects.requireNonNull(context.provenance.above());
        }
        return context.provenance instanceof Provenance.Received received ? received : null;
    }

    /** Whether its session belongs to this application: opened here, or that of a verified request. */
    public boolean isOurs() {
        Provenance.Received received = received();
        return hasAgentSession() && (received == null || received.ours());
    }

    /**
     * The context that holds the session's own authority, which it may delegate; authority that it issued to others is
     * excluded.
     */
    public BoundContext own() {
        if (provenance instanceof Provenance.Issued issued) {
            BoundContext own = issued.above().own();
            return isElsewhere ? own.inTraceOf(envelope) : own;
        }
        return present();
    }

    /** The current delegation; that of a service is renewed under contexts that were handed out before. */
    public BoundContext present() {
        if (session == null || !(provenance instanceof Provenance.Spawned)) {
            return this;
        }
        return isElsewhere ? session.context().inTraceOf(envelope) : session.context();
    }

    /** The same session under another delegation, which it issued or received. */
    public BoundContext presenting(String edge, @Nullable String parentEdge, Provenance presented) {
        Envelope shown = envelope.toBuilder()
                .delegationEdgeId(edge)
                .parentEdgeId(parentEdge)
                .hop(own().envelope.hop() + 1)
                .build();
        return new BoundContext(zoneId, applicationId, shown, session, presented, isElsewhere);
    }

    /** The earliest expiry of its delegation, on the monotonic clock; {@code null} if unknown. */
    public @Nullable Long edgeEnds() {
        return provenance instanceof Provenance.Spawned spawned ? spawned.edgeEnds() : null;
    }

    /** The permit of its session, or {@code null}. */
    public static @Nullable Place place(@Nullable BoundContext context) {
        return context == null || context.session == null ? null : context.session.place();
    }

    /** The scope in which a session or a delegation under a context is held. */
    public static Scope scope(@Nullable BoundContext context, Scope client) {
        return context == null || context.session == null
                ? client
                : context.session.children().get();
    }

    /** Returns this context if the client may act under it; a context of another client is rejected. */
    public static @Nullable BoundContext requireOwn(@Nullable BoundContext context, Scope client) {
        if (context == null) {
            return null;
        }
        Provenance.Received received = context.received();
        if (received != null && received.owner() != client) {
            throw new ForeignContextException(
                    "The context came with a request that another Caracal client judged, which "
                            + "alone can act under it; nothing was sent. Bind it with this client");
        }
        if (context.session != null && !context.session.isOwnedBy(client)) {
            throw new ForeignContextException("The agent session " + context.agentSessionId()
                    + " was opened by another Caracal client, which alone can act under it; nothing was sent. Spawn a session "
                    + "with this client, outside of that one");
        }
        return context;
    }

    /** Returns this context if the client may make calls under it. */
    public static @Nullable BoundContext requireActing(@Nullable BoundContext bound, Scope client) {
        BoundContext context = requireOwn(bound, client);
        if (context != null) {
            context.requireNotEnded("calls belong inside the work of the session");
        }
        return context;
    }

    /** Rejects a context whose session has ended. */
    public void requireNotEnded(String remedy) {
        if (session != null && session.hasEnded()) {
            throw new ClosedException(
                    "The agent session " + agentSessionId() + " has ended, so nothing was sent; " + remedy);
        }
    }

    /** Rejects the context of an inbound request, unless its session is verified to belong to this application. */
    public void requireOurs() {
        if (!isOurs()) {
            throw new ForeignContextException(
                    "The context came with a request, and its session is not proven to be one of this application, so it "
                            + "cannot delegate, accept or be a parent; nothing was sent. Spawn a session with this client: it "
                            + "keeps the trace of the request");
        }
    }

    /**
     * Rejects the context of an inbound request: its bearer may only be sent to the Gateway and to named origins.
     */
    public static void requireNoCaller(@Nullable BoundContext context, String what) {
        Provenance.Received received = context == null ? null : context.received();
        if (received != null && received.bearer() != null) {
            throw new ForeignContextException("The bound context is that of an incoming request, and " + what
                    + ", so nothing was sent. Call through a decorated client, which gives the caller's bearer to the "
                    + "Gateway alone; or spawn a session of this application; toMap() of the context gives its trace");
        }
    }

    @Override
    public String toString() {
        return "CaracalContext[agentSessionId=" + envelope.agentSessionId() + ", zoneId=" + zoneId + ", applicationId="
                + applicationId + ", delegationEdgeId=" + envelope.delegationEdgeId() + ", traceId="
                + envelope.traceId()
                + ", hop=" + envelope.hop() + "]";
    }
}
