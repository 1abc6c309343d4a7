package run.caracal;

import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import run.caracal.internal.LogNames;
import run.caracal.internal.config.Rules;
import run.caracal.internal.options.Arguments;
import run.caracal.internal.wire.ConstraintFields;

/**
 * Limits of a delegation besides its scopes. Immutable; each constraint is checked against the platform's limits when
 * it is set.
 */
public final class DelegationConstraints {
    /** The maximum number of resources. */
    public static final int MAX_RESOURCES = 64;

    /** The maximum number of delegations in a chain. */
    public static final int MAX_HOPS = 10;

    /** The maximum budget. */
    public static final int MAX_BUDGET = 64;

    /** The maximum length of the reason for a broad delegation, in characters. */
    public static final int MAX_BROAD_REASON_LENGTH = 256;

    private static final Logger log = LoggerFactory.getLogger(LogNames.CLIENT);
    private static final AtomicBoolean warnedOfBudget = new AtomicBoolean();
    private static final DelegationConstraints NONE = new DelegationConstraints(ConstraintFields.NONE);

    private final ConstraintFields fields;

    DelegationConstraints(ConstraintFields fields) {
        this.fields = fields;
    }

    /** {@return no constraints} */
    public static DelegationConstraints none() {
        return NONE;
    }

    /** {@return a builder without constraints} */
    public static Builder builder() {
        return new Builder(ConstraintFields.NONE);
    }

    /** {@return a builder with the same values} */
    public Builder mutate() {
        return new Builder(fields);
    }

    DelegationConstraints with(UnaryOperator<Builder> edit) {
        return Objects.requireNonNull(
                        edit.apply(mutate()), "constraints: the function returned null; it has to return the builder")
                .build();
    }

    /** {@return the resources that the delegation is limited to; an immutable list, empty for no limit} */
    public List<String> resources() {
        return fields.namedResources();
    }

    /** {@return the value of the older name of {@link #maxHops()}, if set} */
    public OptionalInt maxDepth() {
        return optional(fields.maxDepth());
    }

    /**
     * {@return the maximum length of a chain of delegations, this one included; empty for the platform's default, 1}
     */
    public OptionalInt maxHops() {
        return optional(fields.maxHops());
    }

    /** {@return the maximum life of the delegation and of mandates under it, if set} */
    public Optional<Duration> ttl() {
        return Optional.ofNullable(fields.ttlSeconds()).map(Duration::ofSeconds);
    }

    /** {@return the budget, if set} */
    public OptionalInt budget() {
        return optional(fields.budget());
    }

    /** {@return whether a policy approved a broad delegation, if stated} */
    public Optional<Boolean> policyApproved() {
        return Optional.ofNullable(fields.policyApproved());
    }

    /** {@return when the delegation expires, in milliseconds, if set} */
    public Optional<Instant> expiresAt() {
        return Optional.ofNullable(fields.expiresAt()).map(Instant::parse);
    }

    /** {@return why the delegation covers every resource, if stated} */
    public Optional<String> broadReason() {
        return Optional.ofNullable(fields.broadReason());
    }

    private static OptionalInt optional(@Nullable Integer value) {
        return value == null ? OptionalInt.empty() : OptionalInt.of(value);
    }

    ConstraintFields fields() {
        return fields;
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof DelegationConstraints that && fields.equals(that.fields);
    }

    @Override
    public int hashCode() {
        return fields.hashCode();
    }

    /** The constraints that are set, under their names on the wire. */
    @Override
    public String toString() {
        return "DelegationConstraints" + fields.toMap();
    }

    /** Builds {@link DelegationConstraints}. Not for use by several threads at once. */
    public static final class Builder {
        private @Nullable List<String> resources;
        private @Nullable Integer maxDepth;
        private @Nullable Integer maxHops;
        private @Nullable Long ttlSeconds;
        private @Nullable Integer budget;
        private @Nullable Boolean policyApproved;
        private @Nullable String expiresAt;
        private @Nullable String broadReason;

        private Builder(ConstraintFields fields) {
            this.resources = fields.resources();
            this.maxDepth = fields.maxDepth();
            this.maxHops = fields.maxHops();
            this.ttlSeconds = fields.ttlSeconds();
            this.budget = fields.budget();
            this.policyApproved = fields.policyApproved();
            this.expiresAt = fields.expiresAt();
            this.broadReason = fields.broadReason();
        }

