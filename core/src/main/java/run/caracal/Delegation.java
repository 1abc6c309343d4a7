package run.caracal;

import java.time.Instant;
import java.util.List;
import org.jspecify.annotations.Nullable;
import run.caracal.internal.context.IssuedDelegation;

/**
 * A delegation that was created. Contains no secret: its id is of use only to the receiver's application.
 *
 * @param delegationEdgeId its id, for the receiver
 * @param sourceSessionId the issuing session
 * @param targetSessionId the receiving session
 * @param targetApplicationId the application of the receiving session
 * @param scopes the delegated scopes
 * @param expiresAt when it expires; {@code null} if the platform did not say
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
