package run.caracal.internal.config;

import java.net.URI;
import java.net.URISyntaxException;
import java.time.Clock;
import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.Collection;
import java.util.List;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import run.caracal.internal.Ids;
import run.caracal.internal.token.JwtClaims;

/**
 * The rules of configuration values. A rule returns a fault with its remedy, to follow the name of the setting, or
 * {@code null}; it never contains the value.
 */
public final class Rules {
    /** The variable that turns the production rules on. */
    public static final String ENV = "CARACAL_ENV";

    private static final String PRODUCTION = "production";

    /** The environments that {@link #ENV} may name. */
    private static final List<String> ENVIRONMENTS = List.of(PRODUCTION, "staging", "development", "test", "local");

    private static final List<String> FLAGS = List.of("true", "false");

    /** The variable that allows plain http in production. */
    public static final String ALLOW_INSECURE = "CARACAL_ALLOW_INSECURE_CONFIG_URLS";

    /** The warning about plain http in production. */
    public static final String INSECURE_OVERRIDE =
            ALLOW_INSECURE + "=true: in production, tokens and the client secret go over plain http to another machine";

    /** The scope of the application token, with which sessions are opened and closed. */
    public static final String LIFECYCLE_SCOPE = "agent:lifecycle";

    /** The variable that allows secret files that others than their owner can read. */
    public static final String ALLOW_GROUP_READABLE = "CARACAL_ALLOW_GROUP_READABLE_SECRETS";

    /** The shortest and the longest bound that an operation may have. */
    private static final Duration MIN_TIMEOUT = Duration.ofMillis(1);

    private static final Duration MAX_TIMEOUT = Duration.ofHours(1);

    /** The shortest TTL that the platform accepts. */
    public static final Duration MIN_TTL = Duration.ofSeconds(1);

    /** The longest TTL that the platform accepts. */
    public static final Duration MAX_TTL = Duration.ofDays(1);

    /** The mint of a mandate and its use count one each. */
    public static final int UNITS_OF_A_CALL = 2;

    static final String NO_TTL = "must be a positive integer of seconds, at most " + MAX_TTL.toSeconds();

    /** The maximum number of labels. */
    public static final int MAX_LABELS = 32;

    /** The maximum length of a label. */
    public static final int MAX_LABEL_LENGTH = 64;

    /** The maximum length of a resource id or a scope, both of which a bearer of 4096 characters contains. */
    public static final int MAX_NAME_LENGTH = 1024;

    private static final int MAX_SECRET_LENGTH = 64 * 1024;

    private static final Pattern SCOPE =
            Pattern.compile("[\\x21\\x23-\\x2b\\x2d-\\x5b\\x5d-\\x7e]{1," + MAX_NAME_LENGTH + "}");
    private static final double MILLIS = 1000.0;

    /** How far the platform lets the clocks of identity providers be off. */
    private static final double CLOCK_TOLERANCE_SECONDS = 60;

    private static final String NO_URL =
            "must be an absolute http or https URL with a host name and without user information";
    private static final String NO_TOKEN =
            "holds a blank, a line break or another character that no token has: was it copied with too much?";
    private static final String UNSIGNED = "uses alg \"none\": unsigned tokens are never valid; give one that ";

    private Rules() {}

    /**
     * Throws what a rule found.
     *
     * @param argument the argument of a public method, or the setting
     * @throws IllegalArgumentException {@code <argument>: <fault>}, if there is a fault
     */
    public static void require(String argument, @Nullable String fault) {
        if (fault != null) {
            throw new IllegalArgumentException(argument + ": " + fault);
        }
    }

    /** The identifier of a zone or an application. */
    public static @Nullable String id(String value) {
        return Ids.isValid(value) ? null : Ids.expectation();
    }

    /** A value of {@link #ENV}: an unknown word could be meant for production, and would turn its rules off. */
    public static @Nullable String environment(@Nullable String value) {
        return word(value, ENVIRONMENTS);
    }

    /** Whether the value of {@link #ENV} turns the production rules on. */
    public static boolean isProduction(@Nullable String value) {
        return PRODUCTION.equals(value);
    }

    public static @Nullable String flag(@Nullable String value) {
        return word(value, FLAGS);
    }

    public static boolean isOn(@Nullable String value) {
        return "true".equals(value);
    }

    private static @Nullable String word(@Nullable String value, List<String> words) {
        if (value == null || value.isEmpty() || words.contains(value)) {
            return null;
        }
        boolean quoted = value.length() > 2
                && "\"'".indexOf(value.charAt(0)) >= 0
                && words.contains(value.substring(1, value.length() - 1));
        return quoted
                ? "holds its quotes: remove them, an env file does not"
                : "must be one of " + String.join(", ", words) + ", in lower case and without blanks";
    }

    public static @Nullable String timeout(Duration value) {
        return value.compareTo(MIN_TIMEOUT) < 0 || value.compareTo(MAX_TIMEOUT) > 0
                ? "is " + value + ", but must be from " + MIN_TIMEOUT + " (1 millisecond) to " + MAX_TIMEOUT
                        + " (1 hour)"
                : null;
    }

