package run.caracal.internal.config;

import java.net.URI;
import java.net.URISyntaxException;
import java.time.Clock;
import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import run.caracal.internal.Ids;
import run.caracal.internal.token.JwtClaims;

/**
 * What a value of the configuration must satisfy, wherever it came from. Each rule answers what is wrong and what to do, to
 * follow the name of the setting, or {@code null}; no answer holds the value.
 */
public final class Rules {
    /** The variable that turns the production rules on. */
    public static final String ENV = "CARACAL_ENV";

    /** The value of {@link #ENV} that does. */
    public static final String PRODUCTION = "production";

    /** The variable that allows plain http in production. */
    public static final String ALLOW_INSECURE = "CARACAL_ALLOW_INSECURE_CONFIG_URLS";

    /** What the log says when that is in use. */
    public static final String INSECURE_OVERRIDE =
            ALLOW_INSECURE + "=true: in production, tokens and the client secret go over plain http to another machine";

    /** The scope of the application token, with which sessions are opened and closed. */
    public static final String LIFECYCLE_SCOPE = "agent:lifecycle";

    /** The shortest time to live that the platform takes. */
    public static final Duration MIN_TTL = Duration.ofSeconds(1);

    /** The longest time to live that the platform takes. */
    public static final Duration MAX_TTL = Duration.ofDays(1);

    /** How many labels a session may have. */
    public static final int MAX_LABELS = 32;

    /** How long a label may be. */
    public static final int MAX_LABEL_LENGTH = 64;

    private static final Pattern SCOPE = Pattern.compile("[\\x21\\x23-\\x2b\\x2d-\\x5b\\x5d-\\x7e]+");
    private static final Pattern TOKEN = Pattern.compile("[\\x21-\\x7e]+");
    private static final double MILLIS = 1000.0;

    /** How far the platform lets the clocks of identity providers be off. */
    private static final double CLOCK_TOLERANCE_SECONDS = 60;

    private static final String NO_TOKEN =
            "holds a blank, a line break or another character that no token has: was it copied with too much?";
    private static final String UNSIGNED = "uses alg \"none\": unsigned tokens are never valid; give one that ";

    private Rules() {}

    /** The identifier of a zone or an application. */
    public static @Nullable String id(String value) {
        return Ids.isValid(value) ? null : Ids.expectation();
    }

    /** The address of a service. */
    public static @Nullable String serviceUrl(String value, boolean production, boolean allowInsecure) {
        String fault = url(value, production, allowInsecure);
        if (fault != null) {
            return fault;
        }
        return value.indexOf('?') >= 0 || value.indexOf('#') >= 0
                ? "must be a base URL, without query and fragment"
                : null;
    }

    /** An address that is fetched as it is, its query included. */
    public static @Nullable String url(String value, boolean production, boolean allowInsecure) {
        HttpAddress address = HttpAddress.parse(value);
        if (address != null && production && !allowInsecure && isInsecure(address)) {
            return "must use https in production; http is allowed to loopback hosts only, unless " + ALLOW_INSECURE
                    + "=true";
        }
        return address == null || uri(value) == null
                ? "must be an absolute http or https URL with a host name and without user information"
                : null;
    }

    /** Whether the address, which {@link #serviceUrl} passed, is plain http to another machine. */
    public static boolean isInsecure(URI uri) {
        HttpAddress address = HttpAddress.parse(uri.toString());
        return address == null || isInsecure(address);
    }

    private static boolean isInsecure(HttpAddress address) {
        return !address.isHttps() && !address.isLoopback();
    }

    /** The address as a URI with a host; {@code null} when it is none. */
    static @Nullable URI uri(String value) {
        try {
            URI uri = new URI(value);
            return uri.getHost() == null ? null : uri;
        } catch (URISyntaxException e) {
            return null;
        }
    }

    /** Slashes at the end of the STS address would double those of the paths that follow it. */
    public static String stripSlashes(String url) {
        int end = url.length();
        while (end > 0 && url.charAt(end - 1) == '/') {
            end--;
        }
        return url.substring(0, end);
    }

