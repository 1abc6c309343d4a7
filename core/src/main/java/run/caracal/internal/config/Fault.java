package run.caracal.internal.config;

import java.util.Objects;

/** A value that cannot be used. The message follows the name of the setting, and never holds a secret. */
public final class Fault extends Exception {
    private static final long serialVersionUID = 1L;

    Fault(String message) {
        super(message);
    }

    /** What is wrong, and what to do. */
    public String text() {
        return Objects.requireNonNull(getMessage());
    }
}
