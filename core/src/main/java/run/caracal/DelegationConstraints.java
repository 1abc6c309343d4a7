package run.caracal;

import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import run.caracal.internal.text.Chars;
import run.caracal.internal.wire.ConstraintFields;

/**
 * What bounds a delegation besides its scopes. Immutable; the platform's limits are checked when a constraint is set,
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

    private static final Logger log = LoggerFactory.getLogger(Caracal.class);
    private static final AtomicBoolean warnedOfBudget = new AtomicBoolean();
    private static final DelegationConstraints NONE = builder().build();

    private final @Nullable List<String> resources;
    private final @Nullable Integer maxDepth;
    private final @Nullable Integer maxHops;
    private final @Nullable Duration ttl;
    private final @Nullable Integer budget;
    private final @Nullable Boolean policyApproved;
    private final @Nullable Instant expiresAt;
    private final @Nullable String broadReason;

    private DelegationConstraints(Builder b) {
        this.resources = b.resources;
        this.maxDepth = b.maxDepth;
        this.maxHops = b.maxHops;
        this.ttl = b.ttl;
        this.budget = b.budget;
        this.policyApproved = b.policyApproved;
        this.expiresAt = b.expiresAt;
        this.broadReason = b.broadReason;
    }

    /**
     * No constraints.
     *
     * @return constraints that bound nothing
     */
    public static DelegationConstraints none() {
        return NONE;
    }

    /**
     * Starts building.
     *
     * @return a builder without constraints
     */
    public static Builder builder() {
        return new Builder();
    }

    /**
     * Starts from these constraints.
     *
     * @return a builder with the same values
     */
    public Builder mutate() {
        Builder builder = new Builder();
        builder.resources = resources;
        builder.maxDepth = maxDepth;
        builder.maxHops = maxHops;
        builder.ttl = ttl;
        builder.budget = budget;
        builder.policyApproved = policyApproved;
        builder.expiresAt = expiresAt;
        builder.broadReason = broadReason;
        return builder;
    }

    /**
     * The resources that the delegation covers.
     *
     * @return an immutable list, empty when this constrains nothing
     */
    public List<String> resources() {
        return resources == null ? List.of() : resources;
    }

    /**
     * The older name of {@link #maxHops()}.
     *
     * @return the number, empty when it is not set
     */
    public OptionalInt maxDepth() {
        return maxDepth == null ? OptionalInt.empty() : OptionalInt.of(maxDepth);
    }

    /**
     * How many delegations may follow one another, this one included.
     *
     * @return the number; empty for the platform's default of 1
     */
    public OptionalInt maxHops() {
        return maxHops == null ? OptionalInt.empty() : OptionalInt.of(maxHops);
    }

    /**
     * How long the delegation, and what is minted under it, lives at most.
     *
     * @return the time to live; empty when it is not set
     */
    public Optional<Duration> ttl() {
        return Optional.ofNullable(ttl);
    }

    /**
     * The budget.
     *
     * @return the number; empty when it is not set
     */
    public OptionalInt budget() {
        return budget == null ? OptionalInt.empty() : OptionalInt.of(budget);
    }

    /**
     * Whether a policy approved a broad delegation.
     *
     * @return the statement; empty when it is not made
     */
    public Optional<Boolean> policyApproved() {
        return Optional.ofNullable(policyApproved);
    }

    /**
     * When the delegation ends.
     *
     * @return the instant, in milliseconds; empty when only its time to live ends it
     */
    public Optional<Instant> expiresAt() {
        return Optional.ofNullable(expiresAt);
    }

    /**
     * Why the delegation covers every resource.
     *
     * @return the reason; empty when it is not given
     */
    public Optional<String> broadReason() {
        return Optional.ofNullable(broadReason);
    }

    /** The wire form, {@code null} when nothing is constrained. */
    @Nullable
    Map<String, @Nullable Object> wire() {
        Map<String, @Nullable Object> map = fields().toMap();
        return map.isEmpty() ? null : map;
    }

    /** The time to live that the platform will find: the constraint's own wins over that of the delegation. */
    Duration effectiveTtl(Duration asked) {
        Duration effective = ttl == null ? asked : ttl;
        if (expiresAt == null) {
            return effective;
        }
        Instant now = Instant.now();
        if (!expiresAt.isAfter(now)) {
            return Duration.ZERO;
        }
        Duration left = Duration.between(now, expiresAt);
        return left.compareTo(effective) < 0 ? left : effective;
    }

    private ConstraintFields fields() {
        return new ConstraintFields(
                resources,
                maxDepth,
                maxHops,
                ttl == null ? null : ttl.toSeconds(),
                budget,
                policyApproved,
                expiresAt == null ? null : expiresAt.toString(),
                broadReason);
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof DelegationConstraints that && fields().equals(that.fields());
    }

    @Override
    public int hashCode() {
        return fields().hashCode();
    }

    /** The constraints that are set, under their names on the wire. */
    @Override
    public String toString() {
        return "DelegationConstraints" + fields().toMap();
    }

    /** Builds {@link DelegationConstraints}. Not for use by several threads at once. */
    public static final class Builder {
        private @Nullable List<String> resources;
        private @Nullable Integer maxDepth;
        private @Nullable Integer maxHops;
        private @Nullable Duration ttl;
        private @Nullable Integer budget;
        private @Nullable Boolean policyApproved;
        private @Nullable Instant expiresAt;
        private @Nullable String broadReason;

        private Builder() {}

        /**
         * Limits the delegation to resources.
         *
         * @param resources up to {@value #MAX_RESOURCES} resource identifiers
         * @return this builder
         */
        public Builder resources(String... resources) {
            return resources(Arrays.asList(resources));
        }

        /**
         * Limits the delegation to resources; see {@link #resources(String...)}.
         *
         * @param resources the resource identifiers
         * @return this builder
         */
        public Builder resources(List<String> resources) {
            if (resources.isEmpty() || resources.size() > MAX_RESOURCES) {
                throw new IllegalArgumentException("constraints.resources: 1 to " + MAX_RESOURCES
                        + " identifiers are needed, not " + resources.size()
                        + "; leave the constraint out to limit nothing");
            }
            this.resources = resources.stream()
                    .map(resource -> DelegationSpec.requireResource(resource, "constraints.resources"))
                    .toList();
            return this;
        }

        /**
         * Sets how many delegations may follow one another under its older name; prefer {@link #maxHops(int)}.
         *
         * @param maxDepth 1 to {@value #MAX_HOPS}; the same as {@code maxHops} when both are set
         * @return this builder
         */
        public Builder maxDepth(int maxDepth) {
            this.maxDepth = requireRange(maxDepth, MAX_HOPS, "constraints.maxDepth");
            return this;
        }

        /**
         * Sets how many delegations may follow one another, this one included. To let a child pass its authority on and
         * use what it passed on, the platform wants 2 at the last delegation and 3 at the one before it.
         *
         * @param maxHops 1 to {@value #MAX_HOPS}
         * @return this builder
         */
        public Builder maxHops(int maxHops) {
            this.maxHops = requireRange(maxHops, MAX_HOPS, "constraints.maxHops");
            return this;
        }

        /**
         * Sets how long the delegation, and what is minted under it, lives at most. On the platform it wins over the
         * delegation's own time to live.
         *
         * @param ttl whole seconds, from 1 second to a day
         * @return this builder
         */
        public Builder ttl(Duration ttl) {
            this.ttl = SpawnOptions.requireTtl(ttl, "constraints.ttl");
            return this;
        }

        /**
         * Sets a budget. The platform's release 1.0 stores it and then refuses every mandate under the delegation, which
         * is logged once: leave it out there.
         *
         * @param budget 1 to {@value #MAX_BUDGET}
         * @return this builder
         */
        public Builder budget(int budget) {
            this.budget = requireRange(budget, MAX_BUDGET, "constraints.budget");
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
         * @return this builder
         */
        public Builder policyApproved(boolean policyApproved) {
            this.policyApproved = policyApproved;
            return this;
        }

        /**
         * Sets when the delegation ends. On the platform it wins over every time to live.
         *
         * @param expiresAt an instant; parts of a millisecond are dropped
         * @return this builder
         */
        public Builder expiresAt(Instant expiresAt) {
            this.expiresAt = expiresAt.truncatedTo(ChronoUnit.MILLIS);
            return this;
        }

        /**
         * Says why the delegation covers every resource.
         *
         * @param broadReason 1 to {@value #MAX_BROAD_REASON_LENGTH} characters
         * @return this builder
         */
        public Builder broadReason(String broadReason) {
            if (broadReason.isBlank()
                    || broadReason.length() > MAX_BROAD_REASON_LENGTH
                    || Chars.hasControl(broadReason)) {
                throw new IllegalArgumentException("constraints.broadReason: 1 to " + MAX_BROAD_REASON_LENGTH
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
                throw new IllegalArgumentException(
                        "constraints.maxDepth and constraints.maxHops: both are set and differ (" + maxDepth + " and "
                                + maxHops + "); they mean the same, so set maxHops only");
            }
            return new DelegationConstraints(this);
        }
    }

    private static int requireRange(int value, int max, String field) {
        if (value < 1 || value > max) {
            throw new IllegalArgumentException(field + ": 1 to " + max + " is needed, not " + value);
        }
        return value;
    }
}
