package run.caracal.http;

import java.util.Arrays;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import run.caracal.internal.config.HttpAddress;
import run.caracal.internal.routing.Router;

/**
 * Decides which requests of a decorated client carry identity; {@link #resources()} by default.
 *
 * <p>A request that should carry identity fails, and is not sent, if there is none. All other requests pass unchanged,
 * inside and outside of a session, without any header of Caracal; the first one to each origin that is neither the
 * Gateway nor bound is logged at INFO.
 *
 * <p>Immutable, with equality by value.
 */
public final class Propagation {
    private static final Propagation EVERYWHERE = new Propagation(Reach.EVERYWHERE, Set.of());
    private static final Propagation GATEWAY_ONLY = new Propagation(Reach.GATEWAY, Set.of());
    private static final Propagation RESOURCES = new Propagation(Reach.RESOURCES, Set.of());

    private enum Reach {
        EVERYWHERE,
        GATEWAY,
        RESOURCES,
        ORIGINS
    }

    private final Reach reach;
    private final Set<String> origins;

    private Propagation(Reach reach, Set<String> origins) {
        this.reach = reach;
        this.origins = origins;
    }

    /**
     * {@return a propagation to every origin} The first request to each origin that is neither the Gateway nor bound is
     * logged as a warning, in production too; prefer {@link #origins}.
     */
    public static Propagation everywhere() {
        return EVERYWHERE;
    }

    /** {@return a propagation to requests that the caller addressed to the Gateway} */
    public static Propagation gatewayOnly() {
        return GATEWAY_ONLY;
    }

    /**
     * {@return a propagation to the Gateway and to bound addresses, which are routed through the Gateway; the default}
     */
    public static Propagation resources() {
        return RESOURCES;
    }

    /**
     * {@return a propagation like {@link #resources()} that includes these origins, for instance services with their
     * own boundary} In production a plain http origin other than loopback is rejected when a client is created or
     * decorated, unless the configuration allows insecure URLs.
     *
     * @param origins at least one {@code http://host} or {@code https://host} with an optional port; case and the
     *     default port are ignored
     * @throws IllegalArgumentException if there is none, or one has a path, a user, a wildcard or another scheme
     */
    public static Propagation origins(String... origins) {
        if (origins.length == 0) {
            throw new IllegalArgumentException("origins must not be empty; Propagation.resources() names none");
        }
        return new Propagation(
                Reach.ORIGINS,
                Arrays.stream(origins).map(Propagation::normalise).collect(Collectors.toUnmodifiableSet()));
    }

    private static String normalise(String origin) {
        HttpAddress address = HttpAddress.parseOrigin(Objects.requireNonNull(origin, "origin"));
        if (address == null) {
            throw new IllegalArgumentException(
                    "an origin must be http or https, a host and an optional port, such as https://api.example.com:8443,"
                            + " without user, path and wildcard");
        }
        // The same form as the Router's, which expands IPv6 addresses.
        return Router.origin(address.origin());
    }

    /**
     * {@return whether a request may carry the identity}
     *
     * @param gateway whether the caller addressed it to the Gateway
     * @param bound whether its URL is under the upstream prefix of a configured resource
     * @param origin its origin in normal form: scheme and host in lower case, IPv6 in brackets, no default port
     */
    public boolean allows(boolean gateway, boolean bound, String origin) {
        return switch (reach) {
            case EVERYWHERE -> true;
            case GATEWAY -> gateway;
            case RESOURCES -> gateway || bound;
            case ORIGINS -> gateway || bound || origins.contains(origin);
        };
    }

    /**
     * {@return whether {@link #origins} contains an origin} The bearer of an inbound request is sent to another origin
     * only then.
     *
     * @param origin in normal form, as for {@link #allows}
     */
    public boolean names(String origin) {
        return origins.contains(origin);
    }

    /** {@return the origins of {@link #origins} in normal form; empty for any other propagation} */
    public Set<String> namedOrigins() {
        return origins;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Propagation that && reach == that.reach && origins.equals(that.origins);
    }

    @Override
    public int hashCode() {
        return Objects.hash(reach, origins);
    }

    /** The form of the configuration, such as {@code resources}. */
    @Override
    public String toString() {
        return switch (reach) {
            case EVERYWHERE -> "everywhere";
            case GATEWAY -> "gateway";
            case RESOURCES -> "resources";
            case ORIGINS -> String.join(",", new TreeSet<>(origins));
        };
    }
}
