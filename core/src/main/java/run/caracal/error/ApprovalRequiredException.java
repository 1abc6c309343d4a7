package run.caracal.error;

import java.time.Instant;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The policy wants a human to approve before the STS issues the token. The same request succeeds after the approval was
 * given; sent again earlier it only finds the same hold.
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
     * @param refusal what the STS answered
     * @param approvalId the id of the hold, empty when the STS named none
     * @param state the state of the hold, for instance {@code pending}, or {@code null}
     * @param tier who has to approve, as the policy calls it, or {@code null}
     * @param binding what the approver echoes to show what is approved, or {@code null}
     * @param expiresAt when the hold ends, or {@code null}
     * @param resource the resource the token was for, or {@code null}
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

    /**
     * The same hold, naming the resource that the token was for.
     *
     * @param resource the resource id
     * @return a copy
     */
    public ApprovalRequiredException withResource(String resource) {
        ApprovalRequiredException copy =
                new ApprovalRequiredException(refusal(), approvalId, state, tier, binding, expiresAt, resource);
        copy.setStackTrace(getStackTrace());
        return copy;
    }

    /** {@return the id of the hold; empty when the STS named none} Whoever knows it can ask for its state. */
    public String approvalId() {
        return approvalId;
    }

    /**
     * {@return the state of the hold when the STS answered; for instance {@code pending}; other values may come; empty
     * when unknown}
     */
    public Optional<String> state() {
        return Optional.ofNullable(state);
    }

    /** {@return who has to approve, as the policy calls it; one or several tiers, comma separated; empty when unknown} */
    public Optional<String> tier() {
        return Optional.ofNullable(tier);
    }

    /** {@return what the approver echoes to show what is approved; empty when unknown} */
    public Optional<String> binding() {
        return Optional.ofNullable(binding);
    }

    /** {@return when the hold ends; empty when unknown} */
    public Optional<Instant> expiresAt() {
        return Optional.ofNullable(expiresAt);
    }

    /** {@return the id of the resource the token was for; empty when unknown} */
    public Optional<String> resource() {
        return Optional.ofNullable(resource);
    }
}
