package run.caracal.internal.propagation;

import java.nio.charset.StandardCharsets;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;
import run.caracal.internal.text.Chars;

/**
 * The fields of a W3C {@code traceparent} that the SDK needs. Invalid input is no trace, never an exception.
 *
 * @param traceId 32 lower-case hexadecimal digits, not all zero
 * @param flags two lower-case hexadecimal digits
 */
public record TraceParent(String traceId, String flags) {
    /** The flags of a trace that begins here: sampled. */
    static final String DEFAULT_FLAGS = "01";

    private static final int TRACE_ID = 3;
    private static final int SPAN_ID = 36;
    private static final int FLAGS = 53;
    private static final int LENGTH = 55;
    // A future version may append fields; nothing legitimate is near this.
    private static final int MAX_LENGTH = 8192;
    private static final byte[] HEX = "0123456789abcdef".getBytes(StandardCharsets.ISO_8859_1);

    /**
     * Reads a header.
     *
     * @return the trace, or {@code null} when the header is not valid
     */
    public static @Nullable TraceParent parse(String header) {
        int start = validStart(header);
        return start < 0
                ? null
                : new TraceParent(
                        header.substring(start + TRACE_ID, start + SPAN_ID - 1),
                        header.substring(start + FLAGS, start + LENGTH));
    }

    /** Whether a header is valid, without allocating. */
    public static boolean isValid(String header) {
        return validStart(header) >= 0;
    }

    /**
     * {@return whether a text is a trace id; {@code true} for 32 lower-case hexadecimal digits that are not all zero}
     */
    public static boolean isTraceId(String text) {
        return text.length() == 32 && isHexNotZero(text, 0, 32);
    }

    /** A new random trace id. It needs no secrecy, and the generator never blocks. */
    public static String newTraceId() {
        byte[] out = new byte[32];
        randomHex(out, 0);
        randomHex(out, 16);
        return new String(out, StandardCharsets.ISO_8859_1);
    }

    /**
     * Writes a header with a fresh span id.
     *
     * @param traceId the trace, anything but a valid id begins a new one
     * @param flags the flags, anything but valid ones are replaced by {@code 01}
     */
    public static String write(@Nullable String traceId, @Nullable String flags) {
        byte[] out = new byte[LENGTH];
        out[0] = '0';
        out[1] = '0';
        out[TRACE_ID - 1] = '-';
        if (traceId != null && isTraceId(traceId)) {
            copy(traceId, out, TRACE_ID);
        } else {
            randomHex(out, TRACE_ID);
            randomHex(out, TRACE_ID + 16);
        }
        out[SPAN_ID - 1] = '-';
        randomHex(out, SPAN_ID);
        out[FLAGS - 1] = '-';
        copy(flags != null && flags.length() == 2 && isHex(flags, 0, 2) ? flags : DEFAULT_FLAGS, out, FLAGS);
        return new String(out, StandardCharsets.ISO_8859_1);
    }

    private static void copy(String digits, byte[] out, int offset) {
        for (int i = 0; i < digits.length(); i++) {
            out[offset + i] = (byte) digits.charAt(i);
        }
    }

    /** Where a valid header begins, -1 when it is not valid. */
    private static int validStart(String header) {
        if (header.length() > MAX_LENGTH) {
            return -1;
        }
        int start = Chars.skipBlanks(header, 0, header.length());
        int length = Chars.trimEnd(header, start, header.length()) - start;
        // Lengths and delimiters first: they are cheap and turn most garbage away.
        if (length < LENGTH
                || header.charAt(start + TRACE_ID - 1) != '-'
                || header.charAt(start + SPAN_ID - 1) != '-'
                || header.charAt(start + FLAGS - 1) != '-'
                || !isHex(header, start, start + 2)) {
            return -1;
        }
        if (length > LENGTH) {
            // Only versions after 00 may be longer, by whole fields.
            boolean version00 = header.charAt(start) == '0' && header.charAt(start + 1) == '0';
            if (version00 || header.charAt(start + LENGTH) != '-') {
                return -1;
            }
        }
        boolean versionFf = header.charAt(start) == 'f' && header.charAt(start + 1) == 'f';
        return !versionFf
                        && isHexNotZero(header, start + TRACE_ID, start + SPAN_ID - 1)
                        && isHexNotZero(header, start + SPAN_ID, start + FLAGS - 1)
                        && isHex(header, start + FLAGS, start + LENGTH)
                ? start
                : -1;
    }

    private static boolean isHex(String text, int from, int to) {
        for (int i = from; i < to; i++) {
            char c = text.charAt(i);
            if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
                return false;
            }
        }
        return true;
    }

    private static boolean isHexNotZero(String text, int from, int to) {
        boolean zero = true;
        for (int i = from; i < to; i++) {
            char c = text.charAt(i);
            if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
                return false;
            }
            zero &= c == '0';
        }
        return !zero;
    }

    private static void randomHex(byte[] out, int offset) {
        long bits;
        do {
            bits = ThreadLocalRandom.current().nextLong();
        } while (bits == 0);
        for (int i = 0; i < 16; i++) {
            out[offset + i] = HEX[(int) (bits >>> (60 - 4 * i)) & 0xF];
        }
    }
}
