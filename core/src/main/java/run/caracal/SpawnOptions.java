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

/**
 * How an agent session is opened. Immutable; every limit of the platform is checked when an option is set, before any
 * call.
 */
public final class SpawnOptions {
    /** How many labels a session may have. */
    public static final int MAX_LABELS = Rules.MAX_LABELS;

    /** How long a label may be, in characters. */
    public static final int MAX_LABEL_LENGTH = Rules.MAX_LABEL_LENGTH;

    /** How large the metadata of a session may be, as JSON in UTF-8. */
    public static final int MAX_METADATA_BYTES = Arguments.MAX_METADATA_BYTES;

    private static final SpawnOptions DEFAULTS = new SpawnOptions(SessionSpec.DEFAULTS);

    private final SessionSpec spec;

    private SpawnOptions(SessionSpec spec) {
        this.spec = spec;
    }

    /** {@return the options of a plain {@code spawn}, with every default} */
    public static SpawnOptions defaults() {
        return DEFAULTS;
    }

    /** {@return a builder with every default} */
    public static Builder builder() {
        return new Builder(SessionSpec.DEFAULTS);
    }

    /** {@return a builder with the same values} */
    public Builder mutate() {
        return new Builder(spec);
    }

    /**
     * {@return the labels, which make sessions of one application distinguishable in policy and audit; an immutable
     * list, empty by default}
     */
    public List<String> labels() {
        return spec.labels();
    }

    /** {@return whether the application id is a label too, besides {@link #labels()}; {@code false} by default} */
    public boolean labelledAsApplication() {
        return spec.labelledAsApplication();
    }

    /** {@return how long the platform lets the session live; empty for the configuration's default} */
    public Optional<Duration> ttl() {
        return Optional.ofNullable(spec.ttl());
    }

    /** {@return what the session's record says besides; an immutable JSON object, empty by default} */
    public Map<String, @Nullable Object> metadata() {
        return spec.metadata();
    }

    /** {@return the kind of the session, for platforms that know kinds; empty for the configuration's default} */
    public Optional<String> kind() {
        return Optional.ofNullable(spec.kind());
    }

    /** {@return the parent of the session; empty for the session bound in the Reactor Context, if any} */
    public Optional<CaracalContext> parent() {
        return Optional.ofNullable(spec.parent()).map(CaracalContext::new);
    }

    /** {@return what the session is given of its parent's authority; the grant, {@link Grant#inherit()} by default} */
    public Grant grant() {
        return Grant.of(spec.grant());
    }

    /** {@return the caller's own idempotency key; empty for one that is generated for each subscription} */
    public Optional<String> idempotencyKey() {
        return Optional.ofNullable(spec.idempotencyKey());
    }

    /**
     * {@return whether a session that the {@linkplain #idempotencyKey() key} opened earlier is taken over; {@code
     * false} by default: then it is an error}
     */
    public boolean adopt() {
        return spec.adopt();
    }

    /** {@return the id of the authority record of the user for whom the session acts; empty for its parent's user, if any} */
    public Optional<String> subjectAuthorityRecordId() {
        return Optional.ofNullable(spec.subjectAuthorityRecordId());
    }

    /** {@return the W3C trace id of the session; empty for the parent's, or a fresh one} */
    public Optional<String> traceId() {
        return Optional.ofNullable(spec.traceId());
    }

    /** {@return how long a pipeline waits for the session's termination; empty for the configuration's} */
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

    /** Leaves out the metadata, the key and the proof of a user. */
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
         * Sets the labels. On the platform they decide, together with a grant's roles, which mandates may be minted.
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
         * Adds the application id to the labels. The platform mints for a session when one of its labels is the application
         * id, which has every scope of the application, or a role of the resource's grant, which may have fewer: a session
         * whose labels are neither gets 403 {@code role_scope_mismatch}. Leave this out where a role is to restrict the
         * session. An application id that is no label fails the spawn.
         */
        public Builder labelledAsApplication() {
            this.labelledAsApplication = true;
            return this;
        }

        /**
         * Sets how long the platform lets the session live: the last defence against a session that nobody ends.
         *
         * @param ttl whole seconds, from 1 second to {@link CaracalConfig#MAX_TTL}
         */
        public Builder ttl(Duration ttl) {
            this.ttl = Arguments.ttl(ttl, "ttl");
            return this;
        }

        /**
         * Sets what the session's record says besides.
         *
         * @param metadata a JSON object: values are strings, numbers, booleans, {@code null}, and lists and maps of them
         */
        public Builder metadata(Map<String, ?> metadata) {
            this.metadata = Arguments.metadata(metadata);
            return this;
        }

        /**
         * Sets the kind, which platforms from 1.0 on ignore.
         *
         * @param kind the kind, for instance {@code instance} or {@code ephemeral}
         */
        public Builder kind(String kind) {
            this.kind = Arguments.id(kind, "kind");
            return this;
        }

        /**
         * Sets the parent, instead of the session bound in the Reactor Context.
         *
         * @param parent the context of the parent session
         */
        public Builder parent(CaracalContext parent) {
            this.parent = parent.bound();
            return this;
        }

        /**
         * Sets what the session is given of its parent's authority. A narrowed session without labels is labelled with the
         * application id, without which the platform gives it no tokens.
         */
        public Builder grant(Grant grant) {
            this.grant = grant.spec();
            return this;
        }

        /**
         * Sets the caller's own idempotency key. When the Coordinator answers that the key opened a session before, the
         * spawn fails: two owners of one session would end it under each other. {@link #adopt(boolean)} takes it over.
         *
         * @param key up to 255 bytes in UTF-8, without surrounding white space and control characters
         */
        public Builder idempotencyKey(String key) {
            this.idempotencyKey = Arguments.idempotencyKey(key);
            return this;
        }

        /**
         * Takes over a session that the caller's idempotency key opened earlier.
         *
         * @param adopt whether to take it over
         */
        public Builder adopt(boolean adopt) {
            this.adopt = adopt;
            return this;
        }

        /**
         * Sets the user for whom the session and its children act. Replaces what {@link #subject(FederatedSubject)} set.
         *
         * @param id the id of the user's authority record
         */
        public Builder subjectAuthorityRecordId(String id) {
            this.subjectAuthorityRecordId = Arguments.id(id, "subjectAuthorityRecordId");
            this.subjectToken = null;
            return this;
        }

        /**
         * Sets the user for whom the session and its children act, and proves it: the opening of this session also sends the
         * user's mandate. Platform 1.0 goes by the authority record alone.
         *
         * @param user what {@link Caracal#federateSubject(String)} gave
         */
        public Builder subject(FederatedSubject user) {
            this.subjectAuthorityRecordId = user.authorityRecordId();
            this.subjectToken = user.value();
            return this;
        }

        /**
         * Sets the W3C trace id, for instance that of a trace which a tracer has begun.
         *
         * @param traceId 32 lower-case hexadecimal digits, not all zero
         */
        public Builder traceId(String traceId) {
            this.traceId = Arguments.traceId(traceId);
            return this;
        }

        /**
         * Sets how long a pipeline waits for the session's termination; after that the result is delivered and the
         * termination goes on in the background.
         *
         * @param closeTimeout a millisecond to an hour
         * @throws IllegalArgumentException when it is less or more
         */
        public Builder closeTimeout(Duration closeTimeout) {
            this.closeTimeout = Arguments.timeout(closeTimeout, "closeTimeout");
            return this;
        }

        /**
         * Builds the options.
         *
         * @throws IllegalArgumentException if options contradict each other
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
