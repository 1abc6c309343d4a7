package run.caracal;

import java.util.Map;
import java.util.Objects;

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
 * @param headers the headers to send: exactly {@code X-Caracal-Resource}
 */
public record GatewayRequest(String resource, String url, Map<String, String> headers) {
    /** The header that names the resource to the Gateway. */
    public static final String RESOURCE_HEADER = "X-Caracal-Resource";

    /**
     * Checks the components and copies the headers.
     *
     * @param resource the resource identifier
     * @param url the absolute address at the Gateway
     * @param headers exactly {@code X-Caracal-Resource} with the resource
     * @throws IllegalArgumentException if the headers are others
     */
    public GatewayRequest {
        Objects.requireNonNull(resource, "resource");
        Objects.requireNonNull(url, "url");
        headers = Map.copyOf(headers);
        if (headers.size() != 1 || !resource.equals(headers.get(RESOURCE_HEADER))) {
            throw new IllegalArgumentException("headers must be exactly " + RESOURCE_HEADER + " with the resource");
        }
    }

    /**
     * Creates a request target with its header.
     *
     * @param resource the resource identifier
     * @param url the absolute address at the Gateway
     */
    public GatewayRequest(String resource, String url) {
        this(resource, url, Map.of(RESOURCE_HEADER, resource));
    }
}
