package run.caracal.test;

import java.lang.StackWalker.StackFrame;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.stream.Stream;
import reactor.core.publisher.Operators;

/**
 * Collects blocking calls on non-blocking threads and errors that Reactor dropped. {@link HygieneExtension} fails a test
 * that leaves any; a test that provokes them takes them out.
 */
public final class Hygiene {
    private static final Queue<Throwable> BLOCKING = new ConcurrentLinkedQueue<>();
    private static final Queue<Drop> DROPPED = new ConcurrentLinkedQueue<>();

    /**
     * An error that Reactor dropped.
     *
     * @param error the error
     * @param by the class name of the operator that dropped it
     */
    public record Drop(Throwable error, String by) {}

    private Hygiene() {}

    static void blocked(Throwable call) {
        BLOCKING.add(call);
    }

    static void dropped(Throwable error) {
        DROPPED.add(new Drop(error, StackWalker.getInstance().walk(Hygiene::dropper)));
    }

    private static String dropper(Stream<StackFrame> frames) {
        String way = Operators.class.getName();
        return frames.map(StackFrame::getClassName)
                .dropWhile(name -> !name.equals(way))
                .dropWhile(name -> name.equals(way))
                .findFirst()
                .orElse("nobody");
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
        return takeDrops().stream().map(Drop::error).toList();
    }

    /**
     * Takes out the errors dropped so far, with the operators that dropped them; the test expects them.
     *
     * @return the errors
     */
    public static List<Drop> takeDrops() {
        return drain(DROPPED);
    }

    private static <T> List<T> drain(Queue<T> queue) {
        List<T> taken = new ArrayList<>();
        for (T next = queue.poll(); next != null; next = queue.poll()) {
            taken.add(next);
        }
        return taken;
    }
}
