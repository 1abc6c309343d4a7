package run.caracal.error;

import java.io.Serializable;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * The error answer of a Caracal service. Texts are truncated, and stripped of control characters and tokens.
 *
 * @param httpStatus the HTTP status
 * @param code the service's code, {@value #NO_CODE} if it had none
 * @param description the service's explanation, may be empty
 * @param requestId the id of the request in the platform's logs and audit, or {@code null}
 * @param retryAfter how long the service, or a proxy in front of it, asked to wait, or {@code null}
 */
public record Refusal(
        int httpStatus,
        String code,
        String description,
        @Nullable String requestId,
        @Nullable Duration retryAfter) implements Serializable {
    private static final long serialVersionUID = 1L;

    /** The code of an answer that has none. */
    public static final String NO_CODE = "error";

    private static final int MAX_ID = 128;
    private static final int MAX_DESCRIPTION = 1024;

    /** Cleans the texts. */
    public Refusal {
        code = Excerpts.of(code, MAX_ID);
        code = code.isEmpty() ? NO_CODE : code;
        description = Excerpts.of(description, MAX_DESCRIPTION);
        String id = Excerpts.of(requestId, MAX_ID);
        requestId = id.isEmpty() ? null : id;
    }
}
