package run.caracal.config;

import java.util.List;
import java.util.Objects;

/**
 * Binds a protected resource to the address prefix of its upstream: requests under the prefix are routed through the
 * Gateway with the resource's id.
 *
 * @param resource the resource identifier, for instance {@code resource://billing-api}
 * @param upstreamPrefix the absolute http or https address under which the upstream's own addresses lie
 * @param scopes the scopes that calls to this resource ask for; empty when calls name their own
 */
public record ResourceBinding(String resource, String upstreamPrefix, List<String> scopes) {

    /** Copies the scopes. */
    public ResourceBinding {
        Objects.requireNonNull(resource, "resource");
        Objects.requireNonNull(upstreamPrefix, "upstreamPrefix");
        scopes = List.copyOf(scopes);
    }

    /**
     * Creates a binding without scopes.
     *
     * @param upstreamPrefix the absolute address prefix of the upstream
     */
    public ResourceBinding(String resource, String upstreamPrefix) {
        this(resource, upstreamPrefix, List.of());
    }
}
