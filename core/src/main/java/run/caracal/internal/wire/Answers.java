package run.caracal.internal.wire;

import org.jspecify.annotations.Nullable;
import run.caracal.error.ProtocolException;
import run.caracal.http.HttpRequest;
import run.caracal.http.HttpResponse;
import run.caracal.internal.Headers;
import run.caracal.internal.json.JsonException;
import run.caracal.internal.json.JsonObject;

/** Common parts of the parsers of successful answers. */
final class Answers {
    static final String STS = "STS";
    static final String COORDINATOR = "coordinator";

    private Answers() {}

    /** Reads the field of an answer that is needed. */
    interface Reader<T> {
        T read(JsonObject body) throws JsonException;
    }

    /** Reads an answer. */
    static <T> T read(String service, HttpRequest request, HttpResponse response, Reader<T> reader) {
        JsonObject body = JsonObject.EMPTY;
        try {
            body = JsonObject.parse(response.body());
        } catch (JsonException e) {
            throw failure(service, request, response, JsonObject.EMPTY, "the body cannot be used: " + e.getMessage());
        }
        try {
            return reader.read(body);
        } catch (JsonException e) {
            throw failure(service, request, response, body, e.getMessage());
        }
    }

    static String needed(JsonObject body, String name) throws JsonException {
        String value = body.string(name);
        if (value == null) {
            throw new JsonException("its " + name + " is missing");
        }
        return value;
    }

    /** The id of the request: from the body in either spelling, else from the header. */
    static @Nullable String requestId(JsonObject body, HttpResponse response) {
        String id = body.string("requestId");
        if (id == null) {
            id = body.string("request_id");
        }
        return id == null ? response.header(Headers.REQUEST_ID).orElse(null) : id;
    }

    private static ProtocolException failure(
            String service, HttpRequest request, HttpResponse response, JsonObject body, @Nullable String problem) {
        return new ProtocolException(
                service,
                request.method() + " " + request.uri().getRawPath(),
                response.status(),
                requestId(body, response),
                String.valueOf(problem));
    }
}
