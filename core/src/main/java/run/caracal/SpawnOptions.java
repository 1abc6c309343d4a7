package run.caracal;

import java.time.Duration;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import run.caracal.config.CaracalConfig;
import run.caracal.internal.Ids;
import run.caracal.internal.config.Rules;
import run.caracal.internal.json.Json;
import run.caracal.internal.json.JsonException;
import run.caracal.internal.propagation.TraceParent;
import run.caracal.internal.wire.IdempotencyKeys;

/**
 * How an agent session is opened. Immutable; every limit of the platform is checked when an option is set, before any
 * call.
 */
public final class SpawnOptions {
    /** How many labels a session may have. */
    public static final int MAX_LABELS = 32;

    /** How long a label may be, in characters. */
    public static final int MAX_LABEL_LENGTH = 64;

    /** How large the metadata of a session may be, as JSON in UTF-8. */
    public static final int MAX_METADATA_BYTES = 64 * 1024;

    private static final SpawnOptions DEFAULTS = builder().build();

    private final List<String> labels;
    private final @Nullable Duration ttl;
    private final Map<String, @Nullable Object> metadata;
    private final @Nullable String kind;
    private final @Nullable CaracalContext parent;
    private final Grant grant;
    private final @Nullable String idempotencyKey;
    private final boolean adopt;
    private final @Nullable String subjectAuthorityRecordId;
    private final @Nullable String traceId;
    private final @Nullable Duration closeTimeout;

    private SpawnOptions(Builder b) {
        this.labels = b.labels;
        this.ttl = b.ttl;
        this.metadata = b.metadata;
        this.kind = b.kind;
        this.parent = b.parent;
        this.grant = b.grant;
        this.idempotencyKey = b.idempotencyKey;
        this.adopt = b.adopt;
        this.subjectAuthorityRecordId = b.subjectAuthorityRecordId;
        this.traceId = b.traceId;
        this.closeTimeout = b.closeTimeout;
    }

    /**
     * The options of a plain {@code spawn}.
     *
     * @return options with every default
     */
    public static SpawnOptions defaults() {
        return DEFAULTS;
    }

    /**
     * Starts building.
     *
     * @return a builder with every default
     */
    public static Builder builder() {
        return new Builder();
    }

    /**
     * Starts from these options.
     *
     * @return a builder with the same values
     */
    public Builder mutate() {
        return new Builder(this);
    }

    /**
     * The labels, which make sessions of one application distinguishable in policy and audit.
     *
     * @return an immutable list, empty by default
     */
    public List<String> labels() {
        return labels;
    }

    /**
     * How long the platform lets the session live.
     *
     * @return the time to live; empty for the configuration's default
     */
    public Optional<Duration> ttl() {
        return Optional.ofNullable(ttl);
    }

    /**
     * What the session's record says besides.
     *
     * @return an immutable JSON object, empty by default
     */
    public Map<String, @Nullable Object> metadata() {
        return metadata;
    }

    /**
     * The kind of the session, for platforms that know kinds.
     *
     * @return the kind; empty for the configuration's default
     */
    public Optional<String> kind() {
        return Optional.ofNullable(kind);
    }

    /**
     * The parent of the session.
     *
     * @return the parent given explicitly; empty for the session bound in the Reactor Context, if any
     */
    public Optional<CaracalContext> parent() {
        return Optional.ofNullable(parent);
    }

    /**
     * What the session is given of its parent's authority.
     *
     * @return the grant, {@link Grant#inherit()} by default
     */
    public Grant grant() {
        return grant;
    }

    /**
     * The caller's own idempotency key.
     *
     * @return the key; empty for one that is generated for each subscription
     */
    public Optional<String> idempotencyKey() {
        return Optional.ofNullable(idempotencyKey);
    }

    /**
     * Whether a session that the {@linkplain #idempotencyKey() key} opened earlier is taken over.
     *
     * @return {@code false} by default: then it is an error
     */
    public boolean adopt() {
        return adopt;
    }