    /** A client secret; it may hold blanks. */
    public static @Nullable String clientSecret(String value) {
        if (Text.isBlank(value)) {
            return "is blank: give the client secret of the application";
        }
        if (Text.hasControl(value)) {
            return "has a line break or another control character in it: was it copied with too much?";
        }
        return null;
    }

    /** An identity token of a user, about to be presented; the platform tolerates a clock that is a little off. */
    public static @Nullable String idToken(String value, Clock clock) {
        if (!TOKEN.matcher(value).matches()) {
            return NO_TOKEN;
        }
        JwtClaims claims = JwtClaims.read(value);
        if (!claims.isComplete()) {
            return "is no identity token: it must be a signed JSON Web Token whose claims have an exp";
        }
        if (claims.isUnsigned()) {
            return UNSIGNED + "the user's identity provider signed";
        }
        return claims.isExpiredAt(clock.millis() / MILLIS - CLOCK_TOLERANCE_SECONDS)
                ? "has expired, or its exp claim is no point in time: have the user sign in again"
                : null;
    }

    /** A static token. */
    public static @Nullable String subjectToken(String value, Clock clock) {
        if (!TOKEN.matcher(value).matches()) {
            return NO_TOKEN;
        }
        JwtClaims claims = JwtClaims.read(value);
        if (claims.isUnsigned()) {
            return UNSIGNED + "the platform minted";
        }
        if (claims.isExpiredAt(clock.millis() / MILLIS)) {
            return "is expired, or its exp claim is no point in time: get a fresh token before the start";
        }
        return null;
    }

    /** A time to live. */
    public static @Nullable String ttl(Duration value) {
        return !value.equals(value.truncatedTo(ChronoUnit.SECONDS))
                        || value.compareTo(MIN_TTL) < 0
                        || value.compareTo(MAX_TTL) > 0
                ? "must be a positive integer of seconds, at most " + MAX_TTL.toSeconds()
                : null;
    }

    /** The identifier of a resource; it goes into a header. */
    public static @Nullable String resourceId(String value) {
        if (value.isEmpty()) {
            return "must be a non-empty string";
        }
        return Text.hasBlankOrControl(value) ? "must not hold blanks or control characters" : null;
    }

    /** The address under which an upstream's own addresses lie. */
    public static @Nullable String upstreamPrefix(String value) {
        if (value.isEmpty()) {
            return "must be a non-empty string";
        }
        return HttpAddress.parse(value) == null
                ? "must be an absolute http or https URL with a host and without user information"
                : null;
    }

    /** The scopes of a resource. */
    public static @Nullable String scopes(List<String> values) {
        for (String scope : values) {
            if (!SCOPE.matcher(scope).matches()) {
                return "must be scopes of printable ASCII characters without blanks, commas, quotes and backslashes";
            }
        }
        return null;
    }

    /** The scopes of a call, which the scope of the application token is not among. */
    public static @Nullable String callScopes(List<String> values) {
        if (values.isEmpty()) {
            return "must name at least one scope";
        }
        return values.contains(LIFECYCLE_SCOPE)
                ? "must not hold " + LIFECYCLE_SCOPE + ", which no call has"
                : scopes(values);
    }

    /** The labels of a session. */
    public static @Nullable String labels(List<String> values) {
        if (values.size() > MAX_LABELS) {
            return values.size() + " given, at most " + MAX_LABELS + " allowed";
        }
        for (String label : values) {
            if (label.isBlank()
                    || label.length() > MAX_LABEL_LENGTH
                    || label.chars().anyMatch(Character::isISOControl)) {
                return "each must have 1 to " + MAX_LABEL_LENGTH
                        + " characters, not all blank, and no control character";
            }
        }
        return null;
    }

    /** A kind of agent. */
    public static @Nullable String kind(String value) {
        return Text.isBlank(value) || Text.hasControl(value) ? "must not be blank or hold control characters" : null;
    }
}
