package run.caracal;

import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import run.caracal.internal.mandate.MandateSpec;
import run.caracal.internal.options.Arguments;

/** Options of a one-shot mandate; see {@link Caracal#mintMandate(String, List, MandateOptions)}. Immutable. */
public final class MandateOptions {
    /** The shortest useful TTL: the Gateway rejects a mandate with less than 35 seconds left. */
    public static final Duration MIN_TTL = Arguments.MIN_MANDATE_TTL;

    /** The longest TTL that the platform grants. */
    public static final Duration MAX_TTL = Arguments.MAX_MANDATE_TTL;

    private static final MandateOptions DEFAULTS = new MandateOptions(MandateSpec.DEFAULTS);

    private final MandateSpec spec;

    private MandateOptions(MandateSpec spec) {
        this.spec = spec;
    }

    /**
     * {@return the default options: the platform's TTL (900 seconds), no approval, and the application id as the label}
     */
    public static MandateOptions defaults() {
        return DEFAULTS;
    }

    /**
     * Sets the TTL, which the platform cuts to the remaining life of the delegation.
     *
     * @param ttl whole seconds, from {@link #MIN_TTL} to {@link #MAX_TTL}
     * @throws IllegalArgumentException if it is out of range
     */
    public MandateOptions withTtl(Duration ttl) {
        return new MandateOptions(new MandateSpec(Arguments.mandateTtl(ttl), spec.approvalId(), spec.labels()));
    }

    /**
     * Presents an approval for the same request; see {@link run.caracal.error.ApprovalRequiredException#approvalId()}.
     *
     * @throws IllegalArgumentException if the id is malformed
     */
    public MandateOptions withApprovalId(String approvalId) {
        return new MandateOptions(new MandateSpec(spec.ttl(), Arguments.id(approvalId, "approvalId"), spec.labels()));
    }

    /**
     * Sets the labels of the child session that holds the authority if the bound session has no delegation; otherwise
     * they are ignored. One of them must be the application id, or a role of the resource's grant that has the scopes.
     *
     * @param labels as for {@link SpawnOptions.Builder#labels(String...)}; none for the application id
     * @throws IllegalArgumentException if a label is malformed
     */
    public MandateOptions withLabels(String... labels) {
        return new MandateOptions(
                new MandateSpec(spec.ttl(), spec.approvalId(), Arguments.labels(Arrays.asList(labels))));
    }

    /** {@return the TTL; empty for the platform's default} */
    public Optional<Duration> ttl() {
        return Optional.ofNullable(spec.ttl());
    }

    /** {@return the id of the presented approval, if any} */
    public Optional<String> approvalId() {
        return Optional.ofNullable(spec.approvalId());
    }

    /** {@return the labels of a child session opened on demand; an immutable list, empty for the application id} */
    public List<String> labels() {
        return spec.labels();
    }

    MandateSpec spec() {
        return spec;
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof MandateOptions that && spec.equals(that.spec);
    }

    @Override
    public int hashCode() {
        return spec.hashCode();
    }

    @Override
    public String toString() {
        return "MandateOptions[ttl=" + spec.ttl() + ", approvalId=" + spec.approvalId() + ", labels=" + spec.labels()
                + "]";
    }
}
