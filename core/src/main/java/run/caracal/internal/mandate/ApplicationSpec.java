package run.caracal.internal.mandate;

import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * How calls are made as the application itself.
 *
 * @param labels the labels of the sessions that hold the authority; none for the application id
 * @param ttl how long each mandate lives; {@code null} for the platform's own time
 * @param subjectAuthorityRecordId the user for whom the calls are made, or {@code null}
 */
public record ApplicationSpec(
        List<String> labels,
        @Nullable Duration ttl,
        @Nullable String subjectAuthorityRecordId) {
    /** Every default. */
    public static final ApplicationSpec DEFAULTS = new ApplicationSpec(List.of(), null, null);
}
