package run.caracal;

import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import run.caracal.internal.delegation.DelegationTerms;
import run.caracal.internal.options.Arguments;

/**
 * A delegation by the bound session, and its receiver. Immutable; the platform's limits are checked when an option is
 * set, before any call.
 *
 * <pre>{@code
 * DelegationSpec.builder().to(agentSessionId, "payments-service")
 *         .scopes("payment:submit").resource("resource://payments").ttl(Duration.ofMinutes(5)).build()
 * }</pre>
 */
public final class DelegationSpec {
    /** How long a delegation lives unless the specification says otherwise. */
    public static final Duration DEFAULT_TTL = DelegationTerms.DEFAULT_TTL;

    private final DelegationTerms terms;

    private DelegationSpec(DelegationTerms terms) {
        this.terms = terms;
    }

    /** {@return a builder that needs a receiver and scopes} */
    public static Builder builder() {
        return new Builder();
    }

    /** {@return a builder with the same values} */
    public Builder mutate() {
        Builder builder = new Builder();
        builder.agentSessionId = terms.targetSessionId();
        builder.applicationId = terms.targetApplicationId();
        builder.scopes = terms.scopes();
        builder.resource = terms.resource();
        builder.constraints = constraints();
        builder.ttl = terms.ttl();
        builder.revokeOnEnd = terms.revokeOnEnd();
        builder.idempotencyKey = terms.idempotencyKey();
        return builder;
    }

    /** {@return who receives: the session} */
    public String agentSessionId() {
        return terms.targetSessionId();
    }

    /** {@return who receives: the application of the session} */
    public String applicationId() {
        return terms.targetApplicationId();
    }

    /** {@return what is delegated; an immutable list of scopes, never empty} */
    public List<String> scopes() {
        return terms.scopes();
    }

    /** {@return the identifier of the resource; empty when none is named} */
    public Optional<String> resource() {
        return Optional.ofNullable(terms.resource());
    }

    /** {@return the constraints, none by default} */
    public DelegationConstraints constraints() {
        return new DelegationConstraints(terms.constraints());
    }

    /**
     * {@return how long the delegation lives; empty for {@link #DEFAULT_TTL}, and no longer than what the issuer has
     * left}
     */
    public Optional<Duration> ttl() {
        return Optional.ofNullable(terms.ttl());
    }

    /** {@return whether the delegation is revoked when the work ends; {@code false} by default} */
    public boolean revokeOnEnd() {
        return terms.revokeOnEnd();
    }

    /** {@return the caller's own idempotency key; empty for one that is generated for each subscription} */
    public Optional<String> idempotencyKey() {
        return Optional.ofNullable(terms.idempotencyKey());
    }

    DelegationTerms terms() {
        return terms;
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof DelegationSpec that && terms.equals(that.terms);
    }

    @Override
    public int hashCode() {
        return terms.hashCode();
    }

    /** Leaves out the key. */
    @Override
    public String toString() {
        return "DelegationSpec[agentSessionId=" + agentSessionId() + ", applicationId=" + applicationId() + ", scopes="
                + scopes() + ", resource=" + terms.resource() + ", constraints=" + constraints() + ", ttl="
                + terms.ttl() + ", revokeOnEnd=" + revokeOnEnd() + "]";
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
         */
        public Builder to(String agentSessionId, String applicationId) {
            this.agentSessionId = Arguments.id(agentSessionId, "to.agentSessionId");
            this.applicationId = Arguments.id(applicationId, "to.applicationId");
            return this;
        }

        /**
         * Sets what is delegated.
         *
         * @param scopes the scopes, at least one
         */
        public Builder scopes(String... scopes) {
            return scopes(Arrays.asList(scopes));
        }

        /** Sets what is delegated; see {@link #scopes(String...)}. */
        public Builder scopes(List<String> scopes) {
            this.scopes = Arguments.scopes(scopes, "scopes");
            return this;
        }

        /**
         * Names the resource. Without it and without {@link DelegationConstraints#resources()} the delegation covers every
         * resource, which the platform allows only to those with a permission for it.
         *
         * @param id its identifier
         */
        public Builder resource(String id) {
            this.resource = Arguments.resource(id, "resource");
            return this;
        }

        /**
         * Adds constraints to those that are set.
         *
         * @param edit sets them, for instance {@code c -> c.maxHops(1)}
         */
        public Builder constraints(UnaryOperator<DelegationConstraints.Builder> edit) {
            return constraints(constraints.with(edit));
        }

        /**
         * Sets the constraints.
         *
         * @param constraints all of them
         */
        public Builder constraints(DelegationConstraints constraints) {
            this.constraints = Objects.requireNonNull(constraints, "constraints");
            return this;
        }

        /**
         * Sets how long the delegation lives.
         *
         * @param ttl whole seconds, from 40 seconds (the Gateway refuses calls under a delegation that is about to end) to
         *     a day; cut to what is left of the delegation that the issuer holds itself
         */
        public Builder ttl(Duration ttl) {
            this.ttl = Arguments.delegationTtl(ttl, "ttl");
            return this;
        }

        /**
         * Revokes the delegation when the work of {@code delegate} ends. On the platform this also ends the session that
         * received it.
         *
         * @param revokeOnEnd whether to revoke it
         */
        public Builder revokeOnEnd(boolean revokeOnEnd) {
            this.revokeOnEnd = revokeOnEnd;
            return this;
        }

        /**
         * Sets the caller's own idempotency key: creating with it again gives the same delegation, as long as it is active.
         *
         * @param key up to 255 bytes in UTF-8, without surrounding white space and control characters
         */
        public Builder idempotencyKey(String key) {
            this.idempotencyKey = Arguments.idempotencyKey(key);
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
                throw Arguments.fault("to", "a delegation needs a receiver; name its session and its application");
            }
            if (scopes.isEmpty()) {
                throw Arguments.fault("scopes", "a delegation needs at least one scope");
            }
            return new DelegationSpec(new DelegationTerms(
                    agentSessionId,
                    applicationId,
                    scopes,
                    resource,
                    constraints.fields(),
                    ttl,
                    revokeOnEnd,
                    idempotencyKey));
        }
    }
}
