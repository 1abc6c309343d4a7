package run.caracal.internal.routing;

import org.jspecify.annotations.Nullable;
import run.caracal.internal.text.Percent;

/**
 * The check of a path: its receiver may decode it again, drop path parameters or take a backslash for a slash, and must
 * not thereby resolve it to another resource than the SDK did.
 */
final class SafePath {
    // Deeper encodings have no honest use; the peer stops here too.
    private static final int MAX_DECODINGS = 8;

    private SafePath() {}

    /** The path with all escapes decoded, however often they were encoded; {@code null} when it is not safe. */
    static @Nullable String decode(String path) {
        String current = path;
        for (int i = 0; i < MAX_DECODINGS; i++) {
            if (isTraversal(current)) {
                return null;
            }
            String decoded = Percent.decodeStrict(current);
            if (decoded == null || decoded.equals(current)) {
                return decoded;
            }
            current = decoded;
        }
        return null;
    }

    private static boolean isTraversal(String path) {
        if (path.indexOf('\\') >= 0) {
            return true;
        }
        int dot = -1;
        while ((dot = path.indexOf('.', dot + 1)) >= 0) {
            boolean begins = dot == 0 || path.charAt(dot - 1) == '/';
            if (begins && (endsSegment(path, dot + 1) || (path.charAt(dot + 1) == '.' && endsSegment(path, dot + 2)))) {
                return true;
            }
        }
        return false;
    }

    /** Servlet containers drop path parameters before they resolve dots. */
    private static boolean endsSegment(String path, int index) {
        return index == path.length() || path.charAt(index) == '/' || path.charAt(index) == ';';
    }
}
