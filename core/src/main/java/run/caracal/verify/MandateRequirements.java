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
 * What a boundary requires of a mandate, besides that it is genuine, meant for it, and not revoked. Immutable; each method
 * {@code with...} gives a changed copy.
 */
public final class MandateRequirements {
    /** Delegations nest no deeper on the platform; the most, and the default, for {@link #withMaxHops(int)}. */
    public static final int MAX_HOPS = 10;

    private static final MandateRequirements DEFAULTS =
            new MandateRequirements(Use.RESOURCE, Set.of(), Set.of(), Set.of(), false, false, MAX_HOPS);

    private final Use use;
    private final Set<String> scopes;
    private final Set<String> targets;
    private final Set<String> applications;
    private final boolean session;
    private final boolean delegation;
    private final int maxHops;

    private MandateRequirements(
            Use use,
            Set<String> scopes,
            Set<String> targets,
            Set<String> applications,
            boolean session,
            boolean delegation,
            int maxHops) {
        this.use = use;
        this.scopes = scopes;
        this.targets = targets;
        this.applications = applications;
        this.session = session;
        this.delegation = delegation;
        this.maxHops = maxHops;
    }

    /**
     * A mandate for a resource, as the Gateway hands it to an upstream, over at most {@value #MAX_HOPS} delegations; nothing
     * more.
     *
     * @return requirements with every default
     */
    public static MandateRequirements defaults() {
        return DEFAULTS;
    }

    /**
     * Sets which kind of mandate is taken. One-shot mandates for the Gateway ({@code use=gateway}) are taken nowhere else.
     *
     * @param use the kind
     * @return requirements with this kind
     */
    public MandateRequirements withUse(Use use) {
        return new MandateRequirements(
                Objects.requireNonNull(use, "use"), scopes, targets, applications, session, delegation, maxHops);
    }

    /**
     * Sets which scopes the mandate has to have; upper and lower case differ.
     *
     * @param scopes all of them are needed; none for no requirement
     * @return requirements with these scopes
     * @throws IllegalArgumentException if one is no scope
     */
    public MandateRequirements withScopes(String... scopes) {
        return new MandateRequirements(
                use, checked("scopes", scopes, Rules::scopes), targets, applications, session, delegation, maxHops);
    }

    /**
     * Sets for which resources the mandate has to be granted.
     *
     * @param targets the identifiers of resources, all of which are needed; none for no requirement
     * @return requirements with these targets
     * @throws IllegalArgumentException if one is no identifier of a resource
     */
    public MandateRequirements withTargets(String... targets) {
        return new MandateRequirements(
                use,
                scopes,
                checked("targets", targets, each(Rules::resourceId)),
                applications,
                session,
                delegation,
                maxHops);
    }

    /**
     * Requires that the mandate is bound to an agent session.
     *
     * @return requirements with a session
     */
    public MandateRequirements withSession() {
        return new MandateRequirements(use, scopes, targets, applications, true, delegation, maxHops);
    }

    /**
     * Requires that the mandate is bound to a delegation.
     *
     * @return requirements with a delegation
     */
    public MandateRequirements withDelegation() {
        return new MandateRequirements(use, scopes, targets, applications, session, true, maxHops);
    }

    /**
     * Sets over how many delegations the mandate may have come.
     *
     * @param maxHops from 1 to {@value #MAX_HOPS}
     * @return requirements with this limit
     * @throws IllegalArgumentException if it is outside
     */
    public MandateRequirements withMaxHops(int maxHops) {
        if (maxHops < 1 || maxHops > MAX_HOPS) {
            throw new IllegalArgumentException("maxHops must be from 1 to " + MAX_HOPS + ", not " + maxHops);
        }
        return new MandateRequirements(use, scopes, targets, applications, session, delegation, maxHops);
    }

    /**
     * Sets which applications have to be in the mandate's chain of delegations, the one that acts included. A mandate
     * without a chain has none of them.
     *
     * @param applications the ids of applications, all of which are needed; none for no requirement
     * @return requirements with these applications
     * @throws IllegalArgumentException if one is no id
     */
    public MandateRequirements withApplications(String... applications) {
        return new MandateRequirements(
                use,
                scopes,
                targets,
                checked("applications", applications, each(Rules::id)),
                session,
                delegation,
                maxHops);
    }

    private static Function<List<String>, @Nullable String> each(Function<String, @Nullable String> rule) {
        return values ->
                values.stream().map(rule).filter(Objects::nonNull).findFirst().orElse(null);
    }

    private static Set<String> checked(String field, String[] values, Function<List<String>, @Nullable String> rule) {
        String fault = rule.apply(List.of(values));
        if (fault != null) {
            throw new IllegalArgumentException(field + ": " + fault);
        }
        // In their order, for messages; List.of() above refused null.
        return Collections.unmodifiableSet(new LinkedHashSet<>(Arrays.asList(values)));
    }

    /**
     * Which kind of mandate is taken.
     *
     * @return the kind, {@link Use#RESOURCE} by default
     */
    public Use use() {
        return use;
    }

    /**
     * Which scopes the mandate has to have.
     *
     * @return an immutable set, empty by default
     */
    public Set<String> scopes() {
        return scopes;
    }

    /**
     * For which resources the mandate has to be granted.
     *
     * @return an immutable set, empty by default
     */
    public Set<String> targets() {
        return targets;
    }

    /**
     * Which applications have to be in the chain of delegations.
     *
     * @return an immutable set, empty by default
     */
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

    /**
     * Over how many delegations the mandate may have come.
     *
     * @return from 1 to {@value #MAX_HOPS}
     */
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
}
