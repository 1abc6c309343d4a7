package run.caracal.internal.inbound;

import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import run.caracal.internal.text.Percent;

/** The path pattern of a route. */
public final class PathPattern {
    /** Without {@code **} before with, more segments before fewer, fewer {@code *} before more. */
    public static final Comparator<PathPattern> LONGEST_FIRST = Comparator.<PathPattern, Boolean>comparing(
                    pattern -> pattern.open)
            .thenComparing(pattern -> -pattern.segments.size())
            .thenComparing(pattern ->
                    pattern.segments.stream().filter(PathPattern::isAny).count());

    private static final String ANY = "*";
    private static final String REST = "**";

    private final String text;
    private final List<String> segments;
    private final boolean open;

    private PathPattern(String text, List<String> segments, boolean open) {
        this.text = text;
        this.segments = segments;
        this.open = open;
    }

    /**
     * Reads a pattern.
     *
     * @throws IllegalArgumentException if it is malformed
     */
    public static PathPattern parse(String text) {
        if (!text.startsWith("/")) {
            throw new IllegalArgumentException("pattern must begin with a slash: " + text);
        }
        boolean open = text.endsWith("/" + REST);
        List<String> segments = split(open ? text.substring(0, text.length() - REST.length()) : text)
                .toList();
        for (String segment : segments) {
            if ((segment.contains(ANY) && !isAny(segment)) || segment.matches(".*[{};?#%\\\\].*") || isDots(segment)) {
                throw new IllegalArgumentException(
                        "pattern must consist of segments, * for one segment and ** at its end, without escapes: "
                                + text);
            }
        }
        return new PathPattern(text, segments, open);
    }

    /**
     * The segments of a path that arrived, decoded.
     *
     * @throws IllegalArgumentException if the path is ambiguous
     */
    public static List<String> segments(String path) {
        int query = path.indexOf('?');
        return split(query < 0 ? path : path.substring(0, query))
                .map(PathPattern::decoded)
                .toList();
    }

    private static Stream<String> split(String path) {
        return Stream.of(path.split("/")).filter(segment -> !segment.isEmpty());
    }

    private static String decoded(String segment) {
        int semicolon = segment.indexOf(';');
        @Nullable String decoded = Percent.decodeStrict(semicolon < 0 ? segment : segment.substring(0, semicolon));
        if (decoded == null || isDots(decoded) || decoded.indexOf('/') >= 0 || decoded.indexOf('\\') >= 0) {
            throw new IllegalArgumentException("The path cannot be told from others");
        }
        return decoded;
    }

    private static boolean isDots(String segment) {
        return segment.equals(".") || segment.equals("..");
    }

    private static boolean isAny(String segment) {
        return segment.equals(ANY);
    }

    /** Whether the path, in segments, is one of these. */
    public boolean matches(List<String> path) {
        if (path.size() < segments.size() || (!open && path.size() > segments.size())) {
            return false;
        }
        for (int i = 0; i < segments.size(); i++) {
            if (!isAny(segments.get(i)) && !segments.get(i).equals(path.get(i))) {
                return false;
            }
        }
        return true;
    }

    @Override
    public String toString() {
        return text;
    }
}
