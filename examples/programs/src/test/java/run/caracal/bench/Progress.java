package run.caracal.bench;

import java.io.Console;
import java.time.Duration;
import java.util.Locale;

/**
 * Says how far a long run is and how long it goes on at this pace: on a terminal in one line that is written over, elsewhere
 * in a plain line now and then.
 */
final class Progress {
    private static final boolean TERMINAL = isTerminal();
    private static final long EVERY = Duration.ofSeconds(30).toNanos();

    private final String what;
    private final int steps;
    private final long start = System.nanoTime();
    private long told = start;
    private int done;

    Progress(String what, int steps) {
        this.what = what;
        this.steps = steps;
    }

    /** One more step is done. */
    void step() {
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

    /** From Java 22 on there is a console without a terminal, too. */
    @SuppressWarnings("SystemConsoleNull") // asked of that console below
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
