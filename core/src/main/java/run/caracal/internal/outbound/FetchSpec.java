package run.caracal.internal.outbound;

import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import run.caracal.http.TransportOptions;

/**
 * A call of a protected resource that the SDK sends.
 *
 * @param chosenMethod the HTTP method, where the caller chose one
 * @param requestId the id by which the audit log finds it; {@code null} for a fresh one
 */
public record FetchSpec(
        String resource,
        String path,
        @Nullable String chosenMethod,
        Map<String, String> headers,
        @Nullable ByteBuffer body,
        TransportOptions transport,
        @Nullable String approvalId,
        @Nullable String requestId,
        Duration timeout,
        int maxResponseBytes) {
    /** The default timeout of an exchange. */
    public static final Duration DEFAULT_TIMEOUT = Duration.ofSeconds(30);

    /** The default maximum size of an answer. */
    public static final int DEFAULT_MAX_RESPONSE_BYTES = 1 << 20;

    /** A GET request with default options. */
    public static FetchSpec get(String resource, String path) {
        return new FetchSpec(
                resource,
                path,
                null,
                Map.of(),
                null,
                TransportOptions.defaults(),
                null,
                null,
                DEFAULT_TIMEOUT,
                DEFAULT_MAX_RESPONSE_BYTES);
    }

    /** The HTTP method; {@code GET} without a body and {@code POST} with one unless chosen. */
    public String method() {
        return chosenMethod != null ? chosenMethod : body == null ? "GET" : "POST";
    }

    byte @Nullable [] bytes() {
        if (body == null) {
            return null;
        }
        byte[] bytes = new byte[body.remaining()];
        body.duplicate().get(bytes);
        return bytes;
    }
}
