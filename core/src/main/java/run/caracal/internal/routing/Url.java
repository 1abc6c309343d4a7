package run.caracal.internal.routing;

import java.net.IDN;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.Locale;
import run.caracal.error.RoutingException;
import run.caracal.internal.text.Percent;

/**
 * An absolute http or https address, split without changing it. {@link java.net.URI} does not fit: it refuses addresses
 * that clients send every day (an underscore in the host, a brace in the query), and what cannot be parsed here is
 * refused.
 */
final class Url {
    /** Scheme, host and port, normalised: lower case, ASCII, without the default port. */
    final String origin;

    /** The path, at least a slash: the caller's, with what cannot stand in a request line escaped. */
    final String path;

    /** Whether there is something before an {@code @}; it is not part of the origin. */
    final boolean hasUserInfo;

    /** The query with its question mark, empty when there is none or it is empty: the caller's, escaped like the path. */
    final String queryPart;

    private final String text;
    private final int pathStart;
    private final boolean escaped;

    private Url(String text, String origin, int pathStart, int pathEnd, int queryEnd, boolean hasUserInfo) {
        this.text = text;
        this.origin = origin;
        this.pathStart = pathStart;
        String rawPath = text.substring(pathStart, pathEnd);
        String rawQuery = pathEnd + 1 < queryEnd ? text.substring(pathEnd, queryEnd) : "";
        String escapedPath = escape(rawPath, " \"<>`{}");
        this.queryPart = escape(rawQuery, " \"<>");
        this.escaped = !escapedPath.equals(rawPath) || !queryPart.equals(rawQuery);
        this.path = escapedPath.isEmpty() ? "/" : escapedPath;
        this.hasUserInfo = hasUserInfo;
    }

    /** Splits an address; no message repeats the address, which may hold credentials. */
    static Url parse(String text) {
        requireCleanText(text);
        boolean https = text.regionMatches(true, 0, "https://", 0, 8);
        if (!https && !text.regionMatches(true, 0, "http://", 0, 7)) {
            throw new RoutingException("The URL is not an absolute http or https URL; nothing was sent");
        }
        int authority = https ? 8 : 7;
        int end = authority;
        while (end < text.length() && "/?#".indexOf(text.charAt(end)) < 0) {
            if (text.charAt(end) == '\\') {
                throw unparseable("it has a backslash before its path");
            }
            end++;
        }
        int host = text.lastIndexOf('@', end - 1) + 1;
        boolean hasUserInfo = host > authority;
        String origin = origin(text, https, hasUserInfo ? host : authority, end);

        int fragment = text.indexOf('#', end);
        int pathAndQueryEnd = fragment < 0 ? text.length() : fragment;
        int question = text.indexOf('?', end);
        int pathEnd = question < 0 || question > pathAndQueryEnd ? pathAndQueryEnd : question;
        return new Url(text, origin, end, pathEnd, pathAndQueryEnd, hasUserInfo);
    }

