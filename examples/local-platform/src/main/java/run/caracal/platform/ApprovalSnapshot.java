package run.caracal.platform;

import java.time.Instant;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A snapshot of a request for a mandate that a person has to approve.
 *
 * @param id the approval's id
 * @param applicationId the requesting application
 * @param agentSessionId the acting session, if any
 * @param resources the requested resources
 * @param scopes the requested scopes
 * @param tier the tiers of approvers, separated by commas
 * @param binding the hash of everything the approval is bound to
 * @param state {@code pending}, {@code approved}, {@code rejected}, {@code expired} or {@code consumed}
 * @param expiresAt when it expires
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
