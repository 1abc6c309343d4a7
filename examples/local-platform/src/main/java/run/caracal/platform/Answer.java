package run.caracal.platform;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A whole response. */
final class Answer {

    private final int status;
    private final Map<String, String> headers;
    private final byte[] body;

    Answer(int status, Map<String, String> headers, byte[] body) {
        this.status = status;
        this.headers = headers;
        this.body = body;
    }

    int status() {
        return status;
    }

    Map<String, String> headers() {
        return headers;
    }

    byte[] body() {
        return body;
    }

    static Answer json(int status, @Nullable Object body) {
        return new Answer(status, Map.of("Content-Type", "application/json"), Json.write(body));
    }

    /** A short text, the form of errors of Go's standard library. */
    static Answer text(int status, String body) {
        return new Answer(
                status,
                Map.of("Content-Type", "text/plain; charset=utf-8", "X-Content-Type-Options", "nosniff"),
                body.getBytes(StandardCharsets.UTF_8));
    }

    static Answer html(int status, String body) {
        return new Answer(
                status, Map.of("Content-Type", "text/html; charset=utf-8"), body.getBytes(StandardCharsets.UTF_8));
    }

    static Answer empty(int status) {
        return new Answer(status, Map.of(), new byte[0]);
    }

    /** An error in the form that STS and Gateway share. */
    static Answer error(Refusal refusal, @Nullable String requestId) {
        Map<String, @Nullable Object> body = Json.object();
        body.put("error", refusal.code);
        body.put("error_description", refusal.description == null ? refusal.code : refusal.description);
        if (requestId != null) {
            body.put("requestId", requestId);
        }
        return json(refusal.status, body).line();
    }

    /** The same with a newline at the end of its body, as Go's JSON encoder writes it. */
    Answer line() {
        byte[] longer = Arrays.copyOf(body, body.length + 1);
        longer[body.length] = '\n';
        return new Answer(status, headers, longer);
    }

    Answer with(String header, String value) {
        Map<String, String> more = new LinkedHashMap<>(headers);
        more.put(header, value);
        return new Answer(status, more, body);
    }
}