        /**
         * Limits the delegation to resources.
         *
         * @param resources up to {@value #MAX_RESOURCES} resource ids
         */
        public Builder resources(String... resources) {
            return resources(Arrays.asList(resources));
        }

        /** Limits the delegation to resources; see {@link #resources(String...)}. */
        public Builder resources(List<String> resources) {
            if (resources.isEmpty() || resources.size() > MAX_RESOURCES) {
                throw Arguments.fault(
                        "constraints.resources",
                        "1 to " + MAX_RESOURCES + " identifiers are needed, not " + resources.size()
                                + "; leave the constraint out to limit nothing");
            }
            this.resources = resources.stream()
                    .map(resource -> Arguments.resource(resource, "constraints.resources"))
                    .toList();
            return this;
        }

        /**
         * Sets the older name of {@link #maxHops(int)}.
         *
         * @param maxDepth 1 to {@value #MAX_HOPS}; must equal {@code maxHops} if both are set
         */
        public Builder maxDepth(int maxDepth) {
            this.maxDepth = Arguments.range(maxDepth, 1, MAX_HOPS, "constraints.maxDepth");
            return this;
        }

        /**
         * Sets the maximum length of a chain of delegations, this one included. For the receiver of a second delegation
         * to make calls, the platform requires 3 at the first one and 2 at the second.
         *
         * @param maxHops 1 to {@value #MAX_HOPS}
         */
        public Builder maxHops(int maxHops) {
            this.maxHops = Arguments.range(maxHops, 1, MAX_HOPS, "constraints.maxHops");
            return this;
        }

        /**
         * Limits the life of the delegation and of mandates under it. On the platform this overrides the delegation's
         * own TTL.
         *
         * @param ttl whole seconds, from 40 seconds (the Gateway rejects calls under a delegation that is about to
         *     expire) to a day
         */
        public Builder ttl(Duration ttl) {
            this.ttlSeconds = Arguments.delegationTtl(ttl, "constraints.ttl").toSeconds();
            return this;
        }

        /**
         * Sets a budget. Release 1.0 of the platform stores it, and then rejects every mandate under the delegation, so
         * leave it out there; a warning is logged once.
         *
         * @param budget 1 to {@value #MAX_BUDGET}
         */
        public Builder budget(int budget) {
            this.budget = Arguments.range(budget, 1, MAX_BUDGET, "constraints.budget");
            if (warnedOfBudget.compareAndSet(false, true)) {
                log.warn(
                        "A delegation has a budget constraint: release 1.0 of the platform refuses every mandate under such a "
                                + "delegation; leave the budget out there");
            }
            return this;
        }

        /** States whether a policy approved a delegation that covers every resource. */
        public Builder policyApproved(boolean policyApproved) {
            this.policyApproved = policyApproved;
            return this;
        }

        /**
         * Sets when the delegation expires. On the platform this overrides every TTL.
         *
         * @param expiresAt truncated to milliseconds
         */
        public Builder expiresAt(Instant expiresAt) {
            this.expiresAt = expiresAt.truncatedTo(ChronoUnit.MILLIS).toString();
            return this;
        }

        /**
         * States why the delegation covers every resource.
         *
         * @param broadReason 1 to {@value #MAX_BROAD_REASON_LENGTH} characters
         */
        public Builder broadReason(String broadReason) {
            if (!Rules.isLine(broadReason, MAX_BROAD_REASON_LENGTH)) {
                throw Arguments.fault(
                        "constraints.broadReason",
                        "1 to " + MAX_BROAD_REASON_LENGTH
                                + " characters are needed, not all blank, and no control character");
            }
            this.broadReason = broadReason;
            return this;
        }

        /**
         * Builds the constraints.
         *
         * @throws IllegalArgumentException if {@code maxDepth} and {@code maxHops} differ
         */
        public DelegationConstraints build() {
            if (maxDepth != null && maxHops != null && !maxDepth.equals(maxHops)) {
                throw Arguments.fault(
                        "constraints.maxDepth and constraints.maxHops",
                        "both are set and differ (" + maxDepth + " and " + maxHops
                                + "); they mean the same, so set maxHops only");
            }
            return new DelegationConstraints(new ConstraintFields(
                    resources, maxDepth, maxHops, ttlSeconds, budget, policyApproved, expiresAt, broadReason));
        }
    }
}
