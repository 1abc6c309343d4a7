package run.caracal.internal.lifecycle;

import run.caracal.error.ClosedException;

/** Whether a client is closed, and the error of what is asked of it then. */
public final class ClientState {
    private volatile boolean closed;

    public boolean isClosed() {
        return closed;
    }

    /** Closes the client for good. */
    public void close() {
        closed = true;
    }

    /** Refuses what is asked of a closed client. */
    public void requireOpen() {
        if (closed) {
            throw closedError();
        }
    }

    public static ClosedException closedError() {
        return new ClosedException("The Caracal client is closed, so nothing was sent; create a new one");
    }
}
