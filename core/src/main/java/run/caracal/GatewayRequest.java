package run.caracal;

import java.util.Map;
import java.util.Objects;
import run.caracal.internal.Headers;

/**
 * Where to send a request so that it reaches a protected resource through the Gateway, whatever HTTP client sends it.
 * Send it through a decorated client, which adds the identity; the headers here only name the resource.
 *
 * <pre>{@code
 * GatewayRequest target = caracal.gatewayRequest("resource://billing-api", "/charge");
 * client.headers(headers -> target.headers().forEach(headers::set)).post().uri(target.url())
 * }</pre>
 *
 * @param resource the resource identifier, for instance {@code resource://billing-api}
 * @param url the absolute address at the Gateway
 */
public record GatewayRequest(String resource, String url) {
    /** The header that names the resource to the Gateway. */
    public static final String RESOURCE_HEADER = Headers.RESOURCE;

    /** Checks the components. */
    public GatewayRequest {
        Objects.requireNonNull(resource, "resource");
        Objects.requireNonNull(url, "url");
    }

    /** {@return the headers to send; an immutable map of exactly {@code X-Caracal-Resource}} */
    public Map<String, String> headers() {
        return Map.of(RESOURCE_HEADER, resource);
    }
}
