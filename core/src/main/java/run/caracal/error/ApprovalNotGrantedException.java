package run.caracal.error;

import java.util.Locale;
import java.util.regex.Pattern;

/** A person rejected the call, or the hold ended without a usable approval. */
public final class ApprovalNotGrantedException extends CaracalException {
    private static final long serialVersionUID = 1L;

    private static final Pattern NAME = Pattern.compile("[a-z_]{1,32}");

    private final String approvalId;
    private final String state;

    /**
     * Creates the exception.
     *
     * @param approvalId the id of the hold
     * @param state for instance {@code rejected}, {@code expired} or {@code consumed}
     */
    public ApprovalNotGrantedException(String approvalId, String state) {
        super(
                "approval_" + name(state),
                "The approval " + Excerpts.of(approvalId, 128) + " is " + name(state) + ", so nothing was issued. "
                        + remedy(state),
                null);
        this.approvalId = approvalId;
        this.state = state;
    }

    private static String name(String state) {
        String lower = state.toLowerCase(Locale.ROOT);
        return NAME.matcher(lower).matches() ? lower : "unknown";
    }

    private static String remedy(String state) {
        return switch (state) {
            case "rejected" -> "The same request is refused until the hold ends.";
            case "consumed" -> "It was used already: make the request again without it, for a new one.";
            default -> "Make the request again, for a new one.";
        };
    }

    /** {@return the id of the hold} */
    public String approvalId() {
        return approvalId;
    }

    /**
     * {@return the state in which the hold ended, as the STS names it: {@code rejected}, {@code expired},
     * {@code consumed}, or another}
     */
    public String state() {
        return state;
    }
}
