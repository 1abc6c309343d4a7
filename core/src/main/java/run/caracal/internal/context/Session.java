package run.caracal.internal.context;

import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;
import reactor.util.context.Context;
import run.caracal.internal.capacity.Place;
import run.caracal.internal.lifecycle.LazyScope;
import run.caracal.internal.lifecycle.Scope;
import run.caracal.internal.propagation.Envelope;

/** An agent session that this client opened and has to end. */
public final class Session {
    private final Object owner;
    private final boolean service;
    private final Place place;
    private final LazyScope children;
    private final LazyScope helpers;
    // Created on first use, because most sessions, such as a hundred thousand idle services, have no helpers.
    private volatile @Nullable Map<List<String>, Mono<HelperSession>> obtained;
    private volatile BoundContext context;
    private volatile boolean ended;
    private volatile boolean gone;
    private volatile @Nullable Long ends;

    public Session(
            Object owner,
            String zoneId,
            String applicationId,
            Envelope envelope,
            Scope enclosing,
            @Nullable Provenance provenance,
            boolean service,
            Place place) {
        this.owner = owner;
        this.place = place;
        this.service = service;
        this.children = new LazyScope(enclosing, () -> closing("takes no children; open them while its work runs"));
        this.helpers = new LazyScope(
                enclosing, () -> closing("obtains no authority any more; make the call while its work runs"));
        this.context = new BoundContext(zoneId, applicationId, envelope, this, provenance, false);
    }

    private String closing(String rest) {
        return "The agent session " + context.agentSessionId() + " is closing and " + rest;
    }

    public boolean isService() {
        return service;
    }

    public Place place() {
        return place;
    }

    public BoundContext context() {
        return context;
    }

    /** The Reactor Context with the present context of the session bound, for {@code contextWrite}. */
    public Context bind(Context view) {
        return context.bind(view);
    }

    /** Replaces the session's delegation, for contexts that were handed out before, too. */
    public void hold(Envelope envelope, Provenance provenance) {
        BoundContext before = context;
        context = new BoundContext(before.zoneId(), before.applicationId(), envelope, this, provenance, false);
    }

    /** The sessions opened with this one as their parent: ended before it. */
    public LazyScope children() {
        return children;
    }

    /** The sessions that the SDK opened to hold authority for this one: ended with it. */
    public LazyScope helpers() {
        return helpers;
    }

    /** The session that holds authority for this one, by its labels. */
    public Map<List<String>, Mono<HelperSession>> obtained() {
        Map<List<String>, Mono<HelperSession>> known = obtained;
        return known == null ? makeObtained() : known;
    }

    private synchronized Map<List<String>, Mono<HelperSession>> makeObtained() {
        Map<List<String>, Mono<HelperSession>> known = obtained;
        if (known == null) {
            known = new ConcurrentHashMap<>();
            obtained = known;
        }
        return known;
    }

    /** When the platform ends it, on the monotonic clock; {@code null} for a service, and if unknown. */
    public @Nullable Long ends() {
        return ends;
    }

    public void endsAt(long nanos) {
        ends = nanos;
    }

    /**
     * Whether a client opened it: one client never acts under the session of another, whose zone, application and lifetime
     * are not its own.
     */
    public boolean isOwnedBy(Object client) {
        return owner == client;
    }

    public boolean hasEnded() {
        return ended;
    }

    public void markEnded() {
        ended = true;
    }

    /** Whether the platform has ended it, which ends every descendant. */
    public boolean isGone() {
        return gone;
    }

    public void markGone() {
        gone = true;
    }
}
