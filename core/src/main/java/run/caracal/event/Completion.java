package run.caracal.event;

import java.time.Duration;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The end of an operation.
 *
 * @param outcome the outcome
 * @param duration from the first request to the end, including retries and pauses
 * @param status the HTTP status of the last answer; 0 if there was none
 * @param code the error code, the service's own if it answered; {@code null} unless the operation failed
 * @param requestId the request id of the last answer, for the audit log; {@code null} if it had none
 */
public record Completion(
        Outcome outcome,
        Duration duration,
        int status,
        @Nullable String code,
        @Nullable String requestId) {

    /** The outcome of an operation. */
    public enum Outcome {
        /** It succeeded. */
        SUCCESS,
        /** It failed, for the reason in the code. */
        FAILURE,
        /** Its subscriber cancelled it. */
        CANCELLED
    }

    /** Checks the components. */
    public Completion {
        Objects.requireNonNull(outcome, "outcome");
        Objects.requireNonNull(duration, "duration");
    }
}
