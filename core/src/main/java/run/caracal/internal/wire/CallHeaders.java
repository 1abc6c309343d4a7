package run.caracal.internal.wire;

import java.time.Duration;
import org.jspecify.annotations.Nullable;
import run.caracal.internal.Headers;

/**
 * The headers of every call to the Coordinator.
 *
 * @param tracestate the finished header, sent beside a traceparent only, or {@code null}
 */
public record CallHeaders(
        String authorization,
        @Nullable String traceparent,
        @Nullable String tracestate,
        Duration timeout) {
    /** Checks the token, without ever repeating it. */
    public CallHeaders {
        if (!authorization.startsWith(Headers.BEARER) || !isToken(authorization, Headers.BEARER.length())) {
            throw new IllegalArgumentException(
                    "bearer is empty or holds blanks, control characters or characters outside ASCII");
        }
        if (traceparent != null && !isToken(traceparent)) {
            throw new IllegalArgumentException("traceparent is not a header value");
        }
        tracestate = traceparent == null || tracestate == null || !isHeader(tracestate) ? null : tracestate;
    }

    static boolean isToken(String text) {
        return isToken(text, 0);
    }

    private static boolean isToken(String text, int from) {
        for (int i = from; i < text.length(); i++) {
            if (text.charAt(i) <= 0x20 || text.charAt(i) >= 0x7f) {
                return false;
            }
        }
        return text.length() > from;
    }

    private static boolean isHeader(String text) {
        return !text.isBlank() && text.chars().allMatch(c -> c == '\t' || (c >= 0x20 && c < 0x7f));
    }

    @Override
    public String toString() {
        return "CallHeaders[authorization=redacted, traceparent=" + traceparent + ", timeout=" + timeout + "]";
    }
}
