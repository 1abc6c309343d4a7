package run.caracal.internal.config;

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