    /** The maximum number of open sessions of a client. */
    public static @Nullable String maxOpenSessions(int value) {
        return value < 1
                ? "is " + value
                        + ", but must be at least 1; 2 for a session that makes scoped calls or has one below it"
                : null;
    }

    /** The maximum number of mints per minute and resource. */
    public static @Nullable String maxMintsPerMinute(int value) {
        return value < UNITS_OF_A_CALL
                ? "is " + value + ", but must be at least " + UNITS_OF_A_CALL
                        + ": a call counts when its mandate is minted, and again when it is used"
                : null;
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
        if (address == null || !address.isAscii()) {
            return address == null ? NO_URL : address.asciiRemedy();
        }
        return uri(value) == null ? NO_URL : null;
    }

    /** The origins to which identity may go, each an origin by its form. */
    public static @Nullable String identityOrigins(
            Collection<String> origins, boolean production, boolean allowInsecure) {
        return production && !allowInsecure && origins.stream().anyMatch(Rules::isInsecureOrigin)
                ? "names an origin of plain http that is not a loopback address: in production no identity goes there; use"
                        + " https, or leave the origin out, unless " + ALLOW_INSECURE + "=true"
                : null;
    }

    /** Whether the origin is plain http to another machine. */
    public static boolean isInsecureOrigin(String origin) {
        HttpAddress address = HttpAddress.parse(origin);
        return address == null ? origin.startsWith("http:") : isInsecure(address);
    }

    /** Whether the address, which {@link #serviceUrl} passed, is plain http to another machine. */
    public static boolean isInsecure(URI uri) {
        HttpAddress address = HttpAddress.parse(uri.toString());
        return address == null || isInsecure(address);
    }

    private static boolean isInsecure(HttpAddress address) {
        return !address.isHttps() && !address.isLoopback();
    }

    /**
     * The address as a URI; {@code null} when it is none. A URI knows no host with an underscore or a last label of digits,
     * which networks of containers have: it then has an authority only.
     */
    static @Nullable URI uri(String value) {
        try {
            return new URI(value);
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
        if (value.length() > MAX_SECRET_LENGTH) {
            return "is longer than " + MAX_SECRET_LENGTH + " characters: is it the secret?";
        }
        if (Text.hasControl(value)) {
            return "has a line break or another control character in it: was it copied with too much?";
        }
        return invisible(value);
    }

    private static @Nullable String invisible(String secret) {
        String character = Text.invisible(secret);
        return character == null ? null : "holds " + character + ", which is not seen: copy it again without it";
    }

    private static @Nullable String token(String value) {
        if (value.length() > MAX_SECRET_LENGTH) {
            return "is longer than " + MAX_SECRET_LENGTH + " characters: is it a token?";
        }
        if (Text.isVisibleAscii(value) && !value.isEmpty()) {
            return null;
        }
        String invisible = invisible(value);
        return invisible == null ? NO_TOKEN : invisible;
    }

    /** An identity token of a user, about to be presented; the platform tolerates a clock that is a little off. */
    public static @Nullable String idToken(String value, Clock clock) {
        String fault = token(value);
        if (fault != null) {
            return fault;
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

    public static @Nullable String subjectToken(String value, Clock clock) {
        String fault = token(value);
        if (fault != null) {
            return fault;
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

    public static @Nullable String ttl(Duration value) {
        return !value.equals(value.truncatedTo(ChronoUnit.SECONDS))
                        || value.compareTo(MIN_TTL) < 0
                        || value.compareTo(MAX_TTL) > 0
                ? NO_TTL + ", and is " + value
                : null;
    }

    /** The identifier of a resource. It goes into a header, where characters beyond ASCII would all become the same. */
    public static @Nullable String resourceId(String value) {
        if (value.isEmpty()) {
            return "must be a non-empty string";
        }
        if (value.length() > MAX_NAME_LENGTH) {
            return "must have at most " + MAX_NAME_LENGTH + " characters";
        }
        return Text.isVisibleAscii(value)
                ? null
                : "must consist of visible ASCII characters, without blanks and control characters";
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

    public static @Nullable String scopes(List<String> values) {
        for (String scope : values) {
            if (!SCOPE.matcher(scope).matches()) {
                return "must be scopes of 1 to " + MAX_NAME_LENGTH
                        + " printable ASCII characters without blanks, commas, quotes and backslashes";
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

    public static @Nullable String labels(List<String> values) {
        if (values.size() > MAX_LABELS) {
            return values.size() + " given, at most " + MAX_LABELS + " allowed";
        }
        for (String label : values) {
            if (!isLine(label, MAX_LABEL_LENGTH)) {
                return "each must have 1 to " + MAX_LABEL_LENGTH
                        + " characters, not all blank, and no control character";
            }
        }
        return null;
    }

    public static @Nullable String kind(String value) {
        return isLine(value, MAX_LABEL_LENGTH)
                ? null
                : "must have 1 to " + MAX_LABEL_LENGTH + " characters, not all blank, and no control character";
    }

    /** Whether a text can be told to people in one line: not blank, not too long, and without controls and broken characters. */
    public static boolean isLine(String value, int maxLength) {
        return value.length() <= maxLength
                && !Text.isBlank(value)
                && value.codePoints()
                        .noneMatch(c -> Character.isISOControl(c) || Character.getType(c) == Character.SURROGATE);
    }
}
