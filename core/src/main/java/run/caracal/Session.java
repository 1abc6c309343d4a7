package run.caracal;

import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;
import run.caracal.internal.lifecycle.Scope;
import run.caracal.internal.propagation.Envelope;

/** An agent session that this client opened and has to end. */
final class Session {
    private final Object owner;
    private final Scope children;
    private final Scope helpers;
    private final Map<List<String>, Mono<AuthorityOnDemand.Helper>> obtained = new ConcurrentHashMap<>();
    private final boolean service;
    private volatile CaracalContext context;
    private volatile boolean ended;
    private volatile @Nullable Long ends;

    private Session(
            Object owner,
            String zoneId,
            String applicationId,
            Envelope envelope,
            Scope enclosing,
            @Nullable Authority authority,
            boolean service) {
        this.owner = owner;
        this.service = service;
        this.context = new CaracalContext(zoneId, applicationId, envelope, this, authority);
        this.children = new Scope(
                enclosing,
                "The agent session " + context.agentSessionId()
                        + " is closing and takes no children; open them while its work runs");
        this.helpers = new Scope(
                enclosing,
                "The agent session " + context.agentSessionId()
                        + " is closing and obtains no authority any more; make the call while its work runs");
    }

    static Session task(
            Object owner,
            String zoneId,
            String applicationId,
            Envelope envelope,
            Scope enclosing,
            Authority authority) {
        return new Session(owner, zoneId, applicationId, envelope, enclosing, authority, false);
    }

    static Session service(
            Object owner,
            String zoneId,
            String applicationId,
            Envelope envelope,
            Scope enclosing,
            @Nullable Authority authority) {
        return new Session(owner, zoneId, applicationId, envelope, enclosing, authority, true);
    }

    /** Whether it is a service, which lives as long as its lease. */
    boolean isService() {
        return service;
    }

    CaracalContext context() {
        return context;
    }

    /** The session goes on with a delegation of its own, which contexts given out before present from now on. */
    void hold(Envelope envelope, Authority authority) {
        CaracalContext before = context;
        context = new CaracalContext(before.zoneId(), before.applicationId(), envelope, this, authority);
    }

    /** The sessions opened with this one as their parent: ended before it (DESIGN S7). */
    Scope children() {
        return children;
    }

    /** The sessions that the SDK opened to hold authority for this one: ended with it, at the very last. */
    Scope helpers() {
        return helpers;
    }

    /** The session that holds authority for this one, by its labels. */
    Map<List<String>, Mono<AuthorityOnDemand.Helper>> obtained() {
        return obtained;
    }

    /** When the platform ends it by itself, on the monotonic clock; {@code null} for a service, and when unknown. */
    @Nullable
    Long ends() {
        return ends;
    }

    void endsAt(long nanos) {
        ends = nanos;
    }

    /**
     * Whether a client opened it: one client never acts under the session of another, whose zone, application and lifetime
     * are not its own.
     *
     * @param client the scope of the client's sessions, by which clients are told apart
     */
    boolean isOwnedBy(Object client) {
        return owner == client;
    }

    boolean hasEnded() {
        return ended;
    }

    void markEnded() {
        ended = true;
    }
}
