package run.caracal.internal.routing;

import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import run.caracal.error.ConfigurationException;
import run.caracal.error.RoutingException;
import run.caracal.internal.text.Chars;

/**
 * Decides where a request goes. Immutable and free of input and output; the address that is judged is the one that
 * is sent.
 */
public final class Router {
    private static final String GATEWAY_SETTING = "gateway_url (CARACAL_GATEWAY_URL)";
    private static final String EMPTY_SEGMENT = "//";

    /** A bound resource. */
    public record Binding(String resource, String upstreamPrefix) {}

    /** The bindings of one origin, found by their paths as given and by their decoded paths. */
    private static final class Bindings {
        final Prefixes raw = new Prefixes();
        final Prefixes decoded = new Prefixes();
        boolean escaped;
    }

    /** A prefix of one resource, with its origin. */
    private record Bound(String origin, Prefixes.Prefix prefix, Prefixes.Prefix decoded) {}

    private final @Nullable String gatewayOrigin;
    private final String gatewayPath;
    private final String gatewayBase;
    private final Map<String, Bindings> byOrigin = new HashMap<>();
    private final Map<String, List<Bound>> byResource = new HashMap<>();
    private final Set<String> resources;

    /**
     * Indexes a configuration.
     *
     * @param gatewayUrl the Gateway, or {@code null} when there is none and nothing is rewritten
     * @param bindings the bound resources; of two equal prefixes the first counts
     */
    public Router(@Nullable String gatewayUrl, List<Binding> bindings) {
        this(gatewayUrl, bindings, List.of());
    }

    /**
     * Indexes a configuration.
     *
     * @param unbound the ids of configured resources without a prefix, which a caller may name too
     */
    public Router(@Nullable String gatewayUrl, List<Binding> bindings, Collection<String> unbound) {
        if (gatewayUrl == null) {
            gatewayOrigin = null;
            gatewayPath = "";
            gatewayBase = "";
        } else {
            Url gateway = configured(gatewayUrl, GATEWAY_SETTING);
            gatewayOrigin = gateway.origin;
            gatewayPath = withoutTrailingSlashes(gateway.path);
            gatewayBase = (Url.isAscii(gateway.prefix()) ? gateway.prefix() : gateway.origin) + gatewayPath;
        }
        resources = new HashSet<>(unbound);
        for (Binding binding : bindings) {
            add(binding);
        }
    }

    private void add(Binding binding) {
        String resource = binding.resource();
        Url upstream = configured(binding.upstreamPrefix(), "the upstream prefix of " + resource);
        // The parser gives a bare origin the path "/"; as a prefix the two differ only in how they rank.
        Prefixes.Prefix prefix = Prefixes.Prefix.of(
                resource, upstream.prefix().length() == binding.upstreamPrefix().length() ? "" : upstream.path);
        String decoded = Objects.requireNonNull(SafePath.decode(prefix.path()));
        Bindings bindings = byOrigin.computeIfAbsent(upstream.origin, origin -> new Bindings());
        bindings.raw.add(prefix.path(), prefix);
        bindings.decoded.add(decoded, prefix);
        bindings.escaped |= !decoded.equals(prefix.path());
        resources.add(resource);
        byResource
                .computeIfAbsent(resource, id -> new ArrayList<>(1))
                .add(new Bound(upstream.origin, prefix, prefix.decoded(decoded)));
    }

    private static Url configured(String text, String what) {
        Url url;
        try {
            url = Url.parse(text);
        } catch (RoutingException e) {
            throw new IllegalArgumentException("Check " + what + ": " + e.getMessage(), e);
        }
        if (url.hasUserInfo) {
            throw new IllegalArgumentException("Check " + what + ": it must not hold credentials");
        }
        if (SafePath.decode(url.path) == null) {
            throw new IllegalArgumentException("Check " + what + ": " + url + " has dot segments");
        }
        return url;
    }

    private static String withoutTrailingSlashes(String path) {
        int end = path.length();
        while (end > 0 && path.charAt(end - 1) == '/') {
            end--;
        }
        return path.substring(0, end);
    }

