package run.caracal.internal.capacity;

import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Scheduler;
import run.caracal.config.CaracalConfig;
import run.caracal.error.CapacityException;
import run.caracal.error.Limit;
import run.caracal.event.CaracalEvent.CapacityWaited;
import run.caracal.event.CaracalEvent.CapacityWaited.Capacity;
import run.caracal.internal.event.EventBus;

/**
 * Holds sessions back until there is a permit for them.
 *
 * <p>A nested session waits while its ancestors hold their permits, so permits are granted such that some session can always
 * proceed. The depth of a session is the number of its ancestors. The maximum depth {@code D} is half of the permits, and at most
 * ten; a session at depth {@code d} gets a permit only if {@code D - d} are left afterwards. A root takes two permits, its own and
 * one for its first child, and leaves {@code D - 1}. Proof: let all sessions wait, the deepest at depth {@code d}. Sessions at that
 * depth or deeper wait for nothing, and end. The permits of the others were granted when at least {@code D - d + 1} were left, so
 * there is one for the waiting session. Deeper sessions are rejected immediately, since they could wait forever.
 *
 * <p>Services and the sessions of application transports do not end by themselves, so nothing waits for them: {@code D} is half of
 * the permits without theirs, and sessions inside a service count as roots. Sessions of an application transport may be needed at
 * any depth, and by several callers at once: they are served like the deepest.
 */
public final class SessionGate extends Line {
    /** The platform's maximum nesting depth. */
    private static final int DEEPEST = 10;

    private final int limit;
    private final CaracalConfig config;
    private final EventBus events;
    private int used;
    private int lasting;

    /**
     * Creates the gate of a client; without a configured limit it never waits.
     *
     * @param callers where the code of a caller that had to wait goes on
     */
    public SessionGate(CaracalConfig config, EventBus events, Scheduler timer, Supplier<Scheduler> callers) {
        super(config.sessionAcquireTimeout(), timer, callers);
        this.limit = config.maxOpenSessions().orElse(0);
        this.config = config;
        this.events = events;
    }

    /** The purpose of a session. */
    public enum Kind {
        /** Runs work, and ends with it. */
        TASK,
        /** A service, which ends when its owner closes it. */
        SERVICE,
        /** Holds authority for its parent session, and ends with it. */
        HELPER,
        /** Holds authority for all calls of the application. */
        APPLICATION
    }

    /**
     * Opens a session once there is a permit for it.
     *
     * @param within the permit of the parent session, or {@code null}
     * @param session opens the session with the given permit, which it has to {@link Place#take}
     */
    public <T> Mono<T> one(Kind kind, @Nullable Place within, Function<Place, Mono<T>> session) {
        if (limit == 0) {
            return session.apply(Place.UNCOUNTED);
        }
        return Mono.defer(() -> {
            Place place = place(kind, within);
            Mono<Void> turn = enter(place);
            Mono<T> opened = Mono.defer(() -> session.apply(place));
            return (turn == null ? opened : turn.then(opened)).doFinally(end -> place.abandon());
        });
    }

    /** Opens a session with many results once there is a permit for it; see {@link #one}. */
    public <T> Flux<T> many(Kind kind, @Nullable Place within, Function<Place, Flux<T>> session) {
        if (limit == 0) {
            return session.apply(Place.UNCOUNTED);
        }
        return Flux.defer(() -> {
            Place place = place(kind, within);
            Mono<Void> turn = enter(place);
            Flux<T> opened = Flux.defer(() -> session.apply(place));
            return (turn == null ? opened : turn.thenMany(opened)).doFinally(end -> place.abandon());
        });
    }

    /** Counts a service that is taken over, which never waits. */
    public Place adopt() {
        if (limit == 0) {
            return Place.UNCOUNTED;
        }
        Place place = new Place(this, 0, 1, true);
        synchronized (this) {
            used++;
            lasting++;
            place.state = Place.State.TAKEN;
        }
        return place;
    }

