package run.caracal.platform;

import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The claims of a token of this zone. */
record Mandate(Map<String, @Nullable Object> claims) {

    static final String USE_SESSION = "session";
    static final String USE_GATEWAY = "gateway";
    static final String USE_RESOURCE = "resource";
    static final String SUB_TYPE_USER = "user";

    /** A string claim; empty when absent or of another type. */
    String text(String claim) {
        return claims.get(claim) instanceof String text ? text : "";
    }

    /** A claim that holds a string or a list of strings. */
    List<String> texts(String claim) {
        Object value = claims.get(claim);
        if (value instanceof String text) {
            return List.of(text);
        }
        return value instanceof List<?> list
                ? list.stream().map(String::valueOf).toList()
                : List.of();
    }

    String use() {
        return text("use");
    }

    String applicationId() {
        return text("client_id");
    }

    String zoneId() {
        return text("zone_id");
    }

    String authorityRecordId() {
        return text("sid");
    }

    List<String> scopes() {
        String scope = text("scope").strip();
        return scope.isEmpty() ? List.of() : List.of(scope.split("\\s+"));
    }

    Instant expiresAt() {
        return claims.get("exp") instanceof Long seconds ? Instant.ofEpochSecond(seconds) : Instant.EPOCH;
    }

    /** Whether the token has expired, with the clock skew that every verifier of the platform tolerates. */
    boolean isExpired(Instant now) {
        return !now.isBefore(expiresAt().plusSeconds(60));
    }
}
