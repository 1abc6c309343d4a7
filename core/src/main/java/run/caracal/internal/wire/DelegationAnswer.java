package run.caracal.internal.wire;

import java.time.Instant;
import java.util.List;
import org.jspecify.annotations.Nullable;
import run.caracal.error.ProtocolException;
import run.caracal.http.HttpRequest;
import run.caracal.http.HttpResponse;

/**
 * A delegation that the Coordinator created.
 *
 * @param expiresAt when it ends, or {@code null} when the answer does not say
 */
public record DelegationAnswer(
        String delegationEdgeId,
        List<String> scopes,
        @Nullable Instant expiresAt) {

    /**
     * Reads a successful answer.
     *
     * @throws ProtocolException when it names no delegation
     */
    public static DelegationAnswer parse(HttpRequest request, HttpResponse response) {
        return Answers.read(Answers.COORDINATOR, request, response, body -> {
            List<String> scopes = body.strings("scopes");
            return new DelegationAnswer(
                    Answers.needed(body, "delegation_edge_id"),
                    scopes == null ? List.of() : scopes,
                    body.instant("expires_at"));
        });
    }
}