    private static void requireCleanText(String text) {
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c < ' ' || c == 0x7F) {
                throw unparseable("it has a control character");
            }
            if (Character.isSurrogate(c)) {
                if (Character.isLowSurrogate(c)
                        || i + 1 == text.length()
                        || !Character.isLowSurrogate(text.charAt(i + 1))) {
                    throw unparseable("it is not valid Unicode");
                }
                i++;
            }
        }
    }

    private static String origin(String text, boolean https, int from, int to) {
        if (from == (https ? 8 : 7)
                && from < to
                && text.startsWith(https ? "https" : "http")
                && isNormalName(text, from, to)) {
            return text.substring(0, to);
        }
        int hostEnd;
        String host;
        if (from < to && text.charAt(from) == '[') {
            hostEnd = text.indexOf(']', from) + 1;
            if (hostEnd == 0 || hostEnd > to) {
                throw unparseable("its IPv6 address does not end");
            }
            host = ipv6(text.substring(from, hostEnd));
        } else {
            int colon = text.indexOf(':', from);
            hostEnd = colon < 0 || colon > to ? to : colon;
            host = name(text.substring(from, hostEnd));
        }
        int port = port(text, hostEnd, to);
        String scheme = https ? "https://" : "http://";
        return port < 0 || port == (https ? 443 : 80) ? scheme.concat(host) : scheme + host + ':' + port;
    }

    /** Whether nothing has to be normalised, as for nearly every request. */
    private static boolean isNormalName(String text, int from, int to) {
        if (text.charAt(to - 1) == '.') {
            return false;
        }
        for (int i = from; i < to; i++) {
            char c = text.charAt(i);
            if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.')) {
                return false;
            }
        }
        return true;
    }

    private static String name(String host) {
        String name = host;
        if (!isAscii(host)) {
            try {
                name = IDN.toASCII(host);
            } catch (IllegalArgumentException e) {
                throw unparseable("its host is not a valid internationalised name");
            }
        }
        // Resolvers take a dot at the end for the root: it is the same host, and would otherwise be another origin.
        if (name.endsWith(".")) {
            name = name.substring(0, name.length() - 1);
        }
        for (int i = 0; i < name.length(); i++) {
            char c = name.charAt(i);
            // Also turns away what the mapping of an internationalised name has brought in, a slash for instance.
            if (!(isAlphanumeric(c) || c == '-' || c == '.' || c == '_' || c == '~')) {
                throw unparseable("its host has a character that no host has");
            }
        }
        if (name.isEmpty()) {
            throw unparseable("it has no host");
        }
        return name.toLowerCase(Locale.ROOT);
    }

    /**
     * The usual form of an IPv6 address in brackets, so that two spellings of one address are one origin. A zone (RFC 6874)
     * belongs to a link-local address; any other address is the same without it.
     */
    private static String ipv6(String bracketed) {
        int percent = bracketed.indexOf('%');
        String address = percent < 0 ? bracketed : bracketed.substring(0, percent) + ']';
        String zone = percent < 0 ? "" : zone(bracketed.substring(percent + 1, bracketed.length() - 1));
        for (int i = 1; i < address.length() - 1; i++) {
            char c = address.charAt(i);
            if (!(Character.digit(c, 16) >= 0 && c < 0x80) && c != ':' && c != '.') {
                throw unparseable("its IPv6 address is not valid");
            }
        }
        try {
            // A literal in brackets is never looked up.
            InetAddress parsed = InetAddress.getByName(address);
            String text = parsed.getHostAddress();
            if (text.indexOf(':') < 0) {
                return text;
            }
            return '[' + text + (parsed.isLinkLocalAddress() ? zone : "") + ']';
        } catch (UnknownHostException e) {
            throw unparseable("its IPv6 address is not valid");
        }
    }

    /** A zone with its percent sign in one form, given what follows that sign. */
    private static String zone(String written) {
        String zone = written.startsWith("25") ? written.substring(2) : written;
        boolean valid =
                !zone.isEmpty() && zone.chars().allMatch(c -> isAlphanumeric((char) c) || "-._~".indexOf(c) >= 0);
        if (!valid) {
            throw unparseable("its IPv6 address is not valid");
        }
        return "%25" + zone;
    }

    /** The port after the host, -1 when there is none. */
    private static int port(String text, int colon, int to) {
        if (colon == to) {
            return -1;
        }
        if (text.charAt(colon) != ':') {
            throw unparseable("something follows its host");
        }
        int port = -1;
        for (int i = colon + 1; i < to; i++) {
            char c = text.charAt(i);
            if (c < '0' || c > '9') {
                throw unparseable("its port is not a number");
            }
            port = Math.max(port, 0) * 10 + (c - '0');
            if (port > 65535) {
                throw unparseable("its port is over 65535");
            }
        }
        return port;
    }

    private static String escape(String text, String escaped) {
        int i = 0;
        while (i < text.length() && isPlain(text.charAt(i), escaped)) {
            i++;
        }
        if (i == text.length()) {
            return text;
        }
        StringBuilder out = new StringBuilder(text.length() + 16).append(text, 0, i);
        for (; i < text.length(); i++) {
            char c = text.charAt(i);
            if (isPlain(c, escaped)) {
                out.append(c);
            } else {
                i = Percent.encodeCodePoint(text, i, out);
            }
        }
        return out.toString();
    }

    private static boolean isPlain(char c, String escaped) {
        return c < 0x80 && escaped.indexOf(c) < 0;
    }

    private static boolean isAlphanumeric(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    }

    static boolean isAscii(String text) {
        for (int i = 0; i < text.length(); i++) {
            if (text.charAt(i) >= 0x80) {
                return false;
            }
        }
        return true;
    }

    private static RoutingException unparseable(String why) {
        return new RoutingException("The URL cannot be parsed: " + why + "; nothing was sent");
    }

    /** The address as it can stand in a request line: the caller's own text where nothing had to be escaped. */
    String escaped() {
        return escaped ? prefix() + path + queryPart : text;
    }

    /** Scheme and authority as they were given. */
    String prefix() {
        return text.substring(0, pathStart);
    }

    /** Origin and path, which hold no credentials, for messages. */
    @Override
    public String toString() {
        return origin + (path.length() <= 200 ? path : path.substring(0, 200) + "...");
    }
}
