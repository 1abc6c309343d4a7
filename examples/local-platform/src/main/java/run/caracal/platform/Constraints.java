package run.caracal.platform;

import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** The limits of a delegation besides its scopes, as the Coordinator stores them. */
record Constraints(Map<String, @Nullable Object> json) {

    static final int MAX_HOPS = 10;

    private static final Set<String> KNOWN = Set.of(
            "resources",
            "max_depth",
            "max_hops",
            "budget",
            "ttl_seconds",
            "policy_approved",
            "expires_at",
            "broad_reason");

    /**
     * Merges and checks the constraints of a request; rejects each fault as {@code invalid_<field>}.
     *
     * @param fields the request, whose {@code constraints} override its {@code constraints_json}
     * @param ttlSeconds the requested TTL, which applies unless the constraints name one
     */
    static Constraints of(Fields fields, @Nullable Long ttlSeconds) {
        Map<String, @Nullable Object> json = Json.object();
        for (String name : List.of("constraints_json", "constraints")) {
            if (fields.has(name)) {
                json.putAll(fields.plainObject(name).orElseThrow(() -> invalid("delegation_constraint")));
            }
        }
        if (json.get("max_depth") instanceof Number depth && !json.containsKey("max_hops")) {
            json.put("max_hops", depth);
        }
        if (ttlSeconds != null && !json.containsKey("ttl_seconds")) {
            json.put("ttl_seconds", ttlSeconds);
        }
        Constraints constraints = new Constraints(json);
        constraints.check();
        return constraints;
    }

    private void check() {
        if (json.containsKey("resources")
                && !(json.get("resources") instanceof List<?> list
                        && list.size() <= 64
                        && list.stream().allMatch(item -> item instanceof String text && !text.isEmpty()))) {
            throw invalid("resources");
        }
        checkInteger("max_depth", MAX_HOPS);
        checkInteger("max_hops", MAX_HOPS);
        checkInteger("budget", 64);
        checkInteger("ttl_seconds", 86_400);
        if (json.containsKey("policy_approved") && !(json.get("policy_approved") instanceof Boolean)) {
            throw invalid("policy_approved");
        }
        if (json.containsKey("expires_at") && instant(json.get("expires_at")).isEmpty()) {
            throw invalid("expires_at");
        }
        if (json.containsKey("broad_reason")
                && !(json.get("broad_reason") instanceof String reason
                        && !reason.isEmpty()
                        && reason.length() <= 256)) {
            throw invalid("broad_reason");
        }
        if (!KNOWN.containsAll(json.keySet())) {
            throw invalid("delegation_constraint");
        }
        if (json.containsKey("max_depth") && integer("max_depth") != integer("max_hops")) {
            throw invalid("max_hops");
        }
    }

    private void checkInteger(String name, long max) {
        if (json.containsKey(name) && !(json.get(name) instanceof Long number && number >= 1 && number <= max)) {
            throw invalid(name);
        }
    }

    private static Refusal invalid(String field) {
        return new Refusal(400, "invalid_" + field);
    }

    /** Parses a time in UTC with the suffix Z. */
    static Optional<Instant> instant(@Nullable Object value) {
        try {
            return value instanceof String text && text.endsWith("Z")
                    ? Optional.of(Instant.parse(text))
                    : Optional.empty();
        } catch (DateTimeParseException e) {
            return Optional.empty();
        }
    }

    /** The ids of the resources it is limited to; none if it names none. */
    List<String> resources() {
        return json.get("resources") instanceof List<?> list
                ? list.stream().map(String::valueOf).distinct().toList()
                : List.of();
    }

    /** The maximum number of delegations in its chain; 1 by default. */
    int maxHops() {
        long hops = integer("max_hops");
        return hops == 0 ? 1 : (int) hops;
    }

    /** The maximum lifetime of a token under it; 0 if it names none. */
    long ttlSeconds() {
        return integer("ttl_seconds");
    }

    /** The maximum number of scopes of a token under it; 0 if it names none. */
    long budget() {
        return integer("budget");
    }

    Optional<Instant> expiresAt() {
        return instant(json.get("expires_at"));
    }

    private long integer(String name) {
        return json.get(name) instanceof Long number ? number : 0;
    }
}
