package run.caracal.test;

import java.util.List;

/** The threads of this JVM. */
public final class Threads {
    private Threads() {}

    /**
     * Finds live threads.
     *
     * @param prefix the beginning of their names
     * @return the threads
     */
    public static List<Thread> named(String prefix) {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.getName().startsWith(prefix))
                .toList();
    }
}
