package run.caracal.internal.lifecycle;

import run.caracal.error.ClosedException;

/** Whether a client is closed, and the error of operations after that. */
public final class ClientState {
    private volatile boolean closed;

    public boolean isClosed() {
        return closed;
    }

    /** Closes the client. */
    public void close() {
        closed = true;
    }

    /** Fails if the client is closed. */
    public void requireOpen() {
        if (closed) {
            throw closedError();
        }
    }

    public static ClosedException closedError() {
        return new ClosedException("The Caracal client is closed, so nothing was sent; create a new one");
    }
}