    private @Nullable Mono<Void> enter(Place place) {
        // A session with a reserved permit does not queue.
        Mono<Void> turn = place.state == Place.State.HELD ? null : join(place);
        return turn == null
                ? null
                : events.observe(
                        CapacityWaited.class,
                        turn,
                        (none, completion) -> new CapacityWaited(Capacity.SESSION, completion));
    }

    private synchronized Place place(Kind kind, @Nullable Place within) {
        int deepest = deepest();
        if (kind == Kind.APPLICATION) {
            int depth = Math.max(0, deepest - 1);
            return new Place(this, depth, depth == 0 ? Math.min(2, limit) : 1, true);
        }
        if (within == null || within == Place.UNCOUNTED || (within.lasting && kind != Kind.HELPER)) {
            return new Place(this, 0, kind == Kind.HELPER ? 1 : Math.min(2, limit), kind == Kind.SERVICE);
        }
        int depth = within.depth() + 1;
        boolean lasts = kind == Kind.SERVICE || (kind == Kind.HELPER && within.lasting);
        if (within.size == 2 && within.state != Place.State.FREE) {
            within.size = 1;
            lasting += lasts && !within.lasting ? 1 : 0;
            Place room = new Place(this, depth, 1, lasts);
            room.state = Place.State.HELD;
            return room;
        }
        if (depth > deepest && (!lasts || limit < 2)) {
            throw tooSmall(depth, lasts ? 2 : 2 * depth + lasting);
        }
        return new Place(this, depth, 1, lasts);
    }

    private int deepest() {
        return Math.min(DEEPEST, (limit - lasting) / 2);
    }

    @Override
    boolean take(Waiter waiter) {
        Place place = (Place) waiter;
        int kept = Math.max(0, deepest() - Math.max(1, place.depth()));
        if (limit - used - place.size < kept) {
            return false;
        }
        used += place.size;
        lasting += place.lasting ? place.size : 0;
        place.state = Place.State.HELD;
        return true;
    }

    /** Moves the permit from one state to another; {@code false} if it was in another state. */
    synchronized boolean move(Place place, Place.State from, Place.State to) {
        if (place.state != from) {
            return false;
        }
        place.state = to;
        return true;
    }

    void free(Place place, Place.State from) {
        synchronized (this) {
            if (!move(place, from, Place.State.FREE)) {
                return;
            }
            used -= place.size;
            lasting -= place.lasting ? place.size : 0;
        }
        serve();
    }

    /** The number of granted permits, including those reserved for first children. */
    synchronized int used() {
        return used;
    }

    private CapacityException tooSmall(int depth, int least) {
        return new CapacityException(
                "maxOpenSessions is " + limit + ", of which services and application transports hold " + lasting
                        + ". That is too small for a session with " + depth
                        + " ancestors, be it one of your own or the one that"
                        + " obtains authority for scoped calls: it could wait forever for a permit that only its ancestors can"
                        + " release, so it was not opened. Set maxOpenSessions (CARACAL_MAX_OPEN_SESSIONS) to at least "
                        + least
                        + ", or nest less deep",
                new Limit(Limit.Kind.CLIENT_SESSIONS, limit, false, null));
    }

    /** The deeper of two permits, either of which may be {@code null}. */
    public static @Nullable Place deeper(@Nullable Place one, @Nullable Place other) {
        return one == null || (other != null && !other.lasting && other.depth() > one.depth()) ? other : one;
    }

    @Override
    CapacityException tooLate() {
        int open;
        int last;
        synchronized (this) {
            open = used;
            last = lasting;
        }
        return new CapacityException(
                "No permit for another agent session was available within " + config.sessionAcquireTimeout()
                        + ", so none was opened: maxOpenSessions is " + limit + ", and " + open
                        + " permits are in use, "
                        + last
                        + " of them by services and application transports. Close sessions earlier or open fewer at once; or"
                        + " raise maxOpenSessions (CARACAL_MAX_OPEN_SESSIONS), if the zone allows more, or"
                        + " sessionAcquireTimeout",
                new Limit(Limit.Kind.CLIENT_SESSIONS, limit, true, null));
    }
}
