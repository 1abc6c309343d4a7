package run.caracal.config;

import java.util.List;
import java.util.Objects;

/**
 * Binds a protected resource to the URL prefix of its upstream: requests under the prefix are routed through the
 * Gateway.
 *
 * @param resource the resource id, for instance {@code resource://billing-api}
 * @param upstreamPrefix the absolute http or https URL prefix of the upstream
 * @param scopes the scopes of calls to this resource; empty if calls name their own
 */
public record ResourceBinding(String resource, String upstreamPrefix, List<String> scopes) {

    /** Copies the scopes. */
    public ResourceBinding {
        Objects.requireNonNull(resource, "resource");
        Objects.requireNonNull(upstreamPrefix, "upstreamPrefix");
        scopes = List.copyOf(scopes);
    }

    /** Creates a binding without scopes. */
    public ResourceBinding(String resource, String upstreamPrefix) {
        this(resource, upstreamPrefix, List.of());
    }
}
