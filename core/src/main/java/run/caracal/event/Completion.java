package run.caracal.event;

import java.time.Duration;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * How an operation ended.
 *
 * @param outcome how it ended
 * @param duration how long it took, from its first request to its end, retries and pauses included
 * @param status the HTTP status of the last answer; 0 when there was none
 * @param code the error code, the service's own where it answered; {@code null} unless the operation failed
 * @param requestId the request id of the last answer, to look it up in the audit log; {@code null} when it named none
 */
public record Completion(
        Outcome outcome,
        Duration duration,
        int status,
        @Nullable String code,
        @Nullable String requestId) {

    /** How an operation ended. */
    public enum Outcome {
        /** It did what it was asked to do. */
        SUCCESS,
        /** It failed; the code says why. */
        FAILURE,
        /** Its caller went before it ended. */
        CANCELLED
    }

    /** Checks the components. */
    public Completion {
        Objects.requireNonNull(outcome, "outcome");
        Objects.requireNonNull(duration, "duration");
    }
}
