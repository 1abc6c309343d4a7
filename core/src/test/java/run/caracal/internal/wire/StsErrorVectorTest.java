package run.caracal.internal.wire;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import run.caracal.error.ApprovalRequiredException;
import run.caracal.error.StsException;
import run.caracal.http.HttpRequest;
import run.caracal.http.HttpResponse;
import run.caracal.internal.json.Json;
import run.caracal.internal.json.JsonException;
import run.caracal.vectors.VectorCase;
import run.caracal.vectors.VectorObject;
import run.caracal.vectors.VectorTests;

/** Errors of the STS: the right kind of exception, with all fields of the answer. */
class StsErrorVectorTest {

    @VectorTests("sts-error")
    void tellsWhatTheStsAnswered(VectorCase vector) {
        HttpResponse response = WireCases.response(vector.input());
        if (Boolean.FALSE.equals(vector.expected().value("raised"))) {
            assertThat(ErrorAnswers.isSuccess(response.status())).isTrue();
            return;
        }
        assertThat(ErrorAnswers.isSuccess(response.status())).isFalse();

        HttpRequest request = WireCases.request("POST", "/oauth/2/token");
        StsException error = ErrorAnswers.sts(request, response, WireCases.clock(vector.input()));

        assertThat(error.httpStatus()).isEqualTo(response.status());
        assertThat(error).hasMessageContaining(Integer.toString(response.status()));
        if (vector.error() != null) {
            return; // the peer stumbled over the body: that the status is kept is all there is to compare
        }
        VectorObject expected = vector.expected();
        Map<?, ?> body = body(response);
        // A field that is no string is none; the peer turns it into Python's text.
        boolean hasCode = body.get("error") instanceof String text && !text.isEmpty();
        assertThat(error.code()).isEqualTo(hasCode ? expected.string("code") : "error");
        assertThat(error.getClass().getSimpleName()).isEqualTo(hasCode ? type(expected) : "StsException");
        assertThat(error.isRetryable()).isEqualTo(expected.bool("is_retryable"));
        assertThat(error.requestId().orElse(null)).isEqualTo(requestId(expected, body, response));
        if (error instanceof ApprovalRequiredException approval) {
            assertApproval(approval, expected);
        } else {
            boolean described = body.get("error_description") instanceof String;
            assertThat(error.description()).isEqualTo(described ? expected.string("description") : "");
            assertThat(error).hasMessageContaining(error.description());
        }
        if (!error.code().equals("error")) {
            assertThat(error).hasMessageContaining(error.code());
        }
    }

    private static void assertApproval(ApprovalRequiredException error, VectorObject expected) {
        VectorObject approval = expected.object("approval");
        assertThat(error.approvalId()).isEqualTo(approval.string("approval_id"));
        assertThat(error.expiresAt().orElse(null)).isEqualTo(WireCases.instant(approval.value("expires_at")));
        assertThat(error.resource().orElse("")).isEqualTo(approval.string("resource"));
        assertThat(error.state().orElse("")).isEqualTo(approval.string("state"));
        assertThat(error.tier().orElse("")).isEqualTo(approval.string("tier"));
        assertThat(error.binding().orElse("")).isEqualTo(approval.string("binding"));
        if (!error.approvalId().isEmpty()) {
            assertThat(error.description()).isEqualTo(expected.string("description"));
        }
        assertThat(error).hasMessageContaining(error.description());
    }

    private static String type(VectorObject expected) {
        return switch (expected.string("class")) {
            case "CaracalError" -> "StsException";
            case "ApprovalRequired" -> "ApprovalRequiredException";
            default -> expected.string("class");
        };
    }

    /** The peer reads one spelling only; this SDK takes whichever is there. */
    private static @Nullable String requestId(VectorObject expected, Map<?, ?> body, HttpResponse response) {
        if (body.get("requestId") instanceof String id && !id.isEmpty()) {
            return expected.string("request_id");
        }
        return body.get("request_id") instanceof String id && !id.isEmpty()
                ? id
                : response.header("x-request-id").orElse(null);
    }

    private static Map<?, ?> body(HttpResponse response) {
        try {
            return Json.read(new String(response.body(), StandardCharsets.UTF_8)) instanceof Map<?, ?> map
                    ? map
                    : Map.of();
        } catch (JsonException e) {
            return Map.of();
        }
    }
}
