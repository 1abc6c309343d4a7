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
 * A delegation by the bound session. Immutable; each option is checked against the platform's limits when it is set.
 *
 * <pre>{@code
 * DelegationSpec.builder().to(agentSessionId, "payments-service")
 *         .scopes("payment:submit").resource("resource://payments").ttl(Duration.ofMinutes(5)).build()
 * }</pre>
 */
public final class DelegationSpec {
    /** The default TTL of a delegation. */
    public static final Duration DEFAULT_TTL = DelegationTerms.DEFAULT_TTL;

    private final DelegationTerms terms;

    private DelegationSpec(DelegationTerms terms) {
        this.terms = terms;
    }

    /** {@return a builder; receiver and scopes are required} */
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

    /** {@return the receiving session} */
    public String agentSessionId() {
        return terms.targetSessionId();
    }

    /** {@return the application of the receiving session} */
    public String applicationId() {
        return terms.targetApplicationId();
    }

    /** {@return the delegated scopes; an immutable list, never empty} */
    public List<String> scopes() {
        return terms.scopes();
    }

    /** {@return the resource id, if set} */
    public Optional<String> resource() {
        return Optional.ofNullable(terms.resource());
    }

    /** {@return the constraints; none by default} */
    public DelegationConstraints constraints() {
        return new DelegationConstraints(terms.constraints());
    }

    /** {@return the TTL; empty for {@link #DEFAULT_TTL}, cut to the remaining life of the issuer's own delegation} */
    public Optional<Duration> ttl() {
        return Optional.ofNullable(terms.ttl());
    }

    /** {@return whether {@code delegate} revokes the delegation when its work ends; {@code false} by default} */
    public boolean revokeOnEnd() {
        return terms.revokeOnEnd();
    }

    /** {@return your own idempotency key; empty for a key generated per subscription} */
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

    /** Omits the idempotency key. */
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
         * Sets the receiver.
         *
         * @param agentSessionId the receiving session, not the issuing one
         * @param applicationId its application
         */
        public Builder to(String agentSessionId, String applicationId) {
            this.agentSessionId = Arguments.id(agentSessionId, "to.agentSessionId");
            this.applicationId = Arguments.id(applicationId, "to.applicationId");
            return this;
        }

        /**
         * Sets the delegated scopes.
         *
         * @param scopes at least one
         */
        public Builder scopes(String... scopes) {
            return scopes(Arrays.asList(scopes));
        }

        /** Sets the delegated scopes; see {@link #scopes(String...)}. */
        public Builder scopes(List<String> scopes) {
            this.scopes = Arguments.scopes(scopes, "scopes");
            return this;
        }

        /**
         * Sets the resource. Without it, and without {@link DelegationConstraints#resources()}, the delegation covers
         * every resource, which needs a permission on the platform.
         */
        public Builder resource(String id) {
            this.resource = Arguments.resource(id, "resource");
            return this;
        }

        /** Adds constraints, for instance {@code c -> c.maxHops(1)}. */
        public Builder constraints(UnaryOperator<DelegationConstraints.Builder> edit) {
            return constraints(constraints.with(edit));
        }

        /** Replaces the constraints. */
        public Builder constraints(DelegationConstraints constraints) {
            this.constraints = Objects.requireNonNull(constraints, "constraints");
            return this;
        }

        /**
         * Sets the TTL.
         *
         * @param ttl whole seconds, from 40 seconds (the Gateway rejects calls under a delegation that is about to
         *     expire) to a day; cut to the remaining life of the issuer's own delegation
         */
        public Builder ttl(Duration ttl) {
            this.ttl = Arguments.delegationTtl(ttl, "ttl");
            return this;
        }

        /**
         * Sets whether {@code delegate} revokes the delegation when its work ends. The platform then also ends the
         * receiving session.
         */
        public Builder revokeOnEnd(boolean revokeOnEnd) {
            this.revokeOnEnd = revokeOnEnd;
            return this;
        }

        /**
         * Sets your own idempotency key: creating again with the same key returns the same delegation, as long as it is
         * active.
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
