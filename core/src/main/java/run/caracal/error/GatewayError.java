package run.caracal.error;

import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import run.caracal.internal.Headers;
import run.caracal.internal.json.JsonObject;

/**
 * An error answer of the Gateway or of the upstream behind it. Decorated clients never throw on a status; parse the
 * answer with:
 *
 * <pre>{@code
 * GatewayError.from(response.status().code(), response.responseHeaders()::get, body)
 *         .ifPresent(error -> log.warn("{}", error));
 * }</pre>
 */
public final class GatewayError {
    private static final int MAX_TEXT = 512;

    /** Replaces invalid bytes in decoded text; at its end, a truncated character. */
    private static final char REPLACEMENT = '\uFFFD';

    /** The most bytes that an excerpt is made from. */
    private static final int MAX_READ = 4 * MAX_TEXT;

    /** The origin of an error answer. */
    public enum Origin {
        /** The Gateway, or the STS behind it: the upstream has not received the request, or not answered it. */
        GATEWAY,
        /** The protected upstream: the request was authorized and delivered. */
        UPSTREAM
    }

    private final Origin origin;
    private final int httpStatus;
    private final String code;
    private final String description;
    private final @Nullable String requestId;
    private final @Nullable String hint;

    private GatewayError(
            Origin origin,
            int httpStatus,
            String code,
            String description,
            @Nullable String requestId,
            @Nullable String hint) {
        this.origin = origin;
        this.httpStatus = httpStatus;
        this.code = code;
        this.description = description;
        this.requestId = requestId;
        this.hint = hint;
    }

    /**
     * Parses an answer to a request that was sent to the Gateway.
     *
     * @param header returns the first value of a header, {@code null} if absent
     * @param body the body, or its beginning; empty if it was not read
     * @return the error; empty for a success, and for a redirect of the upstream
     */
    public static Optional<GatewayError> from(int httpStatus, Function<String, @Nullable String> header, byte[] body) {
        boolean upstream = header.apply(Headers.UPSTREAM_ANSWERED) != null;
        if (httpStatus < 300 || (upstream && httpStatus < 400)) {
            return Optional.empty();
        }
        String requestId = header.apply(Headers.REQUEST_ID);
        if (upstream) {
            return Optional.of(new GatewayError(
                    Origin.UPSTREAM,
                    httpStatus,
                    "upstream_status",
                    text(body),
                    requestId == null ? null : Excerpts.of(requestId, MAX_TEXT),
                    null));
        }
        JsonObject said = JsonObject.parseLeniently(body);
        String code = said.string("error");
        String description = said.string("error_description");
        String id = requestId == null ? said.string("requestId") : requestId;
        return Optional.of(new GatewayError(
                Origin.GATEWAY,
                httpStatus,
                code == null ? "error" : Excerpts.of(code, MAX_TEXT),
                Excerpts.of(description, MAX_TEXT),
                id == null ? null : Excerpts.of(id, MAX_TEXT),
                hint(httpStatus, description == null ? "" : description)));
    }

    private static @Nullable String hint(int httpStatus, String description) {
        if (httpStatus < 400) {
            return "the Gateway, or a proxy in front of it, redirects, and no redirect is followed; check the path, and the"
                    + " scheme and host of gateway_url";
        }
        if (httpStatus == 401 && description.startsWith("invalid subject_token")) {
            return "this platform wants a one-shot mandate for each request, minted for a delegated session and for scopes";
        }
        if (httpStatus == 401 && description.startsWith("token replay")) {
            return "a one-shot mandate was sent twice; send the request again with a new one";
        }
        if (httpStatus == 403 && description.equals("policy denied")) {
            return "the use of the mandate may be above the limit of the minute for this resource, for which maxMintsPerMinute "
                    + "waits; else check the resource and its scopes";
        }
        if (httpStatus == 403 && description.startsWith("policy denied")) {
            return "check the resource, its policy and the session's labels; the audit log explains the decision";
        }
        return null;
    }

    /** The beginning of a text body; empty for compressed and binary ones. */
    private static String text(byte[] body) {
        String read = new String(body, 0, Math.min(body.length, MAX_READ), StandardCharsets.UTF_8);
        for (int i = 0; i < read.length(); i++) {
            char c = read.charAt(i);
            if ((c < ' ' && !Character.isWhitespace(c)) || (c == REPLACEMENT && i < read.length() - 1)) {
                return "";
            }
        }
        return Excerpts.of(read, MAX_TEXT);
    }

    /** {@return the origin of the answer} */
    public Origin origin() {
        return origin;
    }

    /** {@return the status: 400 or more, or that of a redirect of the Gateway} */
    public int httpStatus() {
        return httpStatus;
    }

    /**
     * {@return the code of the Gateway or the STS, for instance {@code access_denied}; {@code upstream_status} if the
     * upstream answered; {@code error} if the answer had none}
     */
    public String code() {
        return code;
    }

    /**
     * {@return the Gateway's description, or the beginning of the upstream's text body: one line, truncated, with
     * secrets redacted; may be empty}
     */
    public String description() {
        return description;
    }

    /** {@return the id of the request in the audit log, if the answer had one} */
    public Optional<String> requestId() {
        return Optional.ofNullable(requestId);
    }

    /** {@return what to do; empty if the cause is unknown} */
    public Optional<String> hint() {
        return Optional.ofNullable(hint);
    }

    /** The error as one line, with secrets redacted. */
    @Override
    public String toString() {
        return (origin == Origin.GATEWAY ? "The Gateway refused" : "The upstream answered") + " with " + httpStatus
                + " " + code
                + (description.isEmpty() ? "" : " (" + description + ")")
                + (requestId == null ? "" : ", request id " + requestId)
                + (hint == null ? "" : "; " + hint);
    }
}
