package run.caracal.internal.config;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import run.caracal.error.ConfigurationException;
import run.caracal.error.ConfigurationException.Problem;

/** Collects faults, so that all of one configuration are reported together. */
public final class Problems {
    private final List<Problem> problems = new ArrayList<>();

    /** Notes a fault. */
    public void add(String setting, String source, String message) {
        problems.add(new Problem(setting, source, message));
    }

    /**
     * Notes what a rule answered.
     *
     * @param fault the answer; {@code null} when there is nothing to note
     */
    public void check(String setting, String source, @Nullable String fault) {
        if (fault != null) {
            add(setting, source, fault);
        }
    }

    /** As {@link #check}. */
    public boolean passes(String setting, String source, @Nullable String fault) {
        check(setting, source, fault);
        return fault == null;
    }

    /** Ends in a {@link ConfigurationException} when there were faults. */
    public void throwIfAny() {
        if (!problems.isEmpty()) {
            throw new ConfigurationException(problems);
        }
    }
}