    /**
     * Routes a request.
     *
     * @param explicitResource the resource that the caller named, {@code null} or empty for none
     */
    public Route route(String url, @Nullable String explicitResource) {
        Url target = Url.parse(url);
        Bindings bindings = byOrigin.get(target.origin);
        if (gatewayOrigin == null) {
            return new Route.PassThrough(target.origin);
        }
        boolean atGateway = target.origin.equals(gatewayOrigin);
        String named = explicitResource == null || explicitResource.isEmpty() ? null : explicitResource;
        if (!atGateway && bindings == null && named == null) {
            return new Route.PassThrough(target.origin);
        }
        String decoded = requireSafe(target);
        if (atGateway && isUnderGatewayPath(target.path)) {
            requireNoUserInfo(target);
            requireNoEmptySegment(target, target.path.substring(gatewayPath.length()));
            return new Route.AtGateway(target.escaped());
        }
        if (named != null) {
            return routeNamed(target, named, decoded, atGateway);
        }
        requireNoUserInfo(target);
        Prefixes.Prefix prefix = bindings == null ? null : match(bindings, target, decoded);
        if (prefix != null) {
            return rewrite(target, prefix.resource(), Objects.requireNonNull(prefix.remainder(target.path)));
        }
        if (atGateway) {
            throw outsideGatewayPath(target);
        }
        return new Route.PassThrough(target.origin);
    }

    private boolean isUnderGatewayPath(String path) {
        return path.startsWith(gatewayPath)
                && (path.length() == gatewayPath.length() || path.charAt(gatewayPath.length()) == '/');
    }

    /** The longest prefix, on which the path as given and the decoded path have to agree. */
    private static Prefixes.@Nullable Prefix match(Bindings bindings, Url target, String decoded) {
        Prefixes.Prefix prefix = bindings.raw.longestOf(target.path);
        boolean plain = !bindings.escaped && decoded.equals(target.path);
        if (!plain && !Objects.equals(prefix, bindings.decoded.longestOf(decoded))) {
            throw escapedPrefix(target);
        }
        return prefix;
    }

    /**
     * The caller has named the resource: its prefix is taken off where the address lies under one, any other address keeps
     * its whole path, as at the peer.
     */
    private Route routeNamed(Url target, String resource, String decoded, boolean atGateway) {
        if (!resources.contains(resource)) {
            throw new RoutingException(
                    "X-Caracal-Resource names \"" + printable(resource) + "\", which is not configured;"
                            + " add it to CARACAL_RESOURCES or [[credentials]], or use gatewayRequest. Nothing was sent");
        }
        Bound longest = null;
        for (Bound bound : byResource.getOrDefault(resource, List.of())) {
            if (!bound.origin().equals(target.origin)) {
                continue;
            }
            boolean matches = bound.prefix().remainder(target.path) != null;
            if (matches != (bound.decoded().remainder(decoded) != null)) {
                throw escapedPrefix(target);
            }
            if (matches && (longest == null || bound.prefix().isLongerThan(longest.prefix()))) {
                longest = bound;
            }
        }
        if (longest != null) {
            return rewrite(
                    target, resource, Objects.requireNonNull(longest.prefix().remainder(target.path)));
        }
        if (atGateway) {
            throw outsideGatewayPath(target);
        }
        return rewrite(target, resource, target.path);
    }

    private Route rewrite(Url target, String resource, String path) {
        requireNoEmptySegment(target, path);
        return new Route.Rewritten(gatewayBase + path + target.queryPart, resource);
    }

    private static String requireSafe(Url target) {
        String decoded = SafePath.decode(target.path);
        if (decoded == null) {
            throw new RoutingException(
                    "The path of " + target + " has dot segments, a backslash or escapes that are not"
                            + " UTF-8, plain or encoded, and could end up elsewhere; nothing was sent");
        }
        return decoded;
    }

    private static void requireNoUserInfo(Url target) {
        if (target.hasUserInfo) {
            throw new RoutingException(
                    "The URL of " + target.origin + " holds credentials before an @; remove them, the"
                            + " Gateway adds the ones that are needed. Nothing was sent");
        }
    }

    /** The Gateway answers such a path with a redirect to another one; an escaped slash is no segment's end to it. */
    private static void requireNoEmptySegment(Url target, String path) {
        if (path.contains(EMPTY_SEGMENT)) {
            throw new RoutingException("The path of " + target
                    + " has an empty segment (//), which the Gateway redirects" + " elsewhere; nothing was sent");
        }
    }

