package run.caracal.internal.context;

import java.time.Instant;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A delegation that was created.
 *
 * @param expiresAt when it ends; {@code null} when the platform did not say
 * @param ends when it ends at the earliest, on the monotonic clock
 */
public record IssuedDelegation(
        String id,
        String sourceSessionId,
        String targetSessionId,
        String targetApplicationId,
        List<String> scopes,
        @Nullable Instant expiresAt,
        long ends) {}
