package run.caracal.internal.propagation;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import run.caracal.internal.text.Chars;
import run.caracal.internal.text.Percent;

/**
 * The codec of the W3C {@code baggage} header as the platform reads and writes it: values are percent-encoded, keys are
 * not; properties are dropped. Baggage over the limits counts as absent.
 */
public final class Baggage {
    /** How many characters the header may have, over all its lines. */
    public static final int MAX_CHARACTERS = 8192;

    /** How many members the header may have, empty ones included. */
    public static final int MAX_MEMBERS = 64;

    static final String AGENT_SESSION = "caracal.agent_session";
    static final String DELEGATION_EDGE = "caracal.delegation_edge";
    static final String HOP = "caracal.hop";
    static final String PARENT_EDGE = "caracal.parent_edge";
    static final String SESSION = "caracal.session";

    private static final String PREFIX = "caracal.";
    private static final String[] OWN_KEYS = {AGENT_SESSION, DELEGATION_EDGE, HOP, PARENT_EDGE, SESSION};

    private Baggage() {}

    /** Hears the members of a header in their order; a repeated key is heard again. */
    @FunctionalInterface
    interface Sink {
        void member(String key, String value);
    }

    /**
     * Reads a header.
     *
     * @return the members in the order of the header, where the last value of a repeated key counts; empty when it is over
     *     the limits
     */
    public static Map<String, String> parse(@Nullable String header) {
        Map<String, String> members = new LinkedHashMap<>();
        return header != null && parse(List.of(header), members::put) ? members : Map.of();
    }

    /**
     * Reads all lines of a header; costs no more than the limits allow, however long the lines are.
     *
     * @param lines the lines, which count as joined by commas
     * @return {@code false} when the header is over the limits; nothing was heard then
     */
    static boolean parse(List<String> lines, Sink sink) {
        if (!isWithinLimits(lines)) {
            return false;
        }
        for (int i = 0; i < lines.size(); i++) {
            parseLine(lines.get(i), sink);
        }
        return true;
    }

    private static boolean isWithinLimits(List<String> lines) {
        // Every line is at least one member, so this bounds the loop too.
        if (lines.size() > MAX_MEMBERS) {
            return false;
        }
        int characters = lines.size() - 1;
        int members = 0;
        for (int i = 0; i < lines.size(); i++) {
            String line = lines.get(i);
            // A character is at most two chars.
            if (line.length() > 2 * MAX_CHARACTERS) {
                return false;
            }
            characters += line.codePointCount(0, line.length());
            if (characters > MAX_CHARACTERS) {
                return false;
            }
            int comma = -1;
            do {
                if (++members > MAX_MEMBERS) {
                    return false;
                }
                comma = line.indexOf(',', comma + 1);
            } while (comma >= 0);
        }
        return true;
    }

    private static void parseLine(String line, Sink sink) {
        int from = 0;
        while (from <= line.length()) {
            int to = Chars.indexOf(line, ',', from, line.length());
            parseMember(line, from, to, sink);
            from = to + 1;
        }
    }

    private static void parseMember(String line, int from, int to, Sink sink) {
        int end = parseEntry(line, from, to, false, sink);
        // The documentation printed the own members with a semicolon between them, so those are no properties.
        if (end < to && line.startsWith(PREFIX, Chars.skipBlanks(line, from, to))) {
            while (end < to) {
                end = parseEntry(line, end + 1, to, true, sink);
            }
        }
    }

    /** Reads one {@code key=value} and tells where its value ends: at {@code to} or at a semicolon. */
    private static int parseEntry(String line, int from, int to, boolean ownOnly, Sink sink) {
        int limit = ownOnly ? Chars.indexOf(line, ';', from, to) : to;
        int equals = Chars.indexOf(line, '=', from, limit);
        if (equals == limit) {
            return limit;
        }
        int valueEnd = Chars.indexOf(line, ';', equals, limit);
        int keyStart = Chars.skipBlanks(line, from, equals);
        int keyEnd = Chars.trimEnd(line, keyStart, equals);
        if (keyStart < keyEnd) {
            String own = ownKey(line, keyStart, keyEnd);
            if (own != null || !ownOnly) {
                int valueStart = Chars.skipBlanks(line, equals + 1, valueEnd);
                sink.member(
                        own != null ? own : line.substring(keyStart, keyEnd),
                        Percent.decode(line, valueStart, Chars.trimEnd(line, valueStart, valueEnd)));
            }
        }
        return valueEnd;
    }

    /** The constant for one of the five own keys, so that they are neither copied nor compared again. */
    private static @Nullable String ownKey(String line, int from, int to) {
        if (line.startsWith(PREFIX, from)) {
            for (String key : OWN_KEYS) {
                if (key.length() == to - from && line.startsWith(key, from)) {
                    return key;
                }
            }
        }
        return null;
    }

    /** Whether the key is one of the five that only the SDK writes. */
    static boolean isOwnKey(String key) {
        return ownKey(key, 0, key.length()) != null;
    }

    /**
     * Writes a header, however long it becomes.
     *
     * @param members the members; those without a value, or whose key is not a token, are left out
     */
    public static String encode(Map<String, ? extends @Nullable String> members) {
        TreeMap<String, String> encoded = new TreeMap<>();
        members.forEach((key, value) -> {
            if (value != null && !value.isEmpty() && isToken(key)) {
                encoded.put(key, encodeMember(key, value));
            }
        });
        return String.join(",", encoded.values());
    }

    /** Writes one member; the key must be a token. */
    static String encodeMember(String key, String value) {
        StringBuilder out = new StringBuilder(key).append('=');
        Percent.encode(value, out);
        return out.toString();
    }

    /**
     * Whether the text is a token of RFC 7230, as a key has to be. Unchecked, a key like {@code a=1,role} would write a
     * member of its own.
     */
    static boolean isToken(String text) {
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            boolean alphanumeric = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
            if (!alphanumeric && "!#$%&'*+-.^_`|~".indexOf(c) < 0) {
                return false;
            }
        }
        return !text.isEmpty();
    }
}
