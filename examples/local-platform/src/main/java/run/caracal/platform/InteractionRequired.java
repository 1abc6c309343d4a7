package run.caracal.platform;

import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.temporal.ChronoUnit;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A mandate that a person must approve first. */
final class InteractionRequired extends RuntimeException {

    private static final long serialVersionUID = 1L;

    private final transient ApprovalSnapshot approval;

    InteractionRequired(ApprovalSnapshot approval) {
        super("interaction_required", null, false, false);
        this.approval = approval;
    }

    Answer answer(String requestId) {
        Map<String, @Nullable Object> body = Json.object();
        body.put("error", "interaction_required");
        body.put("error_description", "Human approval required for this request");
        body.put("approval_id", approval.id());
        body.put("approval_type", "human_approval");
        body.put("state", approval.state());
        if (!approval.tier().isEmpty()) {
            body.put("tier", approval.tier());
        }
        body.put("binding", approval.binding());
        body.put("approval_expires_at", expiry(approval));
        body.put("requestId", requestId);
        return Answer.json(401, body).line().with("WWW-Authenticate", "Bearer error=\"interaction_required\"");
    }

    /** An expiry as the STS writes it: to the second. */
    static String expiry(ApprovalSnapshot approval) {
        return DateTimeFormatter.ISO_OFFSET_DATE_TIME.format(
                approval.expiresAt().truncatedTo(ChronoUnit.SECONDS).atOffset(ZoneOffset.UTC));
    }
}
