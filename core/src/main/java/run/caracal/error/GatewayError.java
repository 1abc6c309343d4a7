package run.caracal.error;

import java.util.Optional;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
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
    /** The Gateway adds this header exactly when the upstream answered. */
    private static final String UPSTREAM_ANSWERED = "X-Caracal-Token-Expires-In";

    private static final int MAX_TEXT = 512;

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
        boolean upstream = header.apply(UPSTREAM_ANSWERED) != null;
        if (httpStatus < 300 || (upstream && httpStatus < 400)) {
            return Optional.empty();
        }
        String requestId = header.apply("X-Request-Id");
        if (upstream) {
            return Optional.of(new GatewayError(Origin.UPSTREAM, httpStatus, "upstream_status", "", requestId, null));
        }
        JsonObject said = JsonObject.parseLeniently(body);
        String code = said.string("error");
        String description = said.string("error_description");
        String id = requestId == null ? said.string("requestId") : requestId;
        return Optional.of(new GatewayError(
                Origin.GATEWAY,
                httpStatus,
                code == null ? "error" : excerpt(code),
                description == null ? "" : excerpt(description),
                id == null ? null : excerpt(id),
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

    private static String excerpt(String text) {
        String line = text.length() <= MAX_TEXT ? text : text.substring(0, MAX_TEXT) + "…";
        return line.replaceAll("\\p{Cntrl}", " ");
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
     * Returns the Gateway's own words.
     *
     * @return its description, empty when it gave none or the upstream answered
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

    /** The error as one line, without secrets. */
    @Override
    public String toString() {
        return (origin == Origin.GATEWAY ? "The Gateway refused" : "The upstream answered") + " with " + httpStatus
                + " " + code
                + (description.isEmpty() ? "" : " (" + description + ")")
                + (requestId == null ? "" : ", request id " + requestId)
                + (hint == null ? "" : "; " + hint);
    }
}
