package run.caracal.internal.capacity;

import org.jspecify.annotations.Nullable;
import run.caracal.error.ClosedException;

/**
 * The place of one session among those that a client may hold open. It is wanted, then held, then taken by the opening, which
 * hands it to the session; it is free again when the platform has ended the session, and never before. Giving it back twice
 * changes nothing.
 */
public final class Place extends Line.Waiter {
    /** The place of a session that nobody counts. */
    public static final Place UNCOUNTED = new Place(null, 0, 0, false);

    /** How far its session is. */
    enum State {
        WANTED,
        HELD,
        TAKEN,
        /** The session may be open, and its end goes on behind its owner. */
        PENDING,
        FREE
    }

    private final @Nullable SessionGate gate;
    /** Whether it is held for as long as its owner likes, so that nobody may wait for it. */
    final boolean lasting;

    // Under the lock of the gate.
    /** How many places it stands for: its own, and the room for the first session inside until that has come. */
    int size;

    State state = State.WANTED;

    Place(@Nullable SessionGate gate, int depth, int size, boolean lasting) {
        super(depth);
        this.gate = gate;
        this.size = size;
        this.lasting = lasting;
    }

    /** How many sessions are around it, each of which waits for it to end. */
    int depth() {
        return rank;
    }

    /**
     * The opening takes the place: from now on its session, and nobody else, gives it back.
     *
     * @throws ClosedException when its owner has gone before
     */
    public void take() {
        if (gate != null && !gate.move(this, State.HELD, State.TAKEN)) {
            throw new ClosedException("The caller went before the session was opened; nothing was sent");
        }
    }

    /** Its owner has gone: it is free unless an opening has taken it. */
    void abandon() {
        if (gate != null) {
            gate.leave(this);
            gate.free(this, State.HELD);
        }
    }

    /** The end of the session goes on behind its owner, and {@link #settled} tells when it is over. */
    public void pend() {
        if (gate != null) {
            var unused = gate.move(this, State.TAKEN, State.PENDING);
        }
    }

    /** What went on behind its owner is over. */
    public void settled() {
        if (gate != null) {
            gate.free(this, State.PENDING);
        }
    }

    /** The session has ended, or was never opened; unless its end goes on behind its owner, the place is free. */
    public void release() {
        if (gate != null) {
            gate.free(this, State.TAKEN);
        }
    }
}
