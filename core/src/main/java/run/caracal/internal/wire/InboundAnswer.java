package run.caracal.internal.wire;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import run.caracal.error.ProtocolException;
import run.caracal.http.HttpRequest;
import run.caracal.http.HttpResponse;
import run.caracal.internal.json.JsonException;
import run.caracal.internal.json.JsonObject;

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
        return Answers.read(Answers.COORDINATOR, request, response, InboundAnswer::read);
    }

    /**
     * Reads the answer to a listing.
     *
     * @throws ProtocolException when an item names no delegation
     */
    public static List<InboundAnswer> parseList(HttpRequest request, HttpResponse response) {
        return Answers.read(Answers.COORDINATOR, request, response, body -> {
            if (body.strings("items") == null) {
                throw new JsonException("its items are missing");
            }
            List<InboundAnswer> items = new ArrayList<>();
            for (JsonObject item : body.objects("items")) {
                items.add(read(item));
            }
            return List.copyOf(items);
        });
    }

    private static InboundAnswer read(JsonObject fields) throws JsonException {
        return new InboundAnswer(Answers.needed(fields, "id"), fields.string("status"));
    }
}
