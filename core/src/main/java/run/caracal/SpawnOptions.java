package run.caracal;

import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import run.caracal.config.CaracalConfig;
import run.caracal.internal.config.Rules;
import run.caracal.internal.context.BoundContext;
import run.caracal.internal.options.Arguments;
import run.caracal.internal.options.GrantSpec;
import run.caracal.internal.session.SessionSpec;

/** Options of an agent session. Immutable; each option is checked against the platform's limits when it is set. */
public final class SpawnOptions {
    /** The maximum number of labels. */
    public static final int MAX_LABELS = Rules.MAX_LABELS;

    /** The maximum length of a label, in characters. */
    public static final int MAX_LABEL_LENGTH = Rules.MAX_LABEL_LENGTH;

    /** The maximum size of the metadata, as JSON in UTF-8. */
    public static final int MAX_METADATA_BYTES = Arguments.MAX_METADATA_BYTES;

    private static final SpawnOptions DEFAULTS = new SpawnOptions(SessionSpec.DEFAULTS);

    private final SessionSpec spec;

    private SpawnOptions(SessionSpec spec) {
        this.spec = spec;
    }

    /** {@return the default options} */
    public static SpawnOptions defaults() {
        return DEFAULTS;
    }

    /** {@return a builder with the default options} */
    public static Builder builder() {
        return new Builder(SessionSpec.DEFAULTS);
    }

    /** {@return a builder with the same values} */
    public Builder mutate() {
        return new Builder(spec);
    }

    /** {@return the labels, by which policy and audit distinguish sessions; an immutable list, empty by default} */
    public List<String> labels() {
        return spec.labels();
    }

    /** {@return whether the application id is added to the {@link #labels()}; {@code false} by default} */
    public boolean labelledAsApplication() {
        return spec.labelledAsApplication();
    }

    /** {@return the TTL of the session; empty for the configured default} */
    public Optional<Duration> ttl() {
        return Optional.ofNullable(spec.ttl());
    }

    /** {@return the metadata of the session; an immutable JSON object, empty by default} */
    public Map<String, @Nullable Object> metadata() {
        return spec.metadata();
    }

    /** {@return the kind of the session, which current platforms ignore; empty for the configured default} */
    public Optional<String> kind() {
        return Optional.ofNullable(spec.kind());
    }

    /** {@return the parent; empty for the session bound in the Reactor Context, if any} */
    public Optional<CaracalContext> parent() {
        return Optional.ofNullable(spec.parent()).map(CaracalContext::new);
    }

    /** {@return the authority that the session is granted; {@link Grant#inherit()} by default} */
    public Grant grant() {
        return Grant.of(spec.grant());
    }

    /** {@return your own idempotency key; empty for a key generated per subscription} */
    public Optional<String> idempotencyKey() {
        return Optional.ofNullable(spec.idempotencyKey());
    }

    /**
     * {@return whether a session that the {@link #idempotencyKey()} opened before is taken over; {@code false} by
     * default}
     */
    public boolean adopt() {
        return spec.adopt();
    }

    /** {@return the authority record of the user for whom the session acts; empty for the parent's user, if any} */
    public Optional<String> subjectAuthorityRecordId() {
        return Optional.ofNullable(spec.subjectAuthorityRecordId());
    }

    /** {@return the W3C trace id; empty for the parent's, or a new one} */
    public Optional<String> traceId() {
        return Optional.ofNullable(spec.traceId());
    }

    /** {@return how long the result waits for the termination; empty for the configured default} */
    public Optional<Duration> closeTimeout() {
        return Optional.ofNullable(spec.closeTimeout());
    }

    SessionSpec spec() {
        return spec;
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof SpawnOptions that && spec.equals(that.spec);
    }

    @Override
    public int hashCode() {
        return spec.hashCode();
    }

    /** Omits the metadata, the idempotency key and the user's mandate. */
    @Override
    public String toString() {
        return "SpawnOptions[" + spec + "]";
    }

    /** Builds {@link SpawnOptions}. Not for use by several threads at once. */
    public static final class Builder {
        private List<String> labels;
        private boolean labelledAsApplication;
        private @Nullable Duration ttl;
        private Map<String, @Nullable Object> metadata;
        private @Nullable String kind;
        private @Nullable BoundContext parent;
        private GrantSpec grant;
        private @Nullable String idempotencyKey;
        private boolean adopt;
        private @Nullable String subjectAuthorityRecordId;
        private @Nullable String subjectToken;
        private @Nullable String traceId;
        private @Nullable Duration closeTimeout;

        private Builder(SessionSpec spec) {
            this.labels = spec.labels();
            this.labelledAsApplication = spec.labelledAsApplication();
            this.ttl = spec.ttl();
            this.metadata = spec.metadata();
            this.kind = spec.kind();
            this.parent = spec.parent();
            this.grant = spec.grant();
            this.idempotencyKey = spec.idempotencyKey();
            this.adopt = spec.adopt();
            this.subjectAuthorityRecordId = spec.subjectAuthorityRecordId();
            this.subjectToken = spec.subjectToken();
            this.traceId = spec.traceId();
            this.closeTimeout = spec.closeTimeout();
        }

