package run.caracal.internal.capacity;

import org.jspecify.annotations.Nullable;
import run.caracal.error.ClosedException;

/**
 * The permit of one session. It is wanted, then held, then taken by the opening, which hands it to the session. It is
 * released when the platform has ended the session, never before; releasing it twice has no effect.
 */
public final class Place extends Line.Waiter {
    /** The permit of an uncounted session. */
    public static final Place UNCOUNTED = new Place(null, 0, 0, false);

    /** The state of its session. */
    enum State {
        WANTED,
        HELD,
        TAKEN,
        /** The session may be open, and is being terminated in the background. */
        PENDING,
        FREE
    }

    private final @Nullable SessionGate gate;
    /** Whether it is held indefinitely, so that nothing may wait for it. */
    final boolean lasting;

    // Under the lock of the gate.
    /** Its number of permits: its own, and one reserved for its first child until that is opened. */
    int size;

    State state = State.WANTED;

    Place(@Nullable SessionGate gate, int depth, int size, boolean lasting) {
        super(depth);
        this.gate = gate;
        this.size = size;
        this.lasting = lasting;
    }

    /** The number of its ancestors, each of which waits for it to end. */
    int depth() {
        return rank;
    }

    /**
     * Hands the permit to the opening: from now on only its session releases it.
     *
     * @throws ClosedException if its owner has cancelled before
     */
    public void take() {
        if (gate != null && !gate.move(this, State.HELD, State.TAKEN)) {
            throw new ClosedException("The caller went before the session was opened; nothing was sent");
        }
    }

    /** Its owner has cancelled: releases it unless an opening has taken it. */
    void abandon() {
        if (gate != null) {
            gate.leave(this);
            gate.free(this, State.HELD);
        }
    }

    /** The session is terminated in the background, until {@link #settled} is called. */
    public void pend() {
        if (gate != null) {
            var unused = gate.move(this, State.TAKEN, State.PENDING);
        }
    }

    /** The termination in the background has ended. */
    public void settled() {
        if (gate != null) {
            gate.free(this, State.PENDING);
        }
    }

    /**
     * The session has ended or was never opened: releases the permit, unless a termination continues in the background.
     */
    public void release() {
        if (gate != null) {
            gate.free(this, State.TAKEN);
        }
    }
}
