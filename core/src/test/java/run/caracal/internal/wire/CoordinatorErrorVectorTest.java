package run.caracal.internal.wire;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.jspecify.annotations.Nullable;
import run.caracal.error.CoordinatorException;
import run.caracal.http.HttpRequest;
import run.caracal.http.HttpResponse;
import run.caracal.internal.json.JsonObject;
import run.caracal.vectors.VectorCase;
import run.caracal.vectors.VectorObject;
import run.caracal.vectors.VectorTests;

/** Errors of the Coordinator. */
class CoordinatorErrorVectorTest {
    private static final int LONGEST_MESSAGE = 2106;

    @VectorTests("coordinator-error")
    void tellsWhatTheCoordinatorAnswered(VectorCase vector) {
        VectorObject input = vector.input();
        VectorObject expected = vector.expected();
        HttpResponse response = WireCases.response(input);
        if (Boolean.FALSE.equals(expected.value("raised"))) {
            assertThat(ErrorAnswers.isSuccess(response.status())).isTrue();
            assertThat(SessionAnswer.hasReplayMark(response)).isEqualTo(expected.bool("replayed"));
            return;
        }
        assertThat(ErrorAnswers.isSuccess(response.status())).isFalse();

        String method = input.hasValue("method") ? input.string("method") : "POST";
        String path = input.hasValue("path") ? input.string("path") : "/zones/z/agents";
        HttpRequest request = WireCases.request(method, path);
        CoordinatorException error = ErrorAnswers.coordinator(request, response, WireCases.clock(input));

        assertThat(error.httpStatus()).isEqualTo(response.status());
        assertThat(error.operation()).isEqualTo(method + " " + path);
        assertThat(error)
                .hasMessageContaining(error.operation())
                .hasMessageContaining(Integer.toString(response.status()));
        assertThat(error.getMessage()).hasSizeLessThanOrEqualTo(LONGEST_MESSAGE);
        assertThat(error.isOutcomeUnknown()).isFalse();
        if (vector.error() != null) {
            // The body is JSON but no object, which the peer cannot read: it says nothing then, the headers still do.
            assertThat(error.code()).isEqualTo("error");
            assertThat(error.requestId()).isEqualTo(response.header("x-request-id"));
            assertThat(error.isSessionGone()).isEqualTo(response.status() == 404);
            return;
        }
        String code = expected.stringOrNull("code");
        assertThat(error.code()).isEqualTo(code == null || code.isEmpty() ? "error" : code);
        assertThat(error.isSessionGone()).isEqualTo(expected.bool("session_gone"));
        assertThat(error.requestId().orElse(null)).isEqualTo(requestId(expected, response));
        String header = response.header("retry-after").orElse(null);
        if (header == null || !WireCases.isPythonNumber(header)) {
            assertThat(error.retryAfter().orElse(null)).isEqualTo(retryAfter(expected));
        }
        if (code != null) {
            assertThat(error).hasMessageContaining(code);
        }
    }

    /** The peer does not read {@code requestId}, and prefers {@code request_id}; this SDK takes whichever is there. */
    private static @Nullable String requestId(VectorObject expected, HttpResponse response) {
        String camel = JsonObject.parseLeniently(response.body()).string("requestId");
        String theirs = expected.stringOrNull("request_id");
        return camel != null
                ? camel
                : theirs == null || theirs.isEmpty()
                        ? response.header("x-request-id").orElse(null)
                        : theirs;
    }

    private static @Nullable Duration retryAfter(VectorObject expected) {
        return expected.hasValue("retry_after_seconds")
                ? Duration.ofNanos(Math.round(expected.number("retry_after_seconds") * 1e9))
                : null;
    }
}
