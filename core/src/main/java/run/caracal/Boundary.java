package run.caracal;

import java.util.Objects;
import org.jspecify.annotations.Nullable;
import run.caracal.internal.inbound.BoundarySpec;
import run.caracal.internal.inbound.BoundarySpec.Missing;
import run.caracal.verify.MandateRequirements;
import run.caracal.verify.MandateVerifier;

/**
 * The checks of incoming requests. Immutable; each method returns a changed copy.
 *
 * <p>Every boundary rejects a malformed or rejected bearer, and more than one {@code Authorization} header; other
 * schemes than {@code Bearer} count as no bearer. A request without a bearer is rejected, unless {@link #optional()} or
 * {@link #asApplication()} is set.
 */
public final class Boundary {
    private final BoundarySpec spec;

    private Boundary(
            @Nullable MandateVerifier verifier, MandateRequirements requirements, Missing missing, boolean trusted) {
        this.spec = new BoundarySpec(verifier, requirements, missing, trusted);
    }

    /**
     * Binds the caller's unverified claims, for services behind a proxy that verifies the mandate. Base no decision on
     * the ids of the context; the Gateway verifies the bearer when it is used there. Production requires
     * {@link #trusted()}.
     */
    public static Boundary propagationOnly() {
        return new Boundary(null, MandateRequirements.defaults(), Missing.REFUSED, false);
    }

    /**
     * Verifies the bearer of each request. Session, delegation, authority record, hop, zone and application of the
     * context are then those of the mandate, or absent if it has none; unsigned baggage is ignored.
     *
     * @param verifier may be a lambda
     */
    public static Boundary verified(MandateVerifier verifier) {
        return new Boundary(
                Objects.requireNonNull(verifier, "verifier"), MandateRequirements.defaults(), Missing.REFUSED, false);
    }

    /**
     * Asserts that a proxy in front of this service verifies each request, so that production accepts
     * {@link #propagationOnly()}, and {@link #asApplication()} for a request without a bearer.
     *
     * @throws IllegalStateException if a verifier checks every request, which needs no trust
     */
    public Boundary trusted() {
        if (spec.provesAll()) {
            throw new IllegalStateException(
                    "trusted() is for Boundary.propagationOnly() and for asApplication(); a verifier trusts nobody");
        }
        return new Boundary(spec.verifier(), spec.requirements(), spec.missing(), true);
    }

    /**
     * Replaces the requirements for mandates.
     *
     * @throws IllegalStateException without a verifier
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
     * Lets a request without a bearer pass anonymously: none of its headers is read, and its handler has no context,
     * not even an outer one. Replaces {@link #asApplication()}.
     */
    public Boundary optional() {
        return new Boundary(spec.verifier(), spec.requirements(), Missing.PASSES, spec.trusted());
    }

    /**
     * Runs a request without a bearer as the application itself: its trace and foreign baggage are kept, its Caracal
     * fields are discarded. For trusted callers only, since a caller whose mandate allows little could simply omit it;
     * production requires {@link #trusted()}, with a verifier too. Replaces {@link #optional()}.
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
