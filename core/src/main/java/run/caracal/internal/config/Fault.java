package run.caracal.internal.config;

import java.util.Objects;

/** A value that cannot be used. The message follows the name of the setting, and never holds a secret. */
public final class Fault extends Exception {
    private static final long serialVersionUID = 1L;

    Fault(String message) {
        super(message);
    }

    /** The fault and its remedy. */
    public String text() {
        return Objects.requireNonNull(getMessage());
    }
}
