package run.caracal;

import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import run.caracal.internal.mandate.MandateSpec;
import run.caracal.internal.options.Arguments;

/** How a one-shot mandate is minted; see {@link Caracal#mintMandate(String, List, MandateOptions)}. Immutable. */
public final class MandateOptions {
    /** The shortest life that is of use: the Gateway refuses a mandate of which less than 35 seconds are left. */
    public static final Duration MIN_TTL = Arguments.MIN_MANDATE_TTL;

    /** The longest life that the platform gives. */
    public static final Duration MAX_TTL = Arguments.MAX_MANDATE_TTL;

    private static final MandateOptions DEFAULTS = new MandateOptions(MandateSpec.DEFAULTS);

    private final MandateSpec spec;

    private MandateOptions(MandateSpec spec) {
        this.spec = spec;
    }

    /**
     * {@return the platform's own time to live (900 seconds), no approval, and the application id as the label; options
     * with every default}
     */
    public static MandateOptions defaults() {
        return DEFAULTS;
    }

    /**
     * Sets how long the mandate lives. The platform cuts it to what is left of the delegation.
     *
     * @param ttl whole seconds, from {@link #MIN_TTL} to {@link #MAX_TTL}
     * @return these options with that time
     * @throws IllegalArgumentException if it is outside
     */
    public MandateOptions withTtl(Duration ttl) {
        return new MandateOptions(new MandateSpec(Arguments.mandateTtl(ttl), spec.approvalId(), spec.labels()));
    }

    /**
     * Presents an approval that a person gave for the same request; see {@link
     * run.caracal.error.ApprovalRequiredException#approvalId()}.
     *
     * @param approvalId the id of the approval
     * @return these options with the approval
     * @throws IllegalArgumentException if it is no id
     */
    public MandateOptions withApprovalId(String approvalId) {
        return new MandateOptions(new MandateSpec(spec.ttl(), Arguments.id(approvalId, "approvalId"), spec.labels()));
    }

    /**
     * Sets the labels of the child session that holds the authority when the bound session has no delegation; sessions that
     * have one keep their own labels. On the platform a label has to be the application id, or a role that the resource's
     * grant knows and that has the scopes.
     *
     * @param labels as for {@link SpawnOptions.Builder#labels(String...)}; none for the application id
     * @return these options with the labels
     * @throws IllegalArgumentException if one is no label
     */
    public MandateOptions withLabels(String... labels) {
        return new MandateOptions(
                new MandateSpec(spec.ttl(), spec.approvalId(), Arguments.labels(Arrays.asList(labels))));
    }

    /** {@return how long the mandate lives; empty for the platform's own} */
    public Optional<Duration> ttl() {
        return Optional.ofNullable(spec.ttl());
    }

    /** {@return the id of the approval that is presented; empty when there is none} */
    public Optional<String> approvalId() {
        return Optional.ofNullable(spec.approvalId());
    }

    /**
     * {@return the labels of a child session that is opened to hold the authority; an immutable list, empty for the
     * application id}
     */
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
