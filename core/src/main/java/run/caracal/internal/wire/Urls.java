package run.caracal.internal.wire;

import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;

/** Addresses of the services: a base and percent-encoded segments. */
final class Urls {
    private static final HexFormat HEX = HexFormat.of().withUpperCase();

    private Urls() {}

    /** The base without slashes at its end. */
    static String base(URI uri) {
        String text = uri.toString();
        int end = text.length();
        while (end > 0 && text.charAt(end - 1) == '/') {
            end--;
        }
        return text.substring(0, end);
    }

    /**
     * One segment of a path, in which only letters, digits and {@code -._~} stand for themselves.
     *
     * @throws IllegalArgumentException for a segment that would lead elsewhere: empty, {@code .} and {@code ..}
     */
    static String segment(String field, String value) {
        if (value.isEmpty() || value.equals(".") || value.equals("..")) {
            throw new IllegalArgumentException(field + " is " + (value.isEmpty() ? "empty" : "\"" + value + "\"")
                    + ", which is no id of the platform");
        }
        int plain = 0;
        while (plain < value.length() && isUnreserved(value.charAt(plain))) {
            plain++;
        }
        return plain == value.length() ? value : encoded(value);
    }

    private static String encoded(String value) {
        StringBuilder out = new StringBuilder(value.length() + 8);
        for (byte b : value.getBytes(StandardCharsets.UTF_8)) {
            char c = (char) (b & 0xff);
            if (isUnreserved(c)) {
                out.append(c);
            } else {
                out.append('%').append(HEX.toHexDigits(b));
            }
        }
        return out.toString();
    }

    private static boolean isUnreserved(char c) {
        return c < 0x80 && (Character.isLetterOrDigit(c) || "-._~".indexOf(c) >= 0);
    }
}
