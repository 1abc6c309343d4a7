package run.caracal.platform;

import org.jspecify.annotations.Nullable;

/** An error answer of the platform. */
final class Refusal extends RuntimeException {

    private static final long serialVersionUID = 1L;

    final int status;
    final String code;
    final @Nullable String description;

    Refusal(int status, String code, @Nullable String description) {
        super(status + " " + code, null, false, false);
        this.status = status;
        this.code = code;
        this.description = description;
    }

    Refusal(int status, String code) {
        this(status, code, null);
    }
}
