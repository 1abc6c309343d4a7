package run.caracal.internal.config;

import java.net.IDN;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * An absolute http or https address, as far as configuration needs to understand one.
 *
 * @param host in lower case and without a dot at its end, which changes nothing; an IPv6 address with its brackets
 * @param port the port, or -1 when the address names none
 * @param rest path, query and fragment, as they were written
 */
public record HttpAddress(String scheme, String host, int port, String rest) {

    private static final Pattern SHAPE = Pattern.compile(
            "(https?)://(\\[[0-9A-Fa-f:.]+(?:%(?:25)?[\\w.~-]+)?]|[\\p{L}\\p{N}][\\p{L}\\p{N}\\p{M}._~-]*)(?::([0-9]{1,5}))?((?:[/?#].*)?)",
            Pattern.CASE_INSENSITIVE);

    private static final Pattern LOOPBACK = Pattern.compile("127(?:\\.(?:0|[1-9][0-9]{0,2})){3}");
    private static final int MAX_PORT = 65535;

    /** Reads an address; {@code null} when it is not absolute, not http, has no host, or names a user. */
    public static @Nullable HttpAddress parse(String text) {
        Matcher matcher = SHAPE.matcher(text);
        if (!matcher.matches() || Text.hasBlankOrControl(text)) {
            return null;
        }
        String digits = matcher.group(3);
        int port = digits == null ? -1 : Integer.parseInt(digits);
        if (port == 0 || port > MAX_PORT) {
            return null;
        }
        String host = matcher.group(2).toLowerCase(Locale.ROOT);
        return new HttpAddress(
                matcher.group(1).toLowerCase(Locale.ROOT),
                host.endsWith(".") ? host.substring(0, host.length() - 1) : host,
                port,
                matcher.group(4));
    }

    /** Reads an address that is an origin: with no path but a slash; {@code null} when it is none. */
    public static @Nullable HttpAddress parseOrigin(String text) {
        HttpAddress address = parse(text);
        return address != null && (address.rest.isEmpty() || address.rest.equals("/")) ? address : null;
    }

    /** {@code scheme://host[:port]}, the port only when it is not the scheme's own. */
    public String origin() {
        boolean standard = port < 0 || port == (isHttps() ? 443 : 80);
        return scheme + "://" + host + (standard ? "" : ":" + port);
    }

    boolean isAscii() {
        return Text.isVisibleAscii(host);
    }

    /** The remedy for a host that is not. */
    String asciiRemedy() {
        try {
            return "has a host with characters beyond ASCII: write its ASCII form, " + IDN.toASCII(host);
        } catch (IllegalArgumentException e) {
            return "has a host with characters beyond ASCII that is no internationalised name";
        }
    }

    public boolean isHttps() {
        return scheme.equals("https");
    }

    /** Whether the host is this machine, by its name or in the ordinary spelling of its address. */
    public boolean isLoopback() {
        return host.equals("localhost")
                || host.equals("[::1]")
                || host.equals("[0:0:0:0:0:0:0:1]")
                || LOOPBACK.matcher(host).matches();
    }
}
