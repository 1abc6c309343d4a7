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
 * The limits of a delegation besides its scopes. Immutable; the platform's limits are checked when a constraint is set,
 * before any call.
 */
public final class DelegationConstraints {
    /** How many resources a constraint may name. */
    public static final int MAX_RESOURCES = 64;

    /** How many delegations may follow one another at most. */
    public static final int MAX_HOPS = 10;

    /** The largest budget. */
    public static final int MAX_BUDGET = 64;

    /** How long the reason for a broad delegation may be, in characters. */
    public static final int MAX_BROAD_REASON_LENGTH = 256;

    private static final Logger log = LoggerFactory.getLogger(LogNames.CLIENT);
    private static final AtomicBoolean warnedOfBudget = new AtomicBoolean();
    private static final DelegationConstraints NONE = new DelegationConstraints(ConstraintFields.NONE);

    private final ConstraintFields fields;

    DelegationConstraints(ConstraintFields fields) {
        this.fields = fields;
    }

    /** {@return constraints that bound nothing} */
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

    /** {@return the resources that the delegation covers; an immutable list, empty when this constrains nothing} */
    public List<String> resources() {
        return fields.namedResources();
    }

    /** {@return the older name of {@link #maxHops()}; the number, empty when it is not set} */
    public OptionalInt maxDepth() {
        return optional(fields.maxDepth());
    }

    /**
     * {@return how many delegations may follow one another, this one included; empty for the platform's default of 1}
     */
    public OptionalInt maxHops() {
        return optional(fields.maxHops());
    }

    /** {@return how long the delegation, and what is minted under it, lives at most; empty when it is not set} */
    public Optional<Duration> ttl() {
        return Optional.ofNullable(fields.ttlSeconds()).map(Duration::ofSeconds);
    }

    /** {@return the budget; empty when it is not set} */
    public OptionalInt budget() {
        return optional(fields.budget());
    }

    /** {@return whether a policy approved a broad delegation; empty when it is not made} */
    public Optional<Boolean> policyApproved() {
        return Optional.ofNullable(fields.policyApproved());
    }

    /** {@return when the delegation ends; the instant, in milliseconds; empty when only its time to live ends it} */
    public Optional<Instant> expiresAt() {
        return Optional.ofNullable(fields.expiresAt()).map(Instant::parse);
    }

    /** {@return why the delegation covers every resource; empty when it is not given} */
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
         * @param resources up to {@value #MAX_RESOURCES} resource identifiers
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
         * Sets how many delegations may follow one another under its older name; prefer {@link #maxHops(int)}.
         *
         * @param maxDepth 1 to {@value #MAX_HOPS}; the same as {@code maxHops} when both are set
         */
        public Builder maxDepth(int maxDepth) {
            this.maxDepth = Arguments.range(maxDepth, 1, MAX_HOPS, "constraints.maxDepth");
            return this;
        }

        /**
         * Sets how many delegations may follow one another, this one included. To let a child pass its authority on and
         * use what it passed on, the platform wants 2 at the last delegation and 3 at the one before it.
         *
         * @param maxHops 1 to {@value #MAX_HOPS}
         */
        public Builder maxHops(int maxHops) {
            this.maxHops = Arguments.range(maxHops, 1, MAX_HOPS, "constraints.maxHops");
            return this;
        }

        /**
         * Sets how long the delegation, and what is minted under it, lives at most. On the platform it wins over the
         * delegation's own time to live.
         *
         * @param ttl whole seconds, from 40 seconds (the Gateway refuses calls under a delegation that is about to end) to
         *     a day
         */
        public Builder ttl(Duration ttl) {
            this.ttlSeconds = Arguments.delegationTtl(ttl, "constraints.ttl").toSeconds();
            return this;
        }

        /**
         * Sets a budget. The platform's release 1.0 stores it and then refuses every mandate under the delegation, which
         * is logged once: leave it out there.
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

        /**
         * States that a policy approved a delegation that covers every resource.
         *
         * @param policyApproved whether it did
         */
        public Builder policyApproved(boolean policyApproved) {
            this.policyApproved = policyApproved;
            return this;
        }

        /**
         * Sets when the delegation ends. On the platform it wins over every time to live.
         *
         * @param expiresAt an instant; parts of a millisecond are dropped
         */
        public Builder expiresAt(Instant expiresAt) {
            this.expiresAt = expiresAt.truncatedTo(ChronoUnit.MILLIS).toString();
            return this;
        }

        /**
         * Says why the delegation covers every resource.
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
         * @return immutable constraints
         * @throws IllegalArgumentException if constraints contradict each other
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
