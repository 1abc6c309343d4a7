package run.caracal;

import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import run.caracal.internal.Ids;
import run.caracal.internal.config.Rules;
import run.caracal.internal.wire.IdempotencyKeys;

/**
 * What the bound session delegates, and to whom. Immutable; the platform's limits are checked when an option is
 * set, before any call.
 *
 * <pre>{@code
 * DelegationSpec.builder().to(agentSessionId, "payments-service")
 *         .scopes("payment:submit").resource("resource://payments").ttl(Duration.ofMinutes(5)).build()
 * }</pre>
 */
public final class DelegationSpec {
    /** How long a delegation lives unless the specification says otherwise. */
    public static final Duration DEFAULT_TTL = Duration.ofSeconds(3600);

    private final String agentSessionId;
    private final String applicationId;
    private final List<String> scopes;
    private final @Nullable String resource;
    private final DelegationConstraints constraints;
    private final @Nullable Duration ttl;
    private final boolean revokeOnEnd;
    private final @Nullable String idempotencyKey;

    private DelegationSpec(Builder b, String agentSessionId, String applicationId) {
        this.agentSessionId = agentSessionId;
        this.applicationId = applicationId;
        this.scopes = b.scopes;
        this.resource = b.resource;
        this.constraints = b.constraints;
        this.ttl = b.ttl;
        this.revokeOnEnd = b.revokeOnEnd;
        this.idempotencyKey = b.idempotencyKey;
    }

    /**
     * Starts building.
     *
     * @return a builder that needs a receiver and scopes
     */
    public static Builder builder() {
        return new Builder();
    }

    /**
     * Who receives: the session.
     *
     * @return its id
     */
    public String agentSessionId() {
        return agentSessionId;
    }

    /**
     * Who receives: the application of the session.
     *
     * @return its id
     */
    public String applicationId() {
        return applicationId;
    }

    /**
     * What is delegated.
     *
     * @return an immutable list of scopes, never empty
     */
    public List<String> scopes() {
        return scopes;
    }

    /**
     * The resource.
     *
     * @return its identifier; empty when none is named
     */
    public Optional<String> resource() {
        return Optional.ofNullable(resource);
    }

    /**
     * The constraints.
     *
     * @return the constraints, none by default
     */
    public DelegationConstraints constraints() {
        return constraints;
    }

    /**
     * How long the delegation lives.
     *
     * @return the time to live; empty for {@link #DEFAULT_TTL}, and no longer than what the issuer has left
     */
    public Optional<Duration> ttl() {
        return Optional.ofNullable(ttl);
    }

    /**
     * Whether the delegation is revoked when the work ends.
     *
     * @return {@code false} by default
     */
    public boolean revokeOnEnd() {
        return revokeOnEnd;
    }

    /**
     * The caller's own idempotency key.
     *
     * @return the key; empty for one that is generated for each subscription
     */
    public Optional<String> idempotencyKey() {
        return Optional.ofNullable(idempotencyKey);
    }

    @Override
    public String toString() {
        return "DelegationSpec[agentSessionId=" + agentSessionId + ", applicationId=" + applicationId + ", scopes="
                + scopes
                + ", resource=" + resource + ", constraints=" + constraints + ", ttl=" + ttl + ", revokeOnEnd="
                + revokeOnEnd + "]";
    }

    /** Builds a {@link DelegationSpec}. Not for use by several threads at once. */
    public static final class Builder {
        private @Nullable String agentSessionId;
        private @Nullable String applicationId;
        private List<String> scopes = List.of();
        private @Nullable String resource;
        private DelegationConstraints constraints = DelegationConstraints.none();
        private @Nullable Duration ttl;
        private boolean revokeOnEnd;
        private @Nullable String idempotencyKey;

        private Builder() {}

        /**
         * Sets who receives.
         *
         * @param agentSessionId the session; another than the one that delegates
         * @param applicationId the application of the session
         * @return this builder
         */
        public Builder to(String agentSessionId, String applicationId) {
            this.agentSessionId = Ids.require(agentSessionId, "to.agentSessionId");
            this.applicationId = Ids.require(applicationId, "to.applicationId");
            return this;
        }

        /**
         * Sets what is delegated.
         *
         * @param scopes the scopes, at least one
         * @return this builder
         */
        public Builder scopes(String... scopes) {
            return scopes(Arrays.asList(scopes));
        }

        /**
         * Sets what is delegated; see {@link #scopes(String...)}.
         *
         * @param scopes the scopes, at least one
         * @return this builder
         */
        public Builder scopes(List<String> scopes) {
            this.scopes = requireScopes(scopes, "scopes");
            return this;
        }

        /**
         * Names the resource. Without it and without {@link DelegationConstraints#resources()} the delegation covers every
         * resource, which the platform allows only to those with a permission for it.
         *
         * @param id its identifier
         * @return this builder
         */
        public Builder resource(String id) {
            this.resource = requireResource(id, "resource");
            return this;
        }

        /**
         * Adds constraints to those that are set.
         *
         * @param edit sets them, for instance {@code c -> c.maxHops(1)}
         * @return this builder
         */
        public Builder constraints(UnaryOperator<DelegationConstraints.Builder> edit) {
            return constraints(edit.apply(constraints.mutate()).build());
        }

        /**
         * Sets the constraints.
         *
         * @param constraints all of them
         * @return this builder
         */
        public Builder constraints(DelegationConstraints constraints) {
            this.constraints = Objects.requireNonNull(constraints, "constraints");
            return this;
        }

        /**
         * Sets how long the delegation lives.
         *
         * @param ttl whole seconds, from 1 second to a day
         * @return this builder
         */
        public Builder ttl(Duration ttl) {
            this.ttl = SpawnOptions.requireTtl(ttl, "ttl");
            return this;
        }

        /**
         * Revokes the delegation when the work of {@code delegate} ends. On the platform this also ends the session that
         * received it.
         *
         * @param revokeOnEnd whether to revoke it
         * @return this builder
         */
        public Builder revokeOnEnd(boolean revokeOnEnd) {
            this.revokeOnEnd = revokeOnEnd;
            return this;
        }

        /**
         * Sets the caller's own idempotency key: creating with it again gives the same delegation, as long as it is active.
         *
         * @param key up to 255 bytes in UTF-8, without surrounding white space and control characters
         * @return this builder
         */
        public Builder idempotencyKey(String key) {
            this.idempotencyKey = IdempotencyKeys.require("idempotencyKey", key);
            return this;
        }

        /**
         * Builds the specification.
         *
         * @return an immutable specification
         * @throws IllegalArgumentException if the receiver or the scopes are missing
         */
        public DelegationSpec build() {
            if (agentSessionId == null || applicationId == null) {
                throw new IllegalArgumentException(
                        "to: a delegation needs a receiver; name its session and its application");
            }
            if (scopes.isEmpty()) {
                throw new IllegalArgumentException("scopes: a delegation needs at least one scope");
            }
            return new DelegationSpec(this, agentSessionId, applicationId);
        }
    }

    static List<String> requireScopes(List<String> scopes, String field) {
        if (scopes.isEmpty()) {
            throw new IllegalArgumentException(field + ": at least one scope is needed");
        }
        String problem = Rules.scopes(scopes);
        if (problem != null) {
            throw new IllegalArgumentException(field + ": " + problem);
        }
        return List.copyOf(scopes);
    }

    static String requireResource(String id, String field) {
        String problem = Rules.resourceId(id);
        if (problem != null) {
            throw new IllegalArgumentException(field + ": a resource identifier " + problem);
        }
        return id;
    }
}
