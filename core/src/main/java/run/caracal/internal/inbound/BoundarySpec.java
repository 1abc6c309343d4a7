package run.caracal.internal.inbound;

import org.jspecify.annotations.Nullable;
import run.caracal.verify.MandateRequirements;
import run.caracal.verify.MandateVerifier;

/**
 * How incoming requests are judged.
 *
 * @param verifier proves the bearers; {@code null} when nothing is proven here
 */
public record BoundarySpec(
        @Nullable MandateVerifier verifier, MandateRequirements requirements, Missing missing, boolean trusted) {
    /** The treatment of a request without a bearer. */
    public enum Missing {
        /** Rejected. */
        REFUSED,
        /** Passes anonymously. */
        PASSES,
        /** Runs as the application. */
        RUNS_AS_APPLICATION
    }

    /** Whether a verifier checks every request. */
    public boolean provesAll() {
        return verifier != null && missing != Missing.RUNS_AS_APPLICATION;
    }

    /** Whether it may be used in production. */
    public boolean isTrusted() {
        return trusted || provesAll();
    }

    @Override
    public String toString() {
        return "Boundary[" + (verifier == null ? "propagationOnly" : "verified, " + requirements) + ", withoutBearer="
                + missing + ", trusted=" + isTrusted() + "]";
    }
}
