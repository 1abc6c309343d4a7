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
 * The part of its parent's authority that a session is granted: all of it ({@link #inherit()}, the default), a part
 * ({@link #narrow(String...)}), or nothing ({@link #none()}). Immutable.
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

    /** {@return the whole authority of the parent: that of the application, or the parent's own narrowed grant} */
    public static Grant inherit() {
        return INHERIT;
    }

    /** {@return no authority: the session inherits none, and obtains none on demand} */
    public static Grant none() {
        return NONE;
    }

    /**
     * {@return a part of the parent's authority: the parent delegates these scopes to the session} Needs a parent
     * session, and a resource unless exactly one is configured.
     *
     * @param scopes at least one
     * @throws IllegalArgumentException if there is none, or one is malformed
     */
    public static Narrow narrow(String... scopes) {
        return narrow(Arrays.asList(scopes));
    }

    /** {@return a part of the parent's authority; see {@link #narrow(String...)}} */
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

    /** A grant without settings. */
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

    /** A part of the parent's authority. */
    public static final class Narrow extends Grant {
        private final GrantSpec.Narrow spec;

        private Narrow(GrantSpec.Narrow spec) {
            super(spec);
            this.spec = spec;
        }

        /** {@return this grant for a resource} */
        public Narrow resource(String id) {
            return new Narrow(new GrantSpec.Narrow(
                    spec.scopes(), Arguments.resource(id, "resource"), spec.constraints(), spec.ttl()));
        }

        /** {@return this grant with further constraints, for instance {@code c -> c.maxHops(1)}} */
        public Narrow constraints(UnaryOperator<DelegationConstraints.Builder> edit) {
            return constraints(constraints().with(edit));
        }

        /** {@return this grant with these constraints only} */
        public Narrow constraints(DelegationConstraints constraints) {
            return new Narrow(new GrantSpec.Narrow(spec.scopes(), spec.resource(), constraints.fields(), spec.ttl()));
        }

        /**
         * {@return this grant with a TTL of its delegation}
         *
         * @param ttl whole seconds, from 40 seconds (the Gateway rejects calls under a delegation that is about to
         *     expire) to a day; cut to the remaining life of the parent's own delegation
         */
        public Narrow ttl(Duration ttl) {
            return new Narrow(new GrantSpec.Narrow(
                    spec.scopes(), spec.resource(), spec.constraints(), Arguments.delegationTtl(ttl, "ttl")));
        }

        /** {@return the scopes; an immutable list, never empty} */
        public List<String> scopes() {
            return spec.scopes();
        }

        /** {@return the resource id; empty for the only configured resource} */
        public Optional<String> resource() {
            return Optional.ofNullable(spec.resource());
        }

        /** {@return the constraints; none by default} */
        public DelegationConstraints constraints() {
            return new DelegationConstraints(spec.constraints());
        }

        /**
         * {@return the TTL of the delegation; empty for that of the session, cut to the remaining life of the parent's
         * delegation}
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
