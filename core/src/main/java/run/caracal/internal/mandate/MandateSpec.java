package run.caracal.internal.mandate;

import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * How a mandate is minted.
 *
 * @param ttl how long it lives; {@code null} for the platform's own time
 * @param approvalId the approval that is presented, or {@code null}
 * @param labels the labels of a session that is opened to hold the authority; none for the application id
 */
public record MandateSpec(@Nullable Duration ttl, @Nullable String approvalId, List<String> labels) {
    /** Every default. */
    public static final MandateSpec DEFAULTS = new MandateSpec(null, null, List.of());
}
