package run.caracal.internal.wire;

import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import run.caracal.error.ApprovalRequiredException;
import run.caracal.error.CoordinatorException;
import run.caracal.error.GatewayError;
import run.caracal.error.GatewayException;
import run.caracal.error.Refusal;
import run.caracal.error.StsException;
import run.caracal.error.TransportException;
import run.caracal.http.HttpRequest;
import run.caracal.http.HttpResponse;
import run.caracal.internal.Headers;
import run.caracal.internal.json.JsonObject;

/**
 * Turns error answers into exceptions. With any body (not JSON, not an object, huge, one of the five shapes of the
 * Coordinator) the exception carries the status, and its message does not repeat a secret of the request.
 */
public final class ErrorAnswers {
    private static final Set<String> SECRET_FIELDS = Set.of("client_secret", "subject_token");
    private static final int MIN_SECRET = 4;
    private static final int MAX_ISSUES = 5;

    private ErrorAnswers() {}

    /** Whether a status is a success: redirects are none, the SDK never follows them. */
    public static boolean isSuccess(int status) {
        return status >= 200 && status < 300;
    }

    /** The error of a transport that completed without an answer. */
    public static TransportException none(HttpRequest request) {
        return new TransportException(
                TransportException.Kind.IO, "The HTTP transport ended without an answer to " + request, null);
    }

    /**
     * Returns the error of a refusal by the STS.
     *
     * @param response the answer, not a success
     * @param now the time to which a date in {@code Retry-After} is relative
     */
    public static StsException sts(HttpRequest request, HttpResponse response, Instant now) {
        JsonObject body = JsonObject.parseLeniently(response.body());
        Refusal refusal = refusal(request, response, body, body.string("error_description"), now);
        if (refusal.code().equals("interaction_required") && "human_approval".equals(body.string("approval_type"))) {
            String id = body.string("approval_id");
            return new ApprovalRequiredException(
                    refusal,
                    id == null ? "" : id,
                    body.string("state"),
                    body.string("tier"),
                    body.string("binding"),
                    body.instant("approval_expires_at"),
                    null);
        }
        return StsException.of(refusal, Hints.sts(refusal.code(), refusal.description(), isForMandate(request)));
    }

    /**
     * Returns the error of a call through the Gateway.
     *
     * @return the error, or {@code null} when it is none
     */
    public static @Nullable GatewayException gateway(HttpRequest request, HttpResponse response, Instant now) {
        GatewayError error = GatewayError.from(
                        response.status(), name -> response.header(name).orElse(null), response.body())
                .orElse(null);
        if (error == null) {
            return null;
        }
        List<String> secrets = bearers(request);
        Refusal refusal = new Refusal(
                error.httpStatus(),
                redact(error.code(), secrets),
                redact(error.description(), secrets),
                redactOrNull(error.requestId().orElse(null), secrets),
                RetryAfter.parse(response.header(Headers.RETRY_AFTER).orElse(null), now));
        return new GatewayException(
                error.origin(), refusal, sentence(error.hint().orElse(null)), response.body());
    }

    private static @Nullable String sentence(@Nullable String hint) {
        return hint == null ? null : Character.toUpperCase(hint.charAt(0)) + hint.substring(1) + ".";
    }

    /**
     * Returns the error of a refusal by the Coordinator.
     *
     * @param response the answer, not a success
     */
    public static CoordinatorException coordinator(HttpRequest request, HttpResponse response, Instant now) {
        JsonObject body = JsonObject.parseLeniently(response.body());
        Refusal refusal = refusal(request, response, body, describe(body), now);
        return new CoordinatorException(
                request.method(),
                request.uri().getRawPath(),
                refusal,
                Hints.coordinator(response.status(), refusal.code()));
    }

    private static @Nullable String describe(JsonObject body) {
        String text = body.string("error_description");
        if (text == null) {
            text = body.string("message");
        }
        if (text == null) {
            text = body.string("detail");
        }
        String issues = body.object("details").objects("issues").stream()
                .limit(MAX_ISSUES)
                .map(ErrorAnswers::describeIssue)
                .filter(issue -> !issue.isEmpty())
                .collect(Collectors.joining("; "));
        if (issues.isEmpty()) {
            return text;
        }
        return text == null ? issues : text + " (" + issues + ")";
    }

    private static String describeIssue(JsonObject issue) {
        List<String> path = issue.strings("path");
        String message = issue.string("message");
        String where = path == null ? "" : String.join(".", path);
        if (message == null) {
            return where;
        }
        return where.isEmpty() ? message : where + ": " + message;
    }

    private static Refusal refusal(
            HttpRequest request, HttpResponse response, JsonObject body, @Nullable String description, Instant now) {
        List<String> secrets = secrets(request);
        String code = body.string("error");
        return new Refusal(
                response.status(),
                code == null ? Refusal.NO_CODE : redact(code, secrets),
                description == null ? "" : redact(description, secrets),
                redactOrNull(Answers.requestId(body, response), secrets),
                RetryAfter.parse(response.header(Headers.RETRY_AFTER).orElse(null), now));
    }

    private static @Nullable String redactOrNull(@Nullable String text, List<String> secrets) {
        return text == null ? null : redact(text, secrets);
    }

    private static String redact(String text, List<String> secrets) {
        String clean = text;
        for (String secret : secrets) {
            clean = clean.replace(secret, "[redacted]");
        }
        return clean;
    }

    /** The credentials of the request, in every form in which an answer may repeat them. */
    private static List<String> secrets(HttpRequest request) {
        List<String> secrets = bearers(request);
        byte[] body = request.body();
        if (body != null) {
            String text = new String(body, StandardCharsets.UTF_8);
            if (text.startsWith("{")) {
                String token = JsonObject.parseLeniently(body).string("subject_token");
                if (token != null) {
                    secrets.add(token);
                }
            } else {
                addFormSecrets(text, secrets);
            }
        }
        secrets.removeIf(secret -> secret.length() < MIN_SECRET);
        return secrets;
    }

    private static List<String> bearers(HttpRequest request) {
        List<String> bearers = new ArrayList<>();
        request.headers().forEach((name, value) -> {
            if (name.equalsIgnoreCase(Headers.AUTHORIZATION)) {
                bearers.add(value.substring(value.indexOf(' ') + 1));
            }
        });
        return bearers;
    }

    /** Whether a token request names a session that is to act, as opposed to asking for the application's own token. */
    private static boolean isForMandate(HttpRequest request) {
        byte[] body = request.body();
        return body != null && new String(body, StandardCharsets.UTF_8).contains("agent_session_id=");
    }

    private static void addFormSecrets(String form, List<String> secrets) {
        for (String field : form.split("&", -1)) {
            int equals = field.indexOf('=');
            if (equals > 0 && SECRET_FIELDS.contains(field.substring(0, equals))) {
                String encoded = field.substring(equals + 1);
                secrets.add(URLDecoder.decode(encoded, StandardCharsets.UTF_8));
                secrets.add(encoded);
            }
        }
    }
}
