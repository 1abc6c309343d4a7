package run.caracal.internal.wire;

import org.jspecify.annotations.Nullable;
import run.caracal.error.ProtocolException;
import run.caracal.http.HttpRequest;
import run.caracal.http.HttpResponse;
import run.caracal.internal.json.JsonObject;

/**
 * The answer to a renewal or a takeover.
 *
 * @param status the state of the session, for instance {@code active} or {@code suspended}; {@code null} when unknown
 */
public record LeaseAnswer(@Nullable String status, LeaseTerms lease) {

    /**
     * Reads a successful answer: of a renewal, which has the session in {@code agent}, or of a takeover.
     *
     * @throws ProtocolException when it is not JSON or names a generation that is none
     */
    public static LeaseAnswer parse(HttpRequest request, HttpResponse response) {
        return Answers.read(Answers.COORDINATOR, request, response, body -> {
            JsonObject fields = body.has("agent") ? body.object("agent") : body;
            return new LeaseAnswer(fields.string("status"), LeaseTerms.read(fields, response));
        });
    }
}
