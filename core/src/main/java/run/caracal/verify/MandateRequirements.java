package run.caracal.verify;

import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import run.caracal.internal.config.Rules;
import run.caracal.verify.VerifiedMandate.Use;

/**
 * Requirements of a boundary for a mandate, besides that it is valid, for this audience, and not revoked. Immutable.
 *
 * <pre>{@code
 * MandateRequirements.builder().scopes("billing:charge").session(true).build()
 * }</pre>
 */
public final class MandateRequirements {
    /** The platform's maximum number of delegations in a chain, and the default of {@link Builder#maxHops(int)}. */
    public static final int MAX_HOPS = 10;

    private static final MandateRequirements DEFAULTS = new MandateRequirements(new Builder());

    private final Use use;
    private final Set<String> scopes;
    private final Set<String> targets;
    private final Set<String> applications;
    private final boolean session;
    private final boolean delegation;
    private final int maxHops;

    private MandateRequirements(Builder builder) {
        this.use = builder.use;
        this.scopes = builder.scopes;
        this.targets = builder.targets;
        this.applications = builder.applications;
        this.session = builder.session;
        this.delegation = builder.delegation;
        this.maxHops = builder.maxHops;
    }

    /**
     * {@return the default requirements: a mandate for a resource, as the Gateway forwards it to an upstream, with at
     * most {@value #MAX_HOPS} delegations}
     */
    public static MandateRequirements defaults() {
        return DEFAULTS;
    }

    /** {@return a builder with the default requirements} */
    public static Builder builder() {
        return DEFAULTS.mutate();
    }

    /** {@return a builder with the same values} */
    public Builder mutate() {
        Builder builder = new Builder();
        builder.use = use;
        builder.scopes = scopes;
        builder.targets = targets;
        builder.applications = applications;
        builder.session = session;
        builder.delegation = delegation;
        builder.maxHops = maxHops;
        return builder;
    }

    /** {@return the required kind of mandate; {@link Use#RESOURCE} by default} */
    public Use use() {
        return use;
    }

    /** {@return the required scopes; an immutable set, empty by default} */
    public Set<String> scopes() {
        return scopes;
    }

    /** {@return the required target resources; an immutable set, empty by default} */
    public Set<String> targets() {
        return targets;
    }

    /** {@return the applications required in the chain of delegations; an immutable set, empty by default} */
    public Set<String> applications() {
        return applications;
    }

    /** {@return whether an agent session is required; {@code false} by default} */
    public boolean session() {
        return session;
    }

    /** {@return whether a delegation is required; {@code false} by default} */
    public boolean delegation() {
        return delegation;
    }

    /** {@return the maximum number of delegations; from 1 to {@value #MAX_HOPS}} */
    public int maxHops() {
        return maxHops;
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof MandateRequirements that
                && use == that.use
                && scopes.equals(that.scopes)
                && targets.equals(that.targets)
                && applications.equals(that.applications)
                && session == that.session
                && delegation == that.delegation
                && maxHops == that.maxHops;
    }

    @Override
    public int hashCode() {
        return Objects.hash(use, scopes, targets, applications, session, delegation, maxHops);
    }

    @Override
    public String toString() {
        return "MandateRequirements[use=" + use + ", scopes=" + scopes + ", targets=" + targets + ", applications="
                + applications + ", session=" + session + ", delegation=" + delegation + ", maxHops=" + maxHops + "]";
    }

    /** Builds {@link MandateRequirements}. Not for use by several threads at once. */
    public static final class Builder {
        private Use use = Use.RESOURCE;
        private Set<String> scopes = Set.of();
        private Set<String> targets = Set.of();
        private Set<String> applications = Set.of();
        private boolean session;
        private boolean delegation;
        private int maxHops = MAX_HOPS;

        private Builder() {}

        /**
         * Sets the required kind of mandate. One-shot mandates for the Gateway ({@code use=gateway}) are accepted
         * nowhere else.
         */
        public Builder use(Use use) {
            this.use = Objects.requireNonNull(use, "use");
            return this;
        }

        /**
         * Sets the required scopes, case-sensitive.
         *
         * @param scopes all of them are required; none for no requirement
         * @throws IllegalArgumentException if a scope is malformed
         */
        public Builder scopes(String... scopes) {
            this.scopes = checked("scopes", scopes, Rules::scopes);
            return this;
        }

        /**
         * Sets the required target resources.
         *
         * @param targets resource ids, all of which are required; none for no requirement
         * @throws IllegalArgumentException if an id is malformed
         */
        public Builder targets(String... targets) {
            this.targets = checked("targets", targets, each(Rules::resourceId));
            return this;
        }

        /**
         * Sets the applications required in the chain of delegations, which includes the acting one. A mandate without
         * a chain has none.
         *
         * @param applications application ids, all of which are required; none for no requirement
         * @throws IllegalArgumentException if an id is malformed
         */
        public Builder applications(String... applications) {
            this.applications = checked("applications", applications, each(Rules::id));
            return this;
        }

        /** Sets whether an agent session is required. */
        public Builder session(boolean session) {
            this.session = session;
            return this;
        }

        /** Sets whether a delegation is required. */
        public Builder delegation(boolean delegation) {
            this.delegation = delegation;
            return this;
        }

        /**
         * Sets the maximum number of delegations.
         *
         * @param maxHops from 1 to {@value #MAX_HOPS}
         * @throws IllegalArgumentException if it is out of range
         */
        public Builder maxHops(int maxHops) {
            if (maxHops < 1 || maxHops > MAX_HOPS) {
                throw new IllegalArgumentException("maxHops must be from 1 to " + MAX_HOPS + ", not " + maxHops);
            }
            this.maxHops = maxHops;
            return this;
        }

        /** {@return the requirements} */
        public MandateRequirements build() {
            return new MandateRequirements(this);
        }

        private static Function<List<String>, @Nullable String> each(Function<String, @Nullable String> rule) {
            return values -> values.stream()
                    .map(rule)
                    .filter(Objects::nonNull)
                    .findFirst()
                    .orElse(null);
        }

        private static Set<String> checked(
                String field, String[] values, Function<List<String>, @Nullable String> rule) {
            Rules.require(field, rule.apply(List.of(values)));
            // In their order, for messages; List.of() above refused null.
            return Collections.unmodifiableSet(new LinkedHashSet<>(Arrays.asList(values)));
        }
    }
}
