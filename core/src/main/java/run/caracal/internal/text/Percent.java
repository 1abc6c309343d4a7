package run.caracal.internal.text;

import org.jspecify.annotations.Nullable;

/**
 * Percent-encoding of UTF-8. The JDK's coders do not fit: {@code URLEncoder} writes forms, and the decoder of {@code
 * String} replaces an encoded surrogate by one character where Unicode (and the platform) ask for one per maximal subpart.
 */
public final class Percent {
    private static final char[] HEX = "0123456789ABCDEF".toCharArray();
    private static final int REPLACEMENT = 0xFFFD;

    private Percent() {}

    /**
     * Decodes escapes; a malformed escape stays as it is, a malformed UTF-8 sequence becomes U+FFFD.
     *
     * @return the decoded text, {@code text} itself when it holds no escape
     */
    public static String decode(String text) {
        return decode(text, 0, text.length());
    }

    public static String decode(String text, int from, int to) {
        int escape = text.indexOf('%', from);
        if (escape < 0 || escape >= to) {
            return text.substring(from, to);
        }
        Decoder decoder = new Decoder(to - from);
        decoder.decode(text, from, to);
        return decoder.out.toString();
    }

    /**
     * Decodes escapes; a malformed escape stays as it is.
     *
     * @return the decoded text, {@code text} itself when it holds no escape, {@code null} when the bytes are not UTF-8
     */
    public static @Nullable String decodeStrict(String text) {
        if (text.indexOf('%') < 0) {
            return text;
        }
        Decoder decoder = new Decoder(text.length());
        decoder.decode(text, 0, text.length());
        return decoder.malformed ? null : decoder.out.toString();
    }

    /** Appends a text with everything encoded but letters, digits and {@code -._~}. */
    public static void encode(String text, StringBuilder out) {
        int length = text.length();
        int plain = 0;
        for (int i = 0; i < length; i++) {
            char c = text.charAt(i);
            if (isUnreserved(c)) {
                continue;
            }
            out.append(text, plain, i);
            i = encodeCodePoint(text, i, out);
            plain = i + 1;
        }
        out.append(text, plain, length);
    }

    /** Appends the UTF-8 bytes of the code point at an index as escapes; a lone surrogate as those of U+FFFD. */
    public static int encodeCodePoint(String text, int index, StringBuilder out) {
        int codePoint = text.codePointAt(index);
        int last = index + Character.charCount(codePoint) - 1;
        if (codePoint < 0x80) {
            escape(codePoint, out);
            return last;
        }
        if (codePoint >= Character.MIN_SURROGATE && codePoint <= Character.MAX_SURROGATE) {
            codePoint = REPLACEMENT;
        }
        if (codePoint < 0x800) {
            escape(0xC0 | codePoint >> 6, out);
        } else {
            if (codePoint < 0x10000) {
                escape(0xE0 | codePoint >> 12, out);
            } else {
                escape(0xF0 | codePoint >> 18, out);
                escape(0x80 | (codePoint >> 12 & 0x3F), out);
            }
            escape(0x80 | (codePoint >> 6 & 0x3F), out);
        }
        escape(0x80 | (codePoint & 0x3F), out);
        return last;
    }

    private static void escape(int octet, StringBuilder out) {
        out.append('%').append(HEX[octet >> 4]).append(HEX[octet & 0xF]);
    }

    private static boolean isUnreserved(char c) {
        return (c >= 'a' && c <= 'z')
                || (c >= 'A' && c <= 'Z')
                || (c >= '0' && c <= '9')
                || c == '-'
                || c == '.'
                || c == '_'
                || c == '~';
    }

    /** The UTF-8 decoder of the WHATWG Encoding Standard, fed with escapes and characters. */
    private static final class Decoder {
        final StringBuilder out;
        boolean malformed;

        private int codePoint;
        private int needed;
        private int lower = 0x80;
        private int upper = 0xBF;

        Decoder(int capacity) {
            out = new StringBuilder(capacity);
        }

        void decode(String text, int from, int to) {
            for (int i = from; i < to; i++) {
                char c = text.charAt(i);
                int octet = c == '%' && i + 2 < to ? hex(text.charAt(i + 1)) << 4 | hex(text.charAt(i + 2)) : -1;
                if (octet >= 0) {
                    octet(octet);
                    i += 2;
                } else {
                    endSequence();
                    out.append(c);
                }
            }
            endSequence();
        }

        private void octet(int octet) {
            if (needed > 0) {
                if (octet >= lower && octet <= upper) {
                    lower = 0x80;
                    upper = 0xBF;
                    codePoint = codePoint << 6 | (octet & 0x3F);
                    if (--needed == 0) {
                        out.appendCodePoint(codePoint);
                    }
                    return;
                }
                endSequence();
            }
            if (octet < 0x80) {
                out.append((char) octet);
            } else if (octet >= 0xC2 && octet <= 0xDF) {
                begin(octet & 0x1F, 1);
            } else if (octet >= 0xE0 && octet <= 0xEF) {
                begin(octet & 0xF, 2);
                lower = octet == 0xE0 ? 0xA0 : 0x80; // shorter forms exist
                upper = octet == 0xED ? 0x9F : 0xBF; // surrogates
            } else if (octet >= 0xF0 && octet <= 0xF4) {
                begin(octet & 0x7, 3);
                lower = octet == 0xF0 ? 0x90 : 0x80; // shorter forms exist
                upper = octet == 0xF4 ? 0x8F : 0xBF; // above U+10FFFF
            } else {
                replace();
            }
        }

        private void begin(int bits, int continuations) {
            codePoint = bits;
            needed = continuations;
        }

        private void endSequence() {
            if (needed > 0) {
                needed = 0;
                lower = 0x80;
                upper = 0xBF;
                replace();
            }
        }

        private void replace() {
            malformed = true;
            out.append((char) REPLACEMENT);
        }

        /** The value of a hexadecimal digit; so negative that a pair with one bad digit is negative too. */
        private static int hex(char c) {
            if (c >= '0' && c <= '9') {
                return c - '0';
            }
            char lowerCase = (char) (c | 0x20);
            return lowerCase >= 'a' && lowerCase <= 'f' ? lowerCase - 'a' + 10 : Integer.MIN_VALUE >> 4;
        }
    }
}
