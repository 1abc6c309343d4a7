package run.caracal.internal.wire;

import org.jspecify.annotations.Nullable;
import run.caracal.error.ProtocolException;
import run.caracal.http.HttpRequest;
import run.caracal.http.HttpResponse;

/**
 * A delegation addressed to a session of the caller.
 *
 * @param status its state, for instance {@code active}; {@code null} when unknown
 */
public record InboundAnswer(
        String delegationEdgeId, @Nullable String status) {

    /**
     * Reads the answer to a check.
     *
     * @throws ProtocolException when it names no delegation
     */
    public static InboundAnswer parse(HttpRequest request, HttpResponse response) {
        return Answers.read(
                Answers.COORDINATOR,
                request,
                response,
                fields -> new InboundAnswer(Answers.needed(fields, "id"), fields.string("status")));
    }
}