    /**
     * The authority record of the user for whom the session acts.
     *
     * @return the record's id; empty by default
     */
    public Optional<String> subjectAuthorityRecordId() {
        return Optional.ofNullable(subjectAuthorityRecordId);
    }

    /**
     * The W3C trace id of the session.
     *
     * @return the trace id; empty for the parent's, or a fresh one
     */
    public Optional<String> traceId() {
        return Optional.ofNullable(traceId);
    }

    /**
     * How long a pipeline waits for the session's termination.
     *
     * @return the budget; empty for the configuration's
     */
    public Optional<Duration> closeTimeout() {
        return Optional.ofNullable(closeTimeout);
    }

    @Override
    public String toString() {
        return "SpawnOptions[labels=" + labels + ", ttl=" + ttl + ", kind=" + kind + ", parent="
                + (parent == null ? null : parent.envelope().agentSessionId()) + ", grant=" + grant + ", traceId="
                + traceId + "]";
    }

    /** Builds {@link SpawnOptions}. Not for use by several threads at once. */
    public static final class Builder {
        private List<String> labels = List.of();
        private @Nullable Duration ttl;
        private Map<String, @Nullable Object> metadata = Map.of();
        private @Nullable String kind;
        private @Nullable CaracalContext parent;
        private Grant grant = Grant.inherit();
        private @Nullable String idempotencyKey;
        private boolean adopt;
        private @Nullable String subjectAuthorityRecordId;
        private @Nullable String traceId;
        private @Nullable Duration closeTimeout;

        private Builder() {}

        private Builder(SpawnOptions o) {
            this.labels = o.labels;
            this.ttl = o.ttl;
            this.metadata = o.metadata;
            this.kind = o.kind;
            this.parent = o.parent;
            this.grant = o.grant;
            this.idempotencyKey = o.idempotencyKey;
            this.adopt = o.adopt;
            this.subjectAuthorityRecordId = o.subjectAuthorityRecordId;
            this.traceId = o.traceId;
            this.closeTimeout = o.closeTimeout;
        }

        /**
         * Sets the labels. On the platform they decide, together with a grant's roles, which mandates may be minted.
         *
         * @param labels up to {@value #MAX_LABELS} labels of 1 to {@value #MAX_LABEL_LENGTH} characters each
         * @return this builder
         */
        public Builder labels(String... labels) {
            return labels(Arrays.asList(labels));
        }

        /**
         * Sets the labels; see {@link #labels(String...)}.
         *
         * @param labels the labels
         * @return this builder
         */
        public Builder labels(List<String> labels) {
            this.labels = requireLabels(labels);
            return this;
        }

        /**
         * Sets how long the platform lets the session live: the last defence against a session that nobody ends.
         *
         * @param ttl whole seconds, from 1 second to {@link CaracalConfig#MAX_TTL}
         * @return this builder
         */
        public Builder ttl(Duration ttl) {
            this.ttl = requireTtl(ttl, "ttl");
            return this;
        }

        /**
         * Sets what the session's record says besides.
         *
         * @param metadata a JSON object: values are strings, numbers, booleans, {@code null}, and lists and maps of them
         * @return this builder
         */
        public Builder metadata(Map<String, ?> metadata) {
            this.metadata = copyOf(metadata);
            return this;
        }

        /**
         * Sets the kind, which platforms from 1.0 on ignore.
         *
         * @param kind the kind, for instance {@code instance} or {@code ephemeral}
         * @return this builder
         */
        public Builder kind(String kind) {
            this.kind = Ids.require(kind, "kind");
            return this;
        }

        /**
         * Sets the parent, instead of the session bound in the Reactor Context.
         *
         * @param parent the context of the parent session
         * @return this builder
         */
        public Builder parent(CaracalContext parent) {
            this.parent = Objects.requireNonNull(parent, "parent");
            return this;
        }

