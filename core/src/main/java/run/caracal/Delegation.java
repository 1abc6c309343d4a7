package run.caracal;

import java.time.Instant;
import java.util.List;
import org.jspecify.annotations.Nullable;
import run.caracal.internal.context.IssuedDelegation;

/**
 * A delegation that was created: an id for its receiver to present, and what it stands for. Holds no secret; it is of use
 * to the receiver's application only.
 *
 * @param delegationEdgeId its id
 * @param sourceSessionId the session that delegated
 * @param targetSessionId the session that receives
 * @param targetApplicationId the application of the session that receives
 * @param scopes what was delegated
 * @param expiresAt when it ends; {@code null} when the platform did not say
 */
public record Delegation(
        String delegationEdgeId,
        String sourceSessionId,
        String targetSessionId,
        String targetApplicationId,
        List<String> scopes,
        @Nullable Instant expiresAt) {
    /** Copies the scopes. */
    public Delegation {
        scopes = List.copyOf(scopes);
    }

    static Delegation of(IssuedDelegation issued) {
        return new Delegation(
                issued.id(),
                issued.sourceSessionId(),
                issued.targetSessionId(),
                issued.targetApplicationId(),
                issued.scopes(),
                issued.expiresAt());
    }
}
