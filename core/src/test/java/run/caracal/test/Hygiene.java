package run.caracal.test;

import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;

/**
 * What no test may leave behind: blocking calls on non-blocking threads (DESIGN E1) and errors that Reactor dropped
 * (PITFALLS A7). {@link HygieneExtension} fails the test that left any. A test that provokes them takes them out.
 */
public final class Hygiene {
    private static final Queue<Throwable> BLOCKING = new ConcurrentLinkedQueue<>();
    private static final Queue<Throwable> DROPPED = new ConcurrentLinkedQueue<>();

    private Hygiene() {}

    static void blocked(Throwable call) {
        BLOCKING.add(call);
    }

    static void dropped(Throwable error) {
        DROPPED.add(error);
    }

    /**
     * Takes out the blocking calls seen so far; the test expects them.
     *
     * @return one error for each call, with its stack
     */
    public static List<Throwable> takeBlockingCalls() {
        return drain(BLOCKING);
    }

    /**
     * Takes out the errors dropped so far; the test expects them.
     *
     * @return the errors
     */
    public static List<Throwable> takeDroppedErrors() {
        return drain(DROPPED);
    }

    private static List<Throwable> drain(Queue<Throwable> queue) {
        List<Throwable> taken = new ArrayList<>();
        for (Throwable next = queue.poll(); next != null; next = queue.poll()) {
            taken.add(next);
        }
        return taken;
    }
}
