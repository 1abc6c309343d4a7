package run.caracal;

import java.util.Objects;
import org.jspecify.annotations.Nullable;
import run.caracal.internal.inbound.BoundarySpec;
import run.caracal.internal.inbound.BoundarySpec.Missing;
import run.caracal.verify.MandateRequirements;
import run.caracal.verify.MandateVerifier;

/**
 * How incoming requests are judged before they reach the application. Immutable: what changes it gives a
 * changed copy.
 *
 * <p>Whatever the boundary, a bearer that is present and bad is refused, and so is more than one {@code Authorization}
 * header; another scheme than {@code Bearer} counts as no bearer. Where a request has none, it is refused, unless {@link
 * #optional()} or {@link #asApplication()} says otherwise.
 */
public final class Boundary {
    private final BoundarySpec spec;

    private Boundary(
            @Nullable MandateVerifier verifier, MandateRequirements requirements, Missing missing, boolean trusted) {
        this.spec = new BoundarySpec(verifier, requirements, missing, trusted);
    }

    /**
     * Binds what a request carries and proves nothing: for services behind something that has proven the mandate. The ids
     * of the context are what the caller wrote, and never a reason to allow anything; its bearer is proven by the Gateway
     * when it is used there. In production such a boundary has to be {@link #trusted()}.
     *
     * @return a boundary without a verifier
     */
    public static Boundary propagationOnly() {
        return new Boundary(null, MandateRequirements.defaults(), Missing.REFUSED, false);
    }

    /**
     * Proves the bearer of each request. Its claims replace the unsigned baggage completely: session, delegation, authority
     * record, hop, zone and application are those of the mandate, and absent where it has none.
     *
     * @param verifier proves the bearers; may be a lambda
     * @return a boundary with the default requirements
     */
    public static Boundary verified(MandateVerifier verifier) {
        return new Boundary(
                Objects.requireNonNull(verifier, "verifier"), MandateRequirements.defaults(), Missing.REFUSED, false);
    }

    /**
     * States that something in front of this service has proven each request, so that in production propagation alone is
     * enough, and a request without a bearer may run {@linkplain #asApplication() as the application}.
     *
     * @return a boundary that may be used in production
     * @throws IllegalStateException if there is a verifier that judges every request, which needs no trust
     */
    public Boundary trusted() {
        if (spec.provesAll()) {
            throw new IllegalStateException(
                    "trusted() is for Boundary.propagationOnly() and for asApplication(); a verifier trusts nobody");
        }
        return new Boundary(spec.verifier(), spec.requirements(), spec.missing(), true);
    }

    /**
     * Sets what a mandate has to allow.
     *
     * @param requirements the requirements, instead of the earlier ones
     * @return a boundary with these requirements
     * @throws IllegalStateException if there is no verifier to ask for them
     */
    public Boundary requiring(MandateRequirements requirements) {
        if (spec.verifier() == null) {
            throw new IllegalStateException(
                    "requirements need a verifier; begin with Boundary.verified(...), nothing else reads a mandate");
        }
        return new Boundary(
                spec.verifier(), Objects.requireNonNull(requirements, "requirements"), spec.missing(), spec.trusted());
    }

    /**
     * Lets a request without a bearer pass, as nobody: nothing of it is read, and no context is bound for it, not one from
     * outside either. Replaces {@link #asApplication()}.
     *
     * @return a boundary that lets such requests pass
     */
    public Boundary optional() {
        return new Boundary(spec.verifier(), spec.requirements(), Missing.PASSES, spec.trusted());
    }

    /**
     * Lets the work of a request without a bearer run as the application itself: its trace and the baggage of others are
     * kept, its Caracal fields are discarded. For trusted callers only: one whose mandate allows little gains by leaving it out,
     * so in production such a boundary has to be {@link #trusted()}, with a verifier too. Replaces {@link #optional()}.
     *
     * @return a boundary that lets such requests run as the application
     */
    public Boundary asApplication() {
        return new Boundary(spec.verifier(), spec.requirements(), Missing.RUNS_AS_APPLICATION, spec.trusted());
    }

    BoundarySpec spec() {
        return spec;
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof Boundary that && spec.equals(that.spec);
    }

    @Override
    public int hashCode() {
        return spec.hashCode();
    }

    @Override
    public String toString() {
        return spec.toString();
    }
}
