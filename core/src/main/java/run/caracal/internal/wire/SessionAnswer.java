package run.caracal.internal.wire;

import org.jspecify.annotations.Nullable;
import run.caracal.error.ProtocolException;
import run.caracal.http.HttpRequest;
import run.caracal.http.HttpResponse;
import run.caracal.internal.json.JsonObject;

/**
 * A session that the Coordinator opened.
 *
 * @param delegationEdgeId the edge it was given, or {@code null}
 * @param lease the lease of a service; a task has none
 * @param isReplay whether it had been opened by an earlier request with the same key
 */
public record SessionAnswer(
        String agentSessionId, @Nullable String delegationEdgeId, LeaseTerms lease, boolean isReplay) {

    /**
     * Reads a successful answer.
     *
     * @param leased whether the session is a service: the platform answers instants for a task too, which mean nothing
     * @throws ProtocolException when it names no session or a generation that is none; {@link #idOf} tells whether there
     *     is a session to end all the same
     */
    public static SessionAnswer parse(HttpRequest request, HttpResponse response, boolean leased) {
        return Answers.read(
                Answers.COORDINATOR,
                request,
                response,
                body -> new SessionAnswer(
                        Answers.needed(body, "agent_session_id"),
                        body.string("delegation_edge_id"),
                        leased ? LeaseTerms.read(body, response) : LeaseTerms.NONE,
                        isReplay(response)));
    }

    /** The id of the session in an answer that cannot be used otherwise, or {@code null}. */
    public static @Nullable String idOf(HttpResponse response) {
        return JsonObject.parseLeniently(response.body()).string("agent_session_id");
    }

    /** Release 1.0 marks a replay by a header, the one before it by a status other than that of a creation. */
    private static boolean isReplay(HttpResponse response) {
        return response.status() == 200 || hasReplayMark(response);
    }

    /** Whether the answer is marked as a replay. */
    public static boolean hasReplayMark(HttpResponse response) {
        return response.header("Idempotency-Replayed").filter("true"::equals).isPresent();
    }
}
