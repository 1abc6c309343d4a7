package run.caracal;

import java.util.Map;
import java.util.Objects;
import run.caracal.internal.Headers;

/**
 * The address of a protected resource at the Gateway, and the header that selects the resource. Send the request with a
 * decorated client, which adds the identity.
 *
 * <pre>{@code
 * GatewayRequest target = caracal.gatewayRequest("resource://billing-api", "/charge");
 * client.headers(headers -> target.headers().forEach(headers::set)).post().uri(target.url())
 * }</pre>
 *
 * @param resource the resource id, for instance {@code resource://billing-api}
 * @param url the absolute URL at the Gateway
 */
public record GatewayRequest(String resource, String url) {
    /** The header that selects the resource at the Gateway. */
    public static final String RESOURCE_HEADER = Headers.RESOURCE;

    /** Checks the components. */
    public GatewayRequest {
        Objects.requireNonNull(resource, "resource");
        Objects.requireNonNull(url, "url");
    }

    /** {@return the headers to send; an immutable map of {@code X-Caracal-Resource}} */
    public Map<String, String> headers() {
        return Map.of(RESOURCE_HEADER, resource);
    }
}
