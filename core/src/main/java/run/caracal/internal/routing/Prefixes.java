package run.caracal.internal.routing;

import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The bound prefixes of one origin. A lookup asks a table once for each segment of the path, from the longest candidate
 * down, so that it does not depend on how many bindings there are.
 */
final class Prefixes {
    /** A bound prefix; {@code slash} for one that was given with a slash at its end, which then must follow. */
    record Prefix(String resource, String path, boolean slash) {
        /** Parses the path of a binding. */
        static Prefix of(String resource, String path) {
            boolean slash = path.endsWith("/");
            return new Prefix(resource, slash ? path.substring(0, path.length() - 1) : path, slash);
        }

        /** The same prefix with its path decoded. */
        Prefix decoded(String decodedPath) {
            return new Prefix(resource, decodedPath, slash);
        }

        /** Whether this prefix is the more specific one of two of a resource that match the same path. */
        boolean isLongerThan(Prefix other) {
            return path.length() > other.path.length();
        }

        /** The rest of a path under this prefix, beginning with a slash, or {@code null} when it is not under it. */
        @Nullable
        String remainder(String requested) {
            int end = path.length();
            if (!requested.startsWith(path)) {
                return null;
            }
            if (requested.length() == end) {
                return slash ? null : "/";
            }
            return requested.charAt(end) == '/' ? requested.substring(end) : null;
        }
    }

    private final Map<String, Prefix> plain = new HashMap<>();
    private final Map<String, Prefix> slashed = new HashMap<>();
    private int longest;

    /** Adds a prefix under a path: its own, or its decoded one. The first of two equal ones stays. */
    void add(String path, Prefix prefix) {
        Prefix earlier = (prefix.slash() ? slashed : plain).putIfAbsent(path, prefix);
        if (earlier == null) {
            longest = Math.max(longest, path.length());
        }
    }

    /** The longest prefix of whole segments, {@code null} when none matches. */
    @Nullable
    Prefix longestOf(String path) {
        int end = path.length() <= longest ? path.length() : path.lastIndexOf('/', longest);
        while (end >= 0) {
            String candidate = path.substring(0, end);
            if (end < path.length()) {
                Prefix prefix = slashed.get(candidate);
                if (prefix != null) {
                    return prefix;
                }
            }
            Prefix prefix = plain.get(candidate);
            if (prefix != null) {
                return prefix;
            }
            end = path.lastIndexOf('/', end - 1);
        }
        return null;
    }
}
