package run.caracal.internal.wire;

import java.time.Duration;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The request that opens a session. Empty texts and collections and a time to live of 0 are not sent; the options above
 * this layer refuse some of them earlier.
 */
public final class OpenSession {
    private static final String SERVICE = "service";

    final String zoneId;
    final @Nullable String idempotencyKey;
    private final boolean keyGenerated;
    private final boolean service;
    private final long ttlSeconds;
    private final Map<String, @Nullable Object> body;

    private OpenSession(Builder b) {
        this.zoneId = b.zoneId;
        this.idempotencyKey = b.idempotencyKey;
        this.keyGenerated = b.keyGenerated;
        this.service = SERVICE.equals(b.lifecycle);
        this.ttlSeconds = b.ttlSeconds;
        this.body = b.body();
    }

    /** Begins a request with what is always needed. */
    public static Builder builder(String zoneId, String applicationId) {
        return new Builder(zoneId, applicationId);
    }

    public boolean isKeyGenerated() {
        return keyGenerated;
    }

    /** Whether it opens a service, which has a lease. */
    public boolean isService() {
        return service;
    }

    /** How long the session may live; zero for a service. */
    public long ttlSeconds() {
        return ttlSeconds;
    }

    Map<String, @Nullable Object> body() {
        return body;
    }

    /** Names the zone and the fields only. */
    @Override
    public String toString() {
        return "OpenSession[zone=" + zoneId + ", fields=" + body.keySet() + "]";
    }

    /** Collects the optional parts; {@code null} leaves a part out. */
    public static final class Builder {
        private final String zoneId;
        private final String applicationId;
        private @Nullable String subjectSessionId;
        private @Nullable String subjectToken;
        private @Nullable String parentId;
        private @Nullable String lifecycle;
        private @Nullable String kind;
        private long ttlSeconds;
        private Map<String, ? extends @Nullable Object> metadata = Map.of();
        private List<String> labels = List.of();
        private @Nullable String parentAuthority;
        private @Nullable String inheritParentEdgeId;
        private @Nullable String idempotencyKey;
        private boolean keyGenerated;

        private Builder(String zoneId, String applicationId) {
            this.zoneId = zoneId;
            this.applicationId = applicationId;
        }

        /** The authority record the session acts for. */
        public Builder subjectAuthorityRecordId(@Nullable String id) {
            this.subjectSessionId = id;
            return this;
        }

        /** The token of that record, a secret; release 1.0 does not read it. */
        public Builder subjectAuthorityRecordToken(@Nullable String token) {
            this.subjectToken = token;
            return this;
        }

        /** The session that this one is a child of, if any. */
        public Builder childOf(@Nullable String id, boolean inherits, @Nullable String edgeId) {
            return id == null
                    ? this
                    : parentId(id)
                            .parentAuthority(inherits ? "inherit" : "none")
                            .inheritParentEdgeId(inherits ? edgeId : null);
        }

        /** The session that this one is a child of. */
        public Builder parentId(@Nullable String id) {
            this.parentId = id;
            return this;
        }

        /** A task, which lives this long. */
        public Builder task(Duration ttl) {
            return lifecycle("task").ttlSeconds(ttl.toSeconds());
        }

        /** A service, which lives as long as its lease is renewed. */
        public Builder service() {
            return lifecycle(SERVICE);
        }

        /** {@code task} or {@code service}. */
        public Builder lifecycle(@Nullable String lifecycle) {
            this.lifecycle = lifecycle;
            return this;
        }

        /** The kind of older platforms; release 1.0 does not read it. */
        public Builder kind(@Nullable String kind) {
            this.kind = kind;
            return this;
        }

        /** How long a task lives; never sent for a service, which the platform refuses. */
        public Builder ttlSeconds(long seconds) {
            this.ttlSeconds = seconds;
            return this;
        }

        /** The caller's own fields on the session. */
        public Builder metadata(Map<String, ? extends @Nullable Object> metadata) {
            this.metadata = metadata;
            return this;
        }

        /** The labels, whose order matters to the platform's replay check. */
        public Builder labels(List<String> labels) {
            this.labels = List.copyOf(labels);
            return this;
        }

        /** {@code inherit} or {@code none}. */
        public Builder parentAuthority(@Nullable String authority) {
            this.parentAuthority = authority;
            return this;
        }

        /** The parent's edge to inherit. */
        public Builder inheritParentEdgeId(@Nullable String id) {
            this.inheritParentEdgeId = id;
            return this;
        }

        public Builder idempotencyKey(@Nullable String key) {
            this.idempotencyKey = key;
            this.keyGenerated = false;
            return this;
        }

        /** A key that the SDK made, which the platform keeps for a shorter time. */
        public Builder generatedIdempotencyKey(@Nullable String key) {
            this.idempotencyKey = key;
            this.keyGenerated = true;
            return this;
        }

        /** The caller's key, or one that is generated when there is none. */
        public Builder ownOrGeneratedKey(@Nullable String key) {
            return key == null ? generatedIdempotencyKey(IdempotencyKeys.generate()) : idempotencyKey(key);
        }

        public OpenSession build() {
            return new OpenSession(this);
        }

        private Map<String, @Nullable Object> body() {
            Map<String, @Nullable Object> body = new LinkedHashMap<>();
            body.put("application_id", applicationId);
            putText(body, "subject_session_id", subjectSessionId);
            putText(body, "subject_token", subjectToken);
            putText(body, "parent_id", parentId);
            putText(body, "lifecycle", lifecycle);
            putText(body, "kind", kind);
            if (ttlSeconds != 0 && !SERVICE.equals(lifecycle)) {
                body.put("ttl_seconds", ttlSeconds);
            }
            if (!metadata.isEmpty()) {
                body.put("metadata", new LinkedHashMap<>(metadata));
            }
            if (!labels.isEmpty()) {
                body.put("labels", labels);
            }
            putText(body, "parent_authority", parentAuthority);
            putText(body, "inherit_parent_edge_id", inheritParentEdgeId);
            return Collections.unmodifiableMap(body);
        }

        private static void putText(Map<String, @Nullable Object> body, String name, @Nullable String text) {
            if (text != null && !text.isEmpty()) {
                body.put(name, text);
            }
        }
    }
}
