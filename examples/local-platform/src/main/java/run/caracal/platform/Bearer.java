package run.caracal.platform;

import java.util.Optional;

/** Reads the token of an {@code Authorization} header. */
final class Bearer {

    private static final String SCHEME = "Bearer ";

    private Bearer() {}

    /** The token after the scheme, which is case-insensitive; empty if absent. */
    static Optional<String> of(String authorization) {
        if (!authorization.regionMatches(true, 0, SCHEME, 0, SCHEME.length())) {
            return Optional.empty();
        }
        String token = authorization.substring(SCHEME.length()).strip();
        return token.isEmpty() ? Optional.empty() : Optional.of(token);
    }
}
