package run.caracal.internal.wire;

import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The constraints of a delegation in their wire form. Only {@code null} is left out: an empty list, zero and {@code false}
 * are sent, since to drop a constraint would widen the authority.
 *
 * @param expiresAt when it ends, ending in {@code Z}
 */
public record ConstraintFields(
        @Nullable List<String> resources,
        @Nullable Integer maxDepth,
        @Nullable Integer maxHops,
        @Nullable Long ttlSeconds,
        @Nullable Integer budget,
        @Nullable Boolean policyApproved,
        @Nullable String expiresAt,
        @Nullable String broadReason) {
    /** No constraints. */
    public static final ConstraintFields NONE = new ConstraintFields(null, null, null, null, null, null, null, null);

    /** The resources it covers; none when it constrains no resource. */
    public List<String> namedResources() {
        return resources == null ? List.of() : resources;
    }

    /** The effective TTL: that of the constraint overrides that of the delegation. */
    public Duration effectiveTtl(Duration asked) {
        Duration effective = ttlSeconds == null ? asked : Duration.ofSeconds(ttlSeconds);
        if (expiresAt == null) {
            return effective;
        }
        Duration left = Duration.between(Instant.now(), Instant.parse(expiresAt));
        return left.isNegative() ? Duration.ZERO : left.compareTo(effective) < 0 ? left : effective;
    }

    public Map<String, @Nullable Object> toMap() {
        Map<String, @Nullable Object> map = new LinkedHashMap<>();
        put(map, "resources", resources == null ? null : new ArrayList<>(resources));
        put(map, "max_depth", maxDepth);
        put(map, "max_hops", maxHops);
        put(map, "ttl_seconds", ttlSeconds);
        put(map, "budget", budget);
        put(map, "policy_approved", policyApproved);
        put(map, "expires_at", expiresAt);
        put(map, "broad_reason", broadReason);
        return map;
    }

    /** The JSON object; {@code null} when nothing is constrained. */
    public @Nullable Map<String, @Nullable Object> wire() {
        Map<String, @Nullable Object> map = toMap();
        return map.isEmpty() ? null : map;
    }

    private static void put(Map<String, @Nullable Object> map, String name, @Nullable Object value) {
        if (value != null) {
            map.put(name, value);
        }
    }
}
