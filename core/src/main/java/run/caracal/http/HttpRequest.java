package run.caracal.http;

import java.net.URI;
import java.time.Duration;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * A request of the SDK to a Caracal service. The body is not copied and must not be changed.
 *
 * @param method the HTTP method in upper case
 * @param uri the absolute URL
 * @param headers one value each, without {@code Host} and {@code Content-Length}, which the transport sets
 * @param body the body, or {@code null} for none
 * @param timeout the timeout of the whole exchange, from the connection to the last byte of the answer; positive, at
 *     most {@link #MAX_TIMEOUT}
 * @param maxResponseBytes the maximum size of the answer's body
 */
@SuppressWarnings("ArrayRecordComponent") // an internal carrier, never compared
public record HttpRequest(
        String method,
        URI uri,
        Map<String, String> headers,
        byte @Nullable [] body,
        Duration timeout,
        int maxResponseBytes) {

    /** The longest {@link #timeout}. */
    public static final Duration MAX_TIMEOUT = Duration.ofDays(1);

    /**
     * Checks and copies the components.
     *
     * @throws IllegalArgumentException if the timeout is out of range
     */
    public HttpRequest {
        Objects.requireNonNull(method, "method");
        Objects.requireNonNull(uri, "uri");
        if (timeout.isNegative() || timeout.isZero() || timeout.compareTo(MAX_TIMEOUT) > 0) {
            throw new IllegalArgumentException(
                    "timeout must be more than zero and at most " + MAX_TIMEOUT + ", not " + timeout);
        }
        headers = Map.copyOf(headers);
    }

    /** Contains method and path only: headers and body carry secrets. */
    @Override
    public String toString() {
        return method + " " + uri.getScheme() + "://" + uri.getRawAuthority() + uri.getRawPath();
    }
}
