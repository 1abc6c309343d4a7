package run.caracal.test;

import java.io.Console;
import java.time.Duration;
import java.util.Locale;

/**
 * Shows the progress of a long run and its remaining time: on a terminal in one overwritten line, elsewhere in an occasional
 * plain line.
 */
public final class Progress {
    private static final boolean TERMINAL = isTerminal();
    private static final long EVERY = Duration.ofSeconds(30).toNanos();

    private final String what;
    private final int steps;
    private final long start = System.nanoTime();
    private long told = start;
    private int done;

    /**
     * Starts now.
     *
     * @param what the name of the run
     * @param steps how many it has
     */
    public Progress(String what, int steps) {
        this.what = what;
        this.steps = steps;
    }

    /** Counts a step; not for several threads at once. */
    public void step() {
        done++;
        long now = System.nanoTime();
        if (TERMINAL) {
            System.out.print("\r\u001b[K" + (done < steps ? line(now) : ""));
            System.out.flush();
        } else if (now - told >= EVERY && done < steps) {
            told = now;
            System.out.println(line(now));
        }
    }

    private String line(long now) {
        Duration left = Duration.ofNanos((now - start) / done * (steps - done));
        return String.format(
                Locale.ROOT, "%s: %d of %d, %d:%02d left", what, done, steps, left.toMinutes(), left.toSecondsPart());
    }

    /** Since Java 22 a console exists without a terminal, too. */
    @SuppressWarnings("SystemConsoleNull") // the console is queried below
    private static boolean isTerminal() {
        Console console = System.console();
        if (console == null) {
            return false;
        }
        try {
            return (boolean) Console.class.getMethod("isTerminal").invoke(console);
        } catch (ReflectiveOperationException e) {
            return true;
        }
    }
}
