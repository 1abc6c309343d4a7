package run.caracal.platform;

import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** The limits of a delegation beside its scopes, as the Coordinator stores them. */
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
     * Merges what a request says about constraints, and checks it; every fault is refused as {@code invalid_<field>}.
     *
     * @param fields the request, with {@code constraints_json} and {@code constraints}, of which the latter wins
     * @param ttlSeconds the life the request asks for, which is a constraint too unless the constraints name one
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

    /** Reads a time that ends in Z, as all times of the platform do. */
    static Optional<Instant> instant(@Nullable Object value) {
        try {
            return value instanceof String text && text.endsWith("Z")
                    ? Optional.of(Instant.parse(text))
                    : Optional.empty();
        } catch (DateTimeParseException e) {
            return Optional.empty();
        }
    }

    /** The identifiers of the resources it is bound to; none when it names none. */
    List<String> resources() {
        return json.get("resources") instanceof List<?> list
                ? list.stream().map(String::valueOf).distinct().toList()
                : List.of();
    }

    /** How many delegations deep it can be used; 1 when it names none. */
    int maxHops() {
        long hops = integer("max_hops");
        return hops == 0 ? 1 : (int) hops;
    }

    /** The longest life of a token under it; 0 when it names none. */
    long ttlSeconds() {
        return integer("ttl_seconds");
    }

    /** How many scopes a token under it may have; 0 when it names none. */
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
