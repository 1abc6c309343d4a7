package run.caracal.test;

import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.Assumptions;

/** Virtual threads where the JDK has them; the tests are compiled for one that does not. */
public final class VirtualThreads {
    private VirtualThreads() {}

    /**
     * An executor with a virtual thread for each task.
     *
     * @return the executor; on a JDK before 21 the test is skipped, and says why
     */
    public static ExecutorService executor() {
        Assumptions.assumeTrue(
                Runtime.version().feature() >= 21,
                "virtual threads need JDK 21 or later, and this is " + Runtime.version());
        try {
            return (ExecutorService)
                    Executors.class.getMethod("newVirtualThreadPerTaskExecutor").invoke(null);
        } catch (ReflectiveOperationException e) {
            throw new LinkageError(e.toString(), e);
        }
    }
}