    private static RoutingException escapedPrefix(Url target) {
        return new RoutingException(
                "The path of " + target + " is under a bound prefix only when its escapes are decoded;"
                        + " write the prefix as it is configured. Nothing was sent");
    }

    private RoutingException outsideGatewayPath(Url target) {
        return new RoutingException(target + " is at the Gateway's origin but not under its address " + gatewayBase
                + "; check the path or " + GATEWAY_SETTING + ". Nothing was sent");
    }

    /** A text of the caller for a message: no line breaks, not endless. */
    private static String printable(String text) {
        String head = text.length() <= 100 ? text : text.substring(0, 100) + "...";
        return Chars.hasControl(head) ? "(with control characters)" : head;
    }

    /**
     * The address at the Gateway for a resource. Nothing is escaped or normalised.
     *
     * @param path the path and query at the resource, {@code "/"} when empty; a missing leading slash is added
     * @throws ConfigurationException if no Gateway is configured
     * @throws IllegalArgumentException if the resource or the path cannot be used
     */
    public String gatewayUrl(String resource, String path) {
        if (gatewayOrigin == null) {
            throw new ConfigurationException(List.of(new ConfigurationException.Problem(
                    "CARACAL_GATEWAY_URL",
                    "not set",
                    "gatewayRequest needs the address of the Gateway: set the variable, gateway_url in the profile, or"
                            + " gatewayUrl in the builder")));
        }
        if (resource.isBlank()) {
            throw new IllegalArgumentException("gatewayRequest: resource is required");
        }
        if (!Chars.isVisibleAscii(resource)) {
            throw new IllegalArgumentException(
                    "gatewayRequest: resource must consist of visible ASCII characters, without"
                            + " blanks and control characters; it is sent in a header");
        }
        return gatewayBase + checkedPath(path);
    }

    private static String checkedPath(String path) {
        if (Chars.hasBlankOrControl(path)) {
            throw new IllegalArgumentException(
                    "gatewayRequest: path must not contain blanks or control characters; write a blank as %20");
        }
        if (path.codePoints().anyMatch(c -> Character.getType(c) == Character.SURROGATE)) {
            throw new IllegalArgumentException("gatewayRequest: path must not contain half of a surrogate pair");
        }
        if (path.indexOf('#') >= 0) {
            throw new IllegalArgumentException("gatewayRequest: path must not contain a fragment");
        }
        int question = path.indexOf('?');
        String pathOnly = question < 0 ? path : path.substring(0, question);
        if (hasScheme(pathOnly) || hasAuthority(pathOnly)) {
            throw new IllegalArgumentException("gatewayRequest: path must be relative to the configured Gateway");
        }
        if (SafePath.decode(pathOnly) == null) {
            throw new IllegalArgumentException(
                    "gatewayRequest: path must not contain dot segments, backslashes or escapes"
                            + " that are not UTF-8, plain or encoded");
        }
        if (pathOnly.contains(EMPTY_SEGMENT)) {
            throw new IllegalArgumentException(
                    "gatewayRequest: path must not contain an empty segment (//), which the Gateway redirects elsewhere");
        }
        boolean emptyQuery = question == path.length() - 1;
        return (pathOnly.startsWith("/") ? "" : "/") + (emptyQuery ? pathOnly : path);
    }

    /** Whether a URL parser would read the path as an absolute address: {@code name:...}. */
    private static boolean hasScheme(String path) {
        for (int i = 0; i < path.length(); i++) {
            char c = path.charAt(i);
            if (c == ':') {
                return i > 0;
            }
            boolean letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
            boolean later = (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
            if (!letter && !(later && i > 0)) {
                return false;
            }
        }
        return false;
    }

    /** Whether a URL parser would read the path as an address without scheme: {@code //host/...}. */
    private static boolean hasAuthority(String path) {
        return path.length() > 2 && path.startsWith("//") && path.charAt(2) != '/';
    }

    /**
     * The normalised origin of an address: scheme, host and port, in lower case, as ASCII, without the default port.
     *
     * @return for instance {@code https://api.example.com} or {@code http://localhost:8080}
     */
    public static String origin(String url) {
        return Url.parse(url).origin;
    }
}
