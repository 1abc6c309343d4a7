package run.caracal;

import java.time.Instant;
import java.util.List;
import java.util.Optional;

/**
 * A delegation that was created: an id for its receiver to present, and what it stands for. Holds no secret; it is of use
 * to the receiver's application only.
 *
 * @param delegationEdgeId its id
 * @param sourceSessionId the session that delegated
 * @param targetSessionId the session that receives
 * @param targetApplicationId the application of the session that receives
 * @param scopes what was delegated
 * @param expiresAt when it ends; empty when the platform did not say
 */
public record Delegation(
        String delegationEdgeId,
        String sourceSessionId,
        String targetSessionId,
        String targetApplicationId,
        List<String> scopes,
        Optional<Instant> expiresAt) {
    /**
     * Copies the scopes.
     *
     * @param delegationEdgeId its id
     * @param sourceSessionId the session that delegated
     * @param targetSessionId the session that receives
     * @param targetApplicationId the application of the session that receives
     * @param scopes what was delegated
     * @param expiresAt when it ends
     */
    public Delegation {
        scopes = List.copyOf(scopes);
    }
}
