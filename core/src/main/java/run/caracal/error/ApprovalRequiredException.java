package run.caracal.error;

import java.time.Instant;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The policy requires a person's approval before the STS issues the token. The same request succeeds after the
 * approval; until then it finds the same hold.
 */
public final class ApprovalRequiredException extends StsException {
    private static final long serialVersionUID = 1L;

    private final String approvalId;
    private final @Nullable String state;
    private final @Nullable String tier;
    private final @Nullable String binding;
    private final @Nullable Instant expiresAt;
    private final @Nullable String resource;

    /**
     * Creates the exception.
     *
     * @param refusal the answer of the STS
     * @param approvalId the id of the hold; empty if the STS named none
     * @param state the state of the hold, for instance {@code pending}, or {@code null}
     * @param tier the tier of approvers, as the policy names it, or {@code null}
     * @param binding the text that the approver echoes to confirm the request, or {@code null}
     * @param expiresAt when the hold expires, or {@code null}
     * @param resource the resource of the token, or {@code null}
     */
    public ApprovalRequiredException(
            Refusal refusal,
            String approvalId,
            @Nullable String state,
            @Nullable String tier,
            @Nullable String binding,
            @Nullable Instant expiresAt,
            @Nullable String resource) {
        super(described(refusal, approvalId), hint(expiresAt, resource));
        this.approvalId = approvalId;
        this.state = state;
        this.tier = tier;
        this.binding = binding;
        this.expiresAt = expiresAt;
        this.resource = resource;
    }

    private static Refusal described(Refusal refusal, String approvalId) {
        String text = "human approval required" + (approvalId.isEmpty() ? "" : " (approval " + approvalId + ")");
        return new Refusal(refusal.httpStatus(), refusal.code(), text, refusal.requestId(), refusal.retryAfter());
    }

    private static String hint(@Nullable Instant expiresAt, @Nullable String resource) {
        return "Nothing was issued"
                + (resource == null ? "" : " for " + Excerpts.of(resource, 256))
                + "; ask for it again once a person has approved"
                + (expiresAt == null ? "." : ", before " + expiresAt + ".");
    }

    /** {@return a copy that names the resource of the token} */
    public ApprovalRequiredException withResource(String resource) {
        ApprovalRequiredException copy =
                new ApprovalRequiredException(refusal(), approvalId, state, tier, binding, expiresAt, resource);
        copy.setStackTrace(getStackTrace());
        return copy;
    }

    /** {@return the id of the hold, which is enough to query its state; empty if the STS named none} */
    public String approvalId() {
        return approvalId;
    }

    /** {@return the state of the hold, for instance {@code pending}; other values may be added; empty if unknown} */
    public Optional<String> state() {
        return Optional.ofNullable(state);
    }

    /** {@return the tiers of approvers, as the policy names them, comma separated; empty if unknown} */
    public Optional<String> tier() {
        return Optional.ofNullable(tier);
    }

    /** {@return the text that the approver echoes to confirm the request; empty if unknown} */
    public Optional<String> binding() {
        return Optional.ofNullable(binding);
    }

    /** {@return when the hold expires; empty if unknown} */
    public Optional<Instant> expiresAt() {
        return Optional.ofNullable(expiresAt);
    }

    /** {@return the resource of the token; empty if unknown} */
    public Optional<String> resource() {
        return Optional.ofNullable(resource);
    }
}
