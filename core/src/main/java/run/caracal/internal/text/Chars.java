package run.caracal.internal.text;

/** Character classes, with the platform's idea of white space: every Unicode space, NBSP and NEL included. */
public final class Chars {
    private Chars() {}

    /** {@return whether the character is white space; {@code true} for ASCII blanks and all Unicode separators} */
    public static boolean isBlank(char c) {
        if (c <= ' ') {
            return c == ' ' || (c >= '\t' && c <= '\r') || (c >= 0x1C && c <= 0x1F);
        }
        return c >= 0x85 && (c == 0x85 || Character.isSpaceChar(c));
    }

    /**
     * Whether the text holds white space or a control character anywhere; such a text is no token, id or path.
     *
     * @return {@code true} when it cannot stand in a header or a request line as it is
     */
    public static boolean hasBlankOrControl(String text) {
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c <= ' ' || (c >= 0x7F && (c <= 0xA0 || Character.isSpaceChar(c)))) {
                return true;
            }
        }
        return false;
    }

    /**
     * Whether the text is written in visible ASCII only. A header carries nothing else unchanged.
     *
     * @return {@code true} when no character is a blank, a control or beyond ASCII
     */
    public static boolean isVisibleAscii(String text) {
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c <= ' ' || c >= 0x7F) {
                return false;
            }
        }
        return true;
    }

    /** Whether the text holds an ASCII control character other than a tab; no header can carry it. */
    public static boolean hasControl(String text) {
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if ((c < ' ' && c != '\t') || c == 0x7F) {
                return true;
            }
        }
        return false;
    }

    /** Whether every surrogate of the text is half of a pair: nothing else can be written in UTF-8. */
    public static boolean isWellFormed(String text) {
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (Character.isSurrogate(c)) {
                i++;
                if (i == text.length() || !Character.isSurrogatePair(c, text.charAt(i))) {
                    return false;
                }
            }
        }
        return true;
    }

    /** The index of a character, {@code to} when there is none before it; looks no further, unlike that of String. */
    public static int indexOf(String text, char c, int from, int to) {
        int index = from;
        while (index < to && text.charAt(index) != c) {
            index++;
        }
        return index;
    }

    /** The index of the first character that is not white space, {@code to} when there is none. */
    public static int skipBlanks(String text, int from, int to) {
        int start = from;
        while (start < to && isBlank(text.charAt(start))) {
            start++;
        }
        return start;
    }

    /** The end of the text without the white space before {@code to}. */
    public static int trimEnd(String text, int from, int to) {
        int end = to;
        while (end > from && isBlank(text.charAt(end - 1))) {
            end--;
        }
        return end;
    }
}
