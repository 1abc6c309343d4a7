package run.caracal;

import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import run.caracal.internal.options.Arguments;
import run.caracal.internal.options.GrantSpec;
import run.caracal.internal.wire.ConstraintFields;

/**
 * The part of its parent's authority that a session is given: all that the parent holds ({@link #inherit()}, the
 * default), a smaller part ({@link #narrow(String...)}), or nothing ({@link #none()}). Immutable.
 *
 * <pre>{@code
 * Grant.narrow("tickets:read").resource("https://api.example.com/tickets").ttl(Duration.ofMinutes(10))
 * }</pre>
 */
public abstract sealed class Grant {
    private static final Grant INHERIT = new Fixed(GrantSpec.Whole.INHERIT, "Grant.inherit");
    private static final Grant NONE = new Fixed(GrantSpec.Whole.NONE, "Grant.none");

    private final GrantSpec spec;

    private Grant(GrantSpec spec) {
        this.spec = spec;
    }

    static Grant of(GrantSpec spec) {
        return spec instanceof GrantSpec.Narrow narrow ? new Narrow(narrow) : spec == INHERIT.spec ? INHERIT : NONE;
    }

    GrantSpec spec() {
        return spec;
    }

    /**
     * {@return what the parent holds: the application's authority under a root, the parent's slice when it was narrowed
     * itself}
     */
    public static Grant inherit() {
        return INHERIT;
    }

    /** Nothing: the session holds no authority, of its parent's or of the application's, and obtains none. */
    public static Grant none() {
        return NONE;
    }

    /**
     * A part of what the parent holds: a delegation from the parent is issued to the session, and bounds it. Needs a parent
     * session.
     *
     * @param scopes the scopes, at least one
     * @return the grant, for the only configured resource until another is named
     * @throws IllegalArgumentException if there is none, or one that is no scope
     */
    public static Narrow narrow(String... scopes) {
        return narrow(Arrays.asList(scopes));
    }

    /**
     * A part of what the parent holds; see {@link #narrow(String...)}.
     *
     * @throws IllegalArgumentException if there is none, or one that is no scope
     */
    public static Narrow narrow(List<String> scopes) {
        if (scopes.isEmpty()) {
            throw Arguments.fault("Grant.narrow", "at least one scope is needed; to give nothing, use Grant.none()");
        }
        return new Narrow(
                new GrantSpec.Narrow(Arguments.scopes(scopes, "Grant.narrow"), null, ConstraintFields.NONE, null));
    }

    @Override
    public final boolean equals(@Nullable Object other) {
        return other instanceof Grant that && spec.equals(that.spec);
    }

    @Override
    public final int hashCode() {
        return spec.hashCode();
    }

    /** A grant without parts. */
    private static final class Fixed extends Grant {
        private final String name;

        Fixed(GrantSpec spec, String name) {
            super(spec);
            this.name = name;
        }

        @Override
        public String toString() {
            return name;
        }
    }

    /** A part of what the parent holds. */
    public static final class Narrow extends Grant {
        private final GrantSpec.Narrow spec;

        private Narrow(GrantSpec.Narrow spec) {
            super(spec);
            this.spec = spec;
        }

        /**
         * Names the resource.
         *
         * @param id its identifier
         * @return this grant for that resource
         */
        public Narrow resource(String id) {
            return new Narrow(new GrantSpec.Narrow(
                    spec.scopes(), Arguments.resource(id, "resource"), spec.constraints(), spec.ttl()));
        }

        /**
         * Adds constraints to those that are set.
         *
         * @param edit sets them, for instance {@code c -> c.maxHops(1)}
         * @return this grant with the constraints
         */
        public Narrow constraints(UnaryOperator<DelegationConstraints.Builder> edit) {
            return constraints(constraints().with(edit));
        }

        /**
         * Sets the constraints.
         *
         * @param constraints all of them
         * @return this grant with the constraints
         */
        public Narrow constraints(DelegationConstraints constraints) {
            return new Narrow(new GrantSpec.Narrow(spec.scopes(), spec.resource(), constraints.fields(), spec.ttl()));
        }

        /**
         * Sets how long the delegation lives.
         *
         * @param ttl whole seconds, from 40 seconds (the Gateway refuses calls under a delegation that is about to end) to
         *     a day; cut to what is left of the delegation that the parent holds itself
         * @return this grant for that time
         */
        public Narrow ttl(Duration ttl) {
            return new Narrow(new GrantSpec.Narrow(
                    spec.scopes(), spec.resource(), spec.constraints(), Arguments.delegationTtl(ttl, "ttl")));
        }

        /** {@return the scopes; an immutable list, never empty} */
        public List<String> scopes() {
            return spec.scopes();
        }

        /** {@return the resource; its identifier; empty for the only configured one} */
        public Optional<String> resource() {
            return Optional.ofNullable(spec.resource());
        }

        /** {@return the constraints, none by default} */
        public DelegationConstraints constraints() {
            return new DelegationConstraints(spec.constraints());
        }

        /**
         * {@return how long the delegation lives; the time to live; empty for the session's own, and no longer than
         * what the parent has left}
         */
        public Optional<Duration> ttl() {
            return Optional.ofNullable(spec.ttl());
        }

        @Override
        public String toString() {
            return "Grant.narrow[scopes=" + spec.scopes() + ", resource=" + spec.resource() + ", constraints="
                    + constraints() + ", ttl=" + spec.ttl() + "]";
        }
    }
}
