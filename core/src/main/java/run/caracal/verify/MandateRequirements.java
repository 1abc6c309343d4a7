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
 * Requirements of a boundary on a mandate, besides that it is genuine, meant for it, and not revoked. Immutable.
 *
 * <pre>{@code
 * MandateRequirements.builder().scopes("billing:charge").session(true).build()
 * }</pre>
 */
public final class MandateRequirements {
    /** Delegations nest no deeper on the platform; the most, and the default, for {@link Builder#maxHops(int)}. */
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
     * {@return requirements with every default: a mandate for a resource, as the Gateway hands it to an upstream, over at
     * most {@value #MAX_HOPS} delegations; nothing more}
     */
    public static MandateRequirements defaults() {
        return DEFAULTS;
    }

    /** {@return a builder with every default} */
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

    /** {@return which kind of mandate is taken, {@link Use#RESOURCE} by default} */
    public Use use() {
        return use;
    }

    /** {@return which scopes the mandate has to have; an immutable set, empty by default} */
    public Set<String> scopes() {
        return scopes;
    }

    /** {@return for which resources the mandate has to be granted; an immutable set, empty by default} */
    public Set<String> targets() {
        return targets;
    }

    /** {@return which applications have to be in the chain of delegations; an immutable set, empty by default} */
    public Set<String> applications() {
        return applications;
    }

    /** {@return whether the mandate has to be bound to an agent session; {@code false} by default} */
    public boolean session() {
        return session;
    }

    /** {@return whether the mandate has to be bound to a delegation; {@code false} by default} */
    public boolean delegation() {
        return delegation;
    }

    /** {@return over how many delegations the mandate may have come; from 1 to {@value #MAX_HOPS}} */
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

        /** Sets which kind of mandate is taken. One-shot mandates for the Gateway ({@code use=gateway}) are taken nowhere else. */
        public Builder use(Use use) {
            this.use = Objects.requireNonNull(use, "use");
            return this;
        }

        /**
         * Sets which scopes the mandate has to have; upper and lower case differ.
         *
         * @param scopes all of them are needed; none for no requirement
         * @throws IllegalArgumentException if one is no scope
         */
        public Builder scopes(String... scopes) {
            this.scopes = checked("scopes", scopes, Rules::scopes);
            return this;
        }

        /**
         * Sets for which resources the mandate has to be granted.
         *
         * @param targets the identifiers of resources, all of which are needed; none for no requirement
         * @throws IllegalArgumentException if one is no identifier of a resource
         */
        public Builder targets(String... targets) {
            this.targets = checked("targets", targets, each(Rules::resourceId));
            return this;
        }

        /**
         * Sets which applications have to be in the mandate's chain of delegations, the one that acts included. A mandate
         * without a chain has none of them.
         *
         * @param applications the ids of applications, all of which are needed; none for no requirement
         * @throws IllegalArgumentException if one is no id
         */
        public Builder applications(String... applications) {
            this.applications = checked("applications", applications, each(Rules::id));
            return this;
        }

        /** Sets whether the mandate has to be bound to an agent session. */
        public Builder session(boolean session) {
            this.session = session;
            return this;
        }

        /** Sets whether the mandate has to be bound to a delegation. */
        public Builder delegation(boolean delegation) {
            this.delegation = delegation;
            return this;
        }

        /**
         * Sets over how many delegations the mandate may have come.
         *
         * @param maxHops from 1 to {@value #MAX_HOPS}
         * @throws IllegalArgumentException if it is outside
         */
        public Builder maxHops(int maxHops) {
            if (maxHops < 1 || maxHops > MAX_HOPS) {
                throw new IllegalArgumentException("maxHops must be from 1 to " + MAX_HOPS + ", not " + maxHops);
            }
            this.maxHops = maxHops;
            return this;
        }

        /** {@return immutable requirements} */
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
            String fault = rule.apply(List.of(values));
            if (fault != null) {
                throw new IllegalArgumentException(field + ": " + fault);
            }
            // In their order, for messages; List.of() above refused null.
            return Collections.unmodifiableSet(new LinkedHashSet<>(Arrays.asList(values)));
        }
    }
}