        /**
         * Sets the labels. Together with the roles of a grant, they decide which mandates the platform mints.
         *
         * @param labels up to {@value #MAX_LABELS} labels of 1 to {@value #MAX_LABEL_LENGTH} characters each
         */
        public Builder labels(String... labels) {
            return labels(Arrays.asList(labels));
        }

        /** Sets the labels; see {@link #labels(String...)}. */
        public Builder labels(List<String> labels) {
            this.labels = Arguments.labels(labels);
            return this;
        }

        /**
         * Adds the application id to the labels. The platform mints only for sessions with a label that is the
         * application id, which has every scope of the application, or a role of the resource's grant, which may have
         * fewer; else it answers 403 {@code role_scope_mismatch}. Do not use this where a role should restrict the
         * session. The spawn fails if the application id is not a valid label.
         */
        public Builder labelledAsApplication() {
            this.labelledAsApplication = true;
            return this;
        }

        /**
         * Sets the TTL, after which the platform ends the session even if nobody terminates it.
         *
         * @param ttl whole seconds, from 1 second to {@link CaracalConfig#MAX_TTL}
         */
        public Builder ttl(Duration ttl) {
            this.ttl = Arguments.ttl(ttl, "ttl");
            return this;
        }

        /**
         * Sets the metadata of the session.
         *
         * @param metadata a JSON object: values are strings, numbers, booleans, {@code null}, and lists and maps of
         *     them
         */
        public Builder metadata(Map<String, ?> metadata) {
            this.metadata = Arguments.metadata(metadata);
            return this;
        }

        /** Sets the kind, for instance {@code instance} or {@code ephemeral}, which current platforms ignore. */
        public Builder kind(String kind) {
            this.kind = Arguments.id(kind, "kind");
            return this;
        }

        /** Sets the parent session, instead of the one bound in the Reactor Context. */
        public Builder parent(CaracalContext parent) {
            this.parent = parent.bound();
            return this;
        }

        /**
         * Sets the authority that the session is granted. A narrowed session without labels gets the application id as
         * its label, because the platform mints nothing for it otherwise.
         */
        public Builder grant(Grant grant) {
            this.grant = grant.spec();
            return this;
        }

        /**
         * Sets your own idempotency key. If it opened a session before, the spawn fails, because two owners would
         * terminate the session under each other; {@link #adopt(boolean)} takes the session over instead.
         *
         * @param key up to 255 bytes in UTF-8, without surrounding white space and control characters
         */
        public Builder idempotencyKey(String key) {
            this.idempotencyKey = Arguments.idempotencyKey(key);
            return this;
        }

        /** Sets whether to take over a session that the idempotency key opened before. */
        public Builder adopt(boolean adopt) {
            this.adopt = adopt;
            return this;
        }

        /**
         * Sets the user for whom the session and its children act, by the id of the user's authority record. Replaces
         * {@link #subject(FederatedSubject)}.
         */
        public Builder subjectAuthorityRecordId(String id) {
            this.subjectAuthorityRecordId = Arguments.id(id, "subjectAuthorityRecordId");
            this.subjectToken = null;
            return this;
        }

        /**
         * Sets the user for whom the session and its children act, and sends the user's mandate when the session is
         * opened. Platform 1.0 uses the authority record only.
         */
        public Builder subject(FederatedSubject user) {
            this.subjectAuthorityRecordId = user.authorityRecordId();
            this.subjectToken = user.value();
            return this;
        }

        /**
         * Sets the W3C trace id, for instance that of the current trace of a tracer.
         *
         * @param traceId 32 lower-case hexadecimal digits, not all zero
         */
        public Builder traceId(String traceId) {
            this.traceId = Arguments.traceId(traceId);
            return this;
        }

        /**
         * Sets how long the result waits for the termination, which then continues in the background.
         *
         * @param closeTimeout from a millisecond to an hour
         * @throws IllegalArgumentException if it is out of range
         */
        public Builder closeTimeout(Duration closeTimeout) {
            this.closeTimeout = Arguments.timeout(closeTimeout, "closeTimeout");
            return this;
        }

        /**
         * Builds the options.
         *
         * @throws IllegalArgumentException if {@code adopt} is set without an idempotency key
         */
        public SpawnOptions build() {
            if (adopt && idempotencyKey == null) {
                throw Arguments.fault("adopt", "needs an idempotencyKey, by which the session is found");
            }
            return new SpawnOptions(new SessionSpec(
                    labels,
                    labelledAsApplication,
                    ttl,
                    metadata,
                    kind,
                    parent,
                    grant,
                    idempotencyKey,
                    adopt,
                    subjectAuthorityRecordId,
                    subjectToken,
                    traceId,
                    closeTimeout));
        }
    }
}
