package run.caracal.internal.delegation;

import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;
import run.caracal.internal.wire.ConstraintFields;

/**
 * The terms of a delegation, and its receiver.
 *
 * @param ttl how long it lives; {@code null} for {@link #DEFAULT_TTL}, and no longer than what the issuer has left
 * @param idempotencyKey the caller's own key; {@code null} for a generated one
 */
public record DelegationTerms(
        String targetSessionId,
        String targetApplicationId,
        List<String> scopes,
        @Nullable String resource,
        ConstraintFields constraints,
        @Nullable Duration ttl,
        boolean revokeOnEnd,
        @Nullable String idempotencyKey) {
    /** The default TTL of a delegation. */
    public static final Duration DEFAULT_TTL = Duration.ofSeconds(3600);
}
