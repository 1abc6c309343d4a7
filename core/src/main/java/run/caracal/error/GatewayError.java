package run.caracal.error;

import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import run.caracal.internal.Headers;
import run.caracal.internal.json.JsonObject;

/**
 * An error answer that came through the Gateway, and its origin. Decorated clients never throw on a
 * status; this reads the answer they hand on:
 *
 * <pre>{@code
 * GatewayError.from(response.status().code(), response.responseHeaders()::get, body)
 *         .ifPresent(error -> log.warn("{}", error));
 * }</pre>
 */
public final class GatewayError {
    private static final int MAX_TEXT = 512;

    /** Stands in a decoded text for bytes that are none; at its end, for a character that was cut. */
    private static final char REPLACEMENT = '\uFFFD';

    /** As many bytes as an excerpt can come from. */
    private static final int MAX_READ = 4 * MAX_TEXT;

    /** The origin of a refusal. */
    public enum Origin {
        /** The Gateway, or the STS behind it: the upstream has not seen the request, or has not answered it. */
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
     * Reads an answer to a request that was sent to the Gateway.
     *
     * @param httpStatus the status of the answer
     * @param header gives the first value of a header by name, {@code null} when it is absent
     * @param body the body, or its first part; empty when it was not read
     * @return the error; empty for a success, and for a redirect of the upstream's
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

    /** The beginning of a body that is text; what is compressed, or no text, says nothing to a reader. */
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

    /**
     * Returns the origin of the refusal.
     *
     * @return the origin
     */
    public Origin origin() {
        return origin;
    }

    /** {@return the status of the answer; 400 or more, or that of a redirect that is not the upstream's} */
    public int httpStatus() {
        return httpStatus;
    }

    /**
     * {@return the code; the Gateway's or the STS's own code, for instance {@code access_denied}; {@code
     * upstream_status} when the upstream answered; {@code error} when the answer named none}
     */
    public String code() {
        return code;
    }

    /**
     * Returns the words of the refusal.
     *
     * @return the description of the Gateway, or the beginning of the upstream's body when that is text: one line, shortened,
     *     without anything that looks like a secret; empty when there was none
     */
    public String description() {
        return description;
    }

    /** {@return the id by which the audit log finds the request; empty when the answer named none} */
    public Optional<String> requestId() {
        return Optional.ofNullable(requestId);
    }

    /** {@return what to do about it; empty when the cause is not known} */
    public Optional<String> hint() {
        return Optional.ofNullable(hint);
    }

    /** The error as one line, without anything that looks like a secret. */
    @Override
    public String toString() {
        return (origin == Origin.GATEWAY ? "The Gateway refused" : "The upstream answered") + " with " + httpStatus
                + " " + code
                + (description.isEmpty() ? "" : " (" + description + ")")
                + (requestId == null ? "" : ", request id " + requestId)
                + (hint == null ? "" : "; " + hint);
    }
}
