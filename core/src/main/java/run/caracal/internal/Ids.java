package run.caracal.internal;

import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Identifiers of the platform: zones, applications, sessions, delegations. They end up in URL paths. */
public final class Ids {
    /** The platform's form of an identifier. */
    public static final String PATTERN = "^[A-Za-z0-9_.\\-:]{1,128}$";

    private static final Pattern COMPILED = Pattern.compile(PATTERN);

    private Ids() {}

    /** Whether the value is an identifier; {@code .} and {@code ..} are not, since a path would lose them. */
    public static boolean isValid(@Nullable String value) {
        return value != null
                && !value.equals(".")
                && !value.equals("..")
                && COMPILED.matcher(value).matches();
    }

    /**
     * Returns the value, when it is an identifier.
     *
     * @throws IllegalArgumentException naming the field and the pattern, not the value
     */
    public static String require(@Nullable String value, String field) {
        if (value == null || !isValid(value)) {
            throw new IllegalArgumentException(field + ": " + expectation());
        }
        return value;
    }

    /** The requirement on an identifier, to follow the name of a field. */
    public static String expectation() {
        return "must match " + PATTERN + " and be neither \".\" nor \"..\"";
    }
}
