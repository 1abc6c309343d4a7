package run.caracal.internal.config;

import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** Characters, as configuration sees them. */
final class Text {
    private Text() {}

    /** White space in the widest sense of Unicode, the non-breaking kinds included. */
    static boolean isSpace(int c) {
        return Character.isWhitespace(c) || Character.isSpaceChar(c) || c == 0x85;
    }

    static boolean isBlank(String text) {
        return text.codePoints().allMatch(Text::isSpace);
    }

    static boolean hasControl(String text) {
        return text.codePoints().anyMatch(Character::isISOControl);
    }

    static boolean hasBlankOrControl(String text) {
        return text.codePoints().anyMatch(c -> isSpace(c) || Character.isISOControl(c));
    }

    /**
     * Names the first character that no reader sees: a space other than the ordinary one, a zero-width or bidirectional
     * character, a byte order mark, a soft hyphen, half of a surrogate pair; {@code null} when there is none. Such a character is what copying from
     * a document or an editor leaves behind.
     */
    static @Nullable String invisible(String text) {
        return text.codePoints()
                .filter(Text::isInvisible)
                .mapToObj(c -> String.format(Locale.ROOT, "U+%04X (%s)", c, Character.getName(c)))
                .findFirst()
                .orElse(null);
    }

    private static boolean isInvisible(int c) {
        return switch (Character.getType(c)) {
            case Character.FORMAT, Character.LINE_SEPARATOR, Character.PARAGRAPH_SEPARATOR, Character.SURROGATE -> true;
            case Character.SPACE_SEPARATOR -> c != ' ';
            // The fillers of Hangul, the blank of Braille, the joiner of graphemes, the selectors of variations.
            default ->
                c == 0x034F
                        || c == 0x115F
                        || c == 0x1160
                        || c == 0x2800
                        || c == 0x3164
                        || c == 0xFFA0
                        || (c >= 0xFE00 && c <= 0xFE0F)
                        || (c >= 0xE0100 && c <= 0xE01EF);
        };
    }

    /** Whether the text is written in visible ASCII only, as what stands in a header or a token must be. */
    static boolean isVisibleAscii(String text) {
        return text.chars().allMatch(c -> c > ' ' && c < 0x7F);
    }

    /** Removes white space at both ends. */
    static String strip(String text) {
        int start = 0;
        int end = text.length();
        while (start < end && isSpace(text.charAt(start))) {
            start++;
        }
        while (end > start && isSpace(text.charAt(end - 1))) {
            end--;
        }
        return text.substring(start, end);
    }
}