        /**
         * Sets what the session is given of its parent's authority. A narrowed session without labels is labelled with the
         * application id, without which the platform gives it no tokens.
         *
         * @param grant the grant
         * @return this builder
         */
        public Builder grant(Grant grant) {
            this.grant = Objects.requireNonNull(grant, "grant");
            return this;
        }

        /**
         * Sets the caller's own idempotency key. When the Coordinator answers that the key opened a session before, the
         * spawn fails: two owners of one session would end it under each other. {@link #adopt(boolean)} takes it over.
         *
         * @param key up to 255 bytes in UTF-8, without surrounding white space and control characters
         * @return this builder
         */
        public Builder idempotencyKey(String key) {
            this.idempotencyKey = IdempotencyKeys.require("idempotencyKey", key);
            return this;
        }

        /**
         * Takes over a session that the caller's idempotency key opened earlier.
         *
         * @param adopt whether to take it over
         * @return this builder
         */
        public Builder adopt(boolean adopt) {
            this.adopt = adopt;
            return this;
        }

        /**
         * Attributes the session to a user.
         *
         * @param id the id of the user's authority record
         * @return this builder
         */
        public Builder subjectAuthorityRecordId(String id) {
            this.subjectAuthorityRecordId = Ids.require(id, "subjectAuthorityRecordId");
            return this;
        }

        /**
         * Sets the W3C trace id, for instance that of a trace which a tracer has begun.
         *
         * @param traceId 32 lower-case hexadecimal digits, not all zero
         * @return this builder
         */
        public Builder traceId(String traceId) {
            if (!TraceParent.isTraceId(traceId)) {
                throw new IllegalArgumentException(
                        "traceId: 32 lower-case hexadecimal digits, not all zero, are needed");
            }
            this.traceId = traceId;
            return this;
        }

        /**
         * Sets how long a pipeline waits for the session's termination; after that the result is delivered and the
         * termination goes on in the background.
         *
         * @param closeTimeout a positive time
         * @return this builder
         */
        public Builder closeTimeout(Duration closeTimeout) {
            if (closeTimeout.isNegative() || closeTimeout.isZero()) {
                throw new IllegalArgumentException("closeTimeout: a positive time is needed, not " + closeTimeout);
            }
            this.closeTimeout = closeTimeout;
            return this;
        }

        /**
         * Builds the options.
         *
         * @return immutable options
         * @throws IllegalArgumentException if options contradict each other
         */
        public SpawnOptions build() {
            if (adopt && idempotencyKey == null) {
                throw new IllegalArgumentException("adopt: needs an idempotencyKey, by which the session is found");
            }
            return new SpawnOptions(this);
        }
    }

    /** Through JSON and back: a deep copy of what can be sent, and a refusal of what cannot. */
    private static Map<String, @Nullable Object> copyOf(Map<String, ?> metadata) {
        byte[] json = Json.write("metadata", metadata);
        if (json.length > MAX_METADATA_BYTES) {
            throw new IllegalArgumentException(
                    "metadata: " + json.length + " bytes as JSON, at most " + MAX_METADATA_BYTES + " allowed");
        }
        try {
            Map<String, @Nullable Object> copy = new LinkedHashMap<>();
            if (Json.read(json) instanceof Map<?, ?> object) {
                object.forEach((name, value) -> copy.put((String) name, value));
            }
            return Collections.unmodifiableMap(copy);
        } catch (JsonException e) {
            throw new IllegalArgumentException("metadata: " + e.getMessage(), e);
        }
    }

    static List<String> requireLabels(List<String> labels) {
        String fault = Rules.labels(labels);
        if (fault != null) {
            throw new IllegalArgumentException("labels: " + fault);
        }
        return List.copyOf(labels);
    }

    static Duration requireTtl(Duration ttl, String field) {
        String fault = Rules.ttl(ttl);
        if (fault != null) {
            throw new IllegalArgumentException(field + " " + fault + ", not " + ttl);
        }
        return ttl;
    }
}
