package run.caracal.internal.wire;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The request that creates a delegation. Unlike in {@link OpenSession}, empty texts and constraints are sent: to leave out
 * what was asked for would widen the authority.
 */
public final class CreateDelegation {
    final String zoneId;
    final @Nullable String idempotencyKey;
    private final Map<String, @Nullable Object> body;

    private CreateDelegation(Builder b) {
        this.zoneId = b.zoneId;
        this.idempotencyKey = b.idempotencyKey;
        this.body = Collections.unmodifiableMap(new LinkedHashMap<>(b.body));
    }

    /** Begins a request. */
    public static Builder builder(String zoneId, List<String> scopes) {
        return new Builder(zoneId, scopes);
    }

    Map<String, @Nullable Object> body() {
        return body;
    }

    /** Names the zone and the fields only. */
    @Override
    public String toString() {
        return "CreateDelegation[zone=" + zoneId + ", fields=" + body.keySet() + "]";
    }

    /** Collects the parts; {@code null} leaves an optional part out. */
    public static final class Builder {
        private final String zoneId;
        private final Map<String, @Nullable Object> body = new LinkedHashMap<>();
        private @Nullable String idempotencyKey;

        private Builder(String zoneId, List<String> scopes) {
            this.zoneId = zoneId;
            body.put("scopes", List.copyOf(scopes));
        }

        /** The issuer: the application and its session. */
        public Builder issuer(String applicationId, String sessionId) {
            body.put("issuer_application_id", applicationId);
            body.put("source_session_id", sessionId);
            return this;
        }

        /** The receiver: the application and its session. */
        public Builder receiver(String applicationId, String sessionId) {
            body.put("receiver_application_id", applicationId);
            body.put("target_session_id", sessionId);
            return this;
        }

        /** The edge that the issuer holds and narrows. */
        public Builder parentEdgeId(@Nullable String id) {
            return put("parent_edge_id", id);
        }

        public Builder resourceId(@Nullable String id) {
            return put("resource_id", id);
        }

        public Builder constraints(@Nullable Map<String, ? extends @Nullable Object> constraints) {
            return put("constraints", constraints == null ? null : new LinkedHashMap<>(constraints));
        }

        /** How long the delegation lives; 0 leaves it out. */
        public Builder ttlSeconds(long seconds) {
            return put("ttl_seconds", seconds == 0 ? null : seconds);
        }

        /** The key that makes a retry safe. */
        public Builder idempotencyKey(@Nullable String key) {
            this.idempotencyKey = key;
            return this;
        }

        public CreateDelegation build() {
            for (String needed : List.of("issuer_application_id", "receiver_application_id")) {
                if (!body.containsKey(needed)) {
                    throw new IllegalStateException(needed + " is missing");
                }
            }
            return new CreateDelegation(this);
        }

        private Builder put(String name, @Nullable Object value) {
            if (value == null) {
                body.remove(name);
            } else {
                body.put(name, value);
            }
            return this;
        }
    }
}
