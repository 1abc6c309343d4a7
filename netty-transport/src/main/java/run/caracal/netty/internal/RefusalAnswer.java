package run.caracal.netty.internal;

import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;
import run.caracal.error.InboundException;
import run.caracal.error.InboundException.Reason;

/**
 * The answer to a rejected request (RFC 6750): JSON with {@code error} and {@code error_description}, and a
 * challenge where another token would help.
 *
 * @param challenge the value of {@code WWW-Authenticate}; {@code null} when the token is not at fault
 * @param body the body, JSON in ASCII
 */
public record RefusalAnswer(int status, @Nullable String challenge, String body) {
    /** The content type of the body. */
    public static final String CONTENT_TYPE = "application/json";

    /** Makes the answer. */
    public static RefusalAnswer of(InboundException refusal) {
        String error = plain(refusal.code());
        String description =
                plain(refusal.description() + refusal.hint().map(". "::concat).orElse(""));
        return new RefusalAnswer(
                refusal.httpStatus(),
                challenge(refusal.reason(), error, description),
                "{\"error\":\"" + error + "\",\"error_description\":\"" + description + "\"}");
    }

    /** The answer to a request whose path could be taken for another one, with other requirements. */
    public static RefusalAnswer ofPath() {
        return new RefusalAnswer(
                400,
                null,
                "{\"error\":\"invalid_request\",\"error_description\":\"The path has dot segments, a backslash or escapes"
                        + " that cannot be read\"}");
    }

    /** The answer while the client is being closed: the caller may try another instance. */
    public static InboundException stopping(Throwable closed) {
        return new InboundException(Reason.VERIFIER_UNAVAILABLE, "The service is stopping", "Try again", closed);
    }

    private static @Nullable String challenge(Reason reason, String error, String description) {
        if (reason == Reason.VERIFIER_UNAVAILABLE) {
            return null;
        }
        // A request without a token is no error (RFC 6750); a challenge needs at least one parameter.
        return reason == Reason.MISSING_TOKEN
                ? "Bearer realm=\"caracal\""
                : "Bearer error=\"" + error + "\", error_description=\"" + description + "\"";
    }

    /** The body as it is sent. */
    public byte[] bytes() {
        return body.getBytes(StandardCharsets.US_ASCII);
    }

    /** Only what a challenge may quote without an escape (RFC 6750, section 3), which JSON may too. */
    private static String plain(String text) {
        StringBuilder out = new StringBuilder(text.length());
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '"') {
                out.append('\'');
            } else {
                out.append(c < ' ' || c > '~' || c == '\\' ? '?' : c);
            }
        }
        return out.toString();
    }
}
