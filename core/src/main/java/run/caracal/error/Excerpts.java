package run.caracal.error;

import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Prepares text of a service for messages and logs: one line, truncated, with anything that looks like a token
 * redacted.
 */
final class Excerpts {
    private static final String REDACTED = "[redacted]";
    private static final Pattern JWT = Pattern.compile("eyJ[A-Za-z0-9_-]{5,}(?:\\.[A-Za-z0-9_-]*){1,4}");

    /** Lookahead for a value: words of a sentence have neither a digit nor a capital after a small letter. */
    private static final String NO_WORD = "(?=[^\\s&,;\"']*(?:[0-9+/=]|[a-z][A-Z]))";

    private static final Pattern BEARER =
            Pattern.compile("\\b((?i:bearer|basic))\\s+" + NO_WORD + "[A-Za-z0-9._~+/=-]{16,}");

    /** A field of a form or of JSON, and one in a sentence, where a word may follow its name. */
    private static final Pattern SECRET_FIELD =
            Pattern.compile("\\b((?i:[a-z_-]{0,32}(?:secret|token|password|passwd|api_?key)"
                    + "|authorization|(?:set-)?cookie))"
                    + "(?:=[^\\s&,;]+|\"?\\s*[=:]\\s*(?:\"[^\"]*\"?|'[^']*'?|" + NO_WORD + "[^\\s&,;\"']+))");

    private Excerpts() {}

    /** Redacts and truncates text to {@code max} characters; empty for {@code null}. */
    static String of(@Nullable String text, int max) {
        if (text == null || text.isEmpty()) {
            return "";
        }
        // Truncated first, so that a huge text costs no more than a long one.
        String cut = text.length() > 4 * max ? text.substring(0, 4 * max) : text;
        String clean = oneLine(cut);
        clean = JWT.matcher(clean).replaceAll(REDACTED);
        clean = BEARER.matcher(clean).replaceAll("$1 " + REDACTED);
        clean = SECRET_FIELD.matcher(clean).replaceAll("$1=" + REDACTED);
        if (clean.length() <= max) {
            return clean;
        }
        int end = Character.isHighSurrogate(clean.charAt(max - 2)) ? max - 2 : max - 1;
        return clean.substring(0, end) + "…";
    }

    private static String oneLine(String text) {
        StringBuilder out = new StringBuilder(text.length());
        text.codePoints().forEach(c -> out.appendCodePoint(isPrintable(c) ? c : ' '));
        return out.toString().strip();
    }

    private static boolean isPrintable(int codePoint) {
        return switch (Character.getType(codePoint)) {
            case Character.CONTROL,
                    Character.FORMAT,
                    Character.SURROGATE,
                    Character.LINE_SEPARATOR,
                    Character.PARAGRAPH_SEPARATOR -> false;
            default -> true;
        };
    }
}
