package run.caracal.internal.wire;

import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;
import run.caracal.internal.text.Chars;

/** Keys by which the Coordinator recognises a call that it has already carried out. */
public final class IdempotencyKeys {
    private static final int MAX_BYTES = 255;

    private IdempotencyKeys() {}

    /** A new key, made without blocking: it has to be unique, not secret. */
    public static String generate() {
        byte[] bytes = new byte[16];
        ThreadLocalRandom.current().nextBytes(bytes);
        return HexFormat.of().formatHex(bytes);
    }

    /**
     * Checks a key that a caller gives.
     *
     * @throws IllegalArgumentException when the platform would refuse it; the message names the field
     */
    public static String require(String field, String key) {
        String problem = problem(key);
        if (problem != null) {
            throw new IllegalArgumentException(field + " " + problem
                    + "; it takes 1 to 255 bytes of UTF-8 without surrounding whitespace and control characters");
        }
        return key;
    }

    private static @Nullable String problem(String key) {
        if (key.isEmpty()) {
            return "is empty";
        }
        if (!Chars.isWellFormed(key)) {
            return "holds half of a surrogate pair";
        }
        int bytes = key.getBytes(StandardCharsets.UTF_8).length;
        if (bytes > MAX_BYTES) {
            return "has " + bytes + " bytes";
        }
        if (isBlank(key.codePointAt(0)) || isBlank(key.codePointBefore(key.length()))) {
            return "begins or ends with whitespace";
        }
        if (key.chars().anyMatch(c -> c < 0x20 || c == 0x7f)) {
            return "holds a control character";
        }
        return null;
    }

    private static boolean isBlank(int codePoint) {
        return Character.isWhitespace(codePoint) || Character.isSpaceChar(codePoint) || codePoint == 0x85;
    }

    /**
     * The key as a header value: one character for each byte of its UTF-8, which is how HTTP clients write headers. Keys
     * in ASCII stay as they are; others stay distinct.
     */
    static String headerValue(String key) {
        return new String(key.getBytes(StandardCharsets.UTF_8), StandardCharsets.ISO_8859_1);
    }
}
