package run.caracal.http;

import java.util.Arrays;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import run.caracal.internal.config.HttpAddress;
import run.caracal.internal.routing.Router;

/**
 * Says to which addresses a decorated client gives an identity. The default is {@link #resources()}.
 *
 * <p>A request that gets an identity fails, and is not sent, when there is none to give. A request to any other address
 * passes untouched, with or without a bound context and without any header of Caracal; the first one to each origin that
 * is neither the Gateway nor bound to a resource is logged at the level INFO.
 *
 * <p>A value: immutable, and equal to another that allows the same.
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
     * Every request carries the identity, whoever receives it. The first one to each origin that is neither the Gateway nor
     * bound to a resource is logged as a warning, in production too: prefer {@link #origins} where the origins are known.
     */
    public static Propagation everywhere() {
        return EVERYWHERE;
    }

    /** Only requests that the caller addressed to the Gateway carry the identity. */
    public static Propagation gatewayOnly() {
        return GATEWAY_ONLY;
    }

    /**
     * Requests to the Gateway and to addresses under the upstream prefix of a configured resource, which are routed
     * through the Gateway, carry the identity. The default.
     */
    public static Propagation resources() {
        return RESOURCES;
    }

    /**
     * As {@link #resources()}, and requests to these origins also carry the identity, for instance to services that have a
     * boundary of their own. In production a client refuses an origin of plain http that is not a loopback address when it
     * is created or decorated, unless the configuration allows insecure addresses.
     *
     * @param origins at least one, each {@code http://host} or {@code https://host} with an optional port; case and the
     *     scheme's own port make no difference
     * @throws IllegalArgumentException when there is none, or one is no origin: it has a path, a user, a wildcard, or
     *     another scheme
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
        // The form in which requests are judged: Router spells an IPv6 address out.
        return Router.origin(address.origin());
    }

    /**
     * Whether a request may carry the identity.
     *
     * @param gateway whether the caller addressed it to the Gateway
     * @param bound whether its address is under the upstream prefix of a configured resource
     * @param origin its origin in normal form: scheme and host in lower case, an IPv6 address in brackets, and a port
     *     only when it is not the scheme's own
     * @return whether it may
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
     * Whether the origin was named. The bearer of an inbound request goes to another origin only then.
     *
     * @param origin the origin in normal form, as for {@link #allows}
     * @return whether {@link #origins} was given it
     */
    public boolean names(String origin) {
        return origins.contains(origin);
    }

    /** {@return the origins that {@link #origins} was given, in normal form; empty for every other propagation} */
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

    /** The form that the configuration takes, such as {@code resources}. */
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
