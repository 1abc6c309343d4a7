package run.caracal.internal.wire;

import java.time.Instant;
import org.jspecify.annotations.Nullable;
import run.caracal.error.ProtocolException;
import run.caracal.http.HttpRequest;
import run.caracal.http.HttpResponse;

/**
 * The state of an approval.
 *
 * @param state {@code pending}, {@code approved}, {@code rejected}, {@code expired} or {@code consumed}; others may come
 * @param expiresAt when the hold ends, or {@code null}
 */
public record ApprovalAnswer(String state, @Nullable Instant expiresAt) {

    /**
     * Reads a successful answer.
     *
     * @throws ProtocolException when it names no state
     */
    public static ApprovalAnswer parse(HttpRequest request, HttpResponse response) {
        return Answers.read(
                Answers.STS,
                request,
                response,
                body -> new ApprovalAnswer(Answers.needed(body, "state"), body.instant("expires_at")));
    }
}
