package run.caracal;

import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import run.caracal.internal.Ids;

/** How a one-shot mandate is minted; see {@link Caracal#mintMandate(String, List, MandateOptions)}. Immutable. */
public final class MandateOptions {
    /** The shortest life that is of use: the Gateway refuses a mandate of which less than 35 seconds are left. */
    public static final Duration MIN_TTL = Duration.ofSeconds(36);

    /** The longest life that the platform gives. */
    public static final Duration MAX_TTL = Duration.ofSeconds(3600);

    private static final MandateOptions DEFAULTS = new MandateOptions(null, null, List.of());

    private final @Nullable Duration ttl;
    private final @Nullable String approvalId;
    private final List<String> labels;

    private MandateOptions(@Nullable Duration ttl, @Nullable String approvalId, List<String> labels) {
        this.ttl = ttl;
        this.approvalId = approvalId;
        this.labels = labels;
    }

    /**
     * The platform's own time to live (900 seconds), no approval, and the application id as the label.
     *
     * @return options with every default
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
        return new MandateOptions(requireTtl(ttl), approvalId, labels);
    }

    static Duration requireTtl(Duration ttl) {
        return requireTtl(ttl, MIN_TTL, " (the Gateway refuses a mandate that is about to end)");
    }

    static Duration requireTtl(Duration ttl, Duration min, String why) {
        if (!ttl.equals(ttl.truncatedTo(ChronoUnit.SECONDS)) || ttl.compareTo(min) < 0 || ttl.compareTo(MAX_TTL) > 0) {
            throw new IllegalArgumentException("ttl must be whole seconds, from " + min.toSeconds() + why + " to "
                    + MAX_TTL.toSeconds() + ", not " + ttl);
        }
        return ttl;
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
        return new MandateOptions(ttl, Ids.require(approvalId, "approvalId"), labels);
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
        return withLabels(Arrays.asList(labels));
    }

    MandateOptions withLabels(List<String> labels) {
        return new MandateOptions(ttl, approvalId, SpawnOptions.requireLabels(labels));
    }

    /**
     * How long the mandate lives.
     *
     * @return the time to live; empty for the platform's own
     */
    public Optional<Duration> ttl() {
        return Optional.ofNullable(ttl);
    }

    /**
     * The approval that is presented.
     *
     * @return its id; empty when there is none
     */
    public Optional<String> approvalId() {
        return Optional.ofNullable(approvalId);
    }

    /**
     * The labels of a child session that is opened to hold the authority.
     *
     * @return an immutable list, empty for the application id
     */
    public List<String> labels() {
        return labels;
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof MandateOptions that
                && Objects.equals(ttl, that.ttl)
                && Objects.equals(approvalId, that.approvalId)
                && labels.equals(that.labels);
    }

    @Override
    public int hashCode() {
        return Objects.hash(ttl, approvalId, labels);
    }

    @Override
    public String toString() {
        return "MandateOptions[ttl=" + ttl + ", approvalId=" + approvalId + ", labels=" + labels + "]";
    }
}
