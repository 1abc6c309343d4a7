package run.caracal.platform;

import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A snapshot of a delegation at the Coordinator.
 *
 * @param id the delegation's id
 * @param sourceSessionId the issuing session
 * @param targetSessionId the receiving session
 * @param issuerApplicationId the application of the source
 * @param receiverApplicationId the application of the target
 * @param parentId the delegation that it derives from, if any
 * @param resourceId its resource; null if its constraints name resources
 * @param scopes the delegated scopes
 * @param constraints the stored constraints
 * @param status {@code active} or {@code revoked}
 * @param createdAt when it was created
 * @param expiresAt when it expires
 * @param revokedAt when it was revoked, if it was
 */
public record DelegationSnapshot(
        String id,
        String sourceSessionId,
        String targetSessionId,
        String issuerApplicationId,
        String receiverApplicationId,
        @Nullable String parentId,
        @Nullable String resourceId,
        List<String> scopes,
        Map<String, @Nullable Object> constraints,
        String status,
        Instant createdAt,
        Instant expiresAt,
        @Nullable Instant revokedAt) {

    boolean isActive() {
        return status.equals("active");
    }

    boolean isLive(Instant now) {
        return isLive(now, now);
    }

    /** Whether it is live, ignoring revocations after an instant. */
    boolean isLive(Instant now, Instant knownUntil) {
        return !isRevoked(knownUntil) && now.isBefore(expiresAt);
    }

    boolean isRevoked(Instant knownUntil) {
        return revokedAt != null && !revokedAt.isAfter(knownUntil);
    }

    Constraints bounds() {
        return new Constraints(constraints);
    }

    /** Whether it covers a resource. */
    boolean covers(String identifier) {
        if (resourceId != null && !resourceId.equals(identifier)) {
            return false;
        }
        List<String> resources = bounds().resources();
        return resources.isEmpty() || resources.contains(identifier);
    }

    DelegationSnapshot revoked(Instant now) {
        return new DelegationSnapshot(
                id,
                sourceSessionId,
                targetSessionId,
                issuerApplicationId,
                receiverApplicationId,
                parentId,
                resourceId,
                scopes,
                constraints,
                "revoked",
                createdAt,
                expiresAt,
                now);
    }
}
