package run.caracal.platform;

import java.time.Instant;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A request for a mandate that a person has to approve, as the STS holds it at one instant.
 *
 * @param id the approval's id
 * @param applicationId the application that asked
 * @param agentSessionId the session that is to act, if there is one
 * @param resources the resources that were asked for
 * @param scopes the scopes that were asked for
 * @param tier how grave it is; several tiers are separated by commas
 * @param binding the hash of all that the approval is bound to
 * @param state {@code pending}, {@code approved}, {@code rejected}, {@code expired} or {@code consumed}
 * @param expiresAt when it ends unless it is consumed before
 */
public record ApprovalSnapshot(
        String id,
        String applicationId,
        @Nullable String agentSessionId,
        List<String> resources,
        List<String> scopes,
        String tier,
        String binding,
        String state,
        Instant expiresAt) {

    boolean isPending() {
        return state.equals("pending");
    }
}
