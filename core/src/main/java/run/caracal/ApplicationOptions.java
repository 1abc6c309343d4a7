package run.caracal;

import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import run.caracal.internal.Ids;

/** How calls are made as the application itself; see {@link Caracal#applicationTransport}. Immutable. */
public final class ApplicationOptions {
    private static final ApplicationOptions DEFAULTS = new ApplicationOptions(List.of(), null, null);

    private final List<String> labels;
    private final @Nullable Duration ttl;
    private final @Nullable String subjectAuthorityRecordId;

    private ApplicationOptions(List<String> labels, @Nullable Duration ttl, @Nullable String subjectAuthorityRecordId) {
        this.labels = labels;
        this.ttl = ttl;
        this.subjectAuthorityRecordId = subjectAuthorityRecordId;
    }

    /**
     * The application id as the label, the platform's own time to live of a mandate (900 seconds), and no user.
     *
     * @return options with every default
     */
    public static ApplicationOptions defaults() {
        return DEFAULTS;
    }

    /**
     * Sets the labels of the sessions that hold the authority. On the platform a label has to be the application id, or a
     * role that the resource's grant knows and that has the scopes.
     *
     * @param labels as for {@link SpawnOptions.Builder#labels(String...)}; none for the application id
     * @return these options with the labels
     * @throws IllegalArgumentException if one is no label
     */
    public ApplicationOptions withLabels(String... labels) {
        return new ApplicationOptions(SpawnOptions.requireLabels(Arrays.asList(labels)), ttl, subjectAuthorityRecordId);
    }

    /**
     * Sets how long each mandate lives. The platform cuts it to what is left of the delegation, which is replaced 90 seconds
     * before its end, or at half of a shorter life.
     *
     * @param ttl whole seconds, from {@link MandateOptions#MIN_TTL} to {@link MandateOptions#MAX_TTL}
     * @return these options with that time
     * @throws IllegalArgumentException if it is outside
     */
    public ApplicationOptions withTtl(Duration ttl) {
        return new ApplicationOptions(labels, MandateOptions.requireTtl(ttl), subjectAuthorityRecordId);
    }

    /**
     * Anchors the calls to a user; see {@link Caracal#federateSubject(String)}.
     *
     * @param id the user's authority record
     * @return these options with the user
     * @throws IllegalArgumentException if it is no id
     */
    public ApplicationOptions withSubjectAuthorityRecordId(String id) {
        return new ApplicationOptions(labels, ttl, Ids.require(id, "subjectAuthorityRecordId"));
    }

    /**
     * The labels of the sessions that hold the authority.
     *
     * @return an immutable list, empty for the application id
     */
    public List<String> labels() {
        return labels;
    }

    /**
     * How long each mandate lives.
     *
     * @return the time to live; empty for the platform's own
     */
    public Optional<Duration> ttl() {
        return Optional.ofNullable(ttl);
    }

    /**
     * The authority record of the user for whom the calls are made.
     *
     * @return its id; empty when they are made for the application
     */
    public Optional<String> subjectAuthorityRecordId() {
        return Optional.ofNullable(subjectAuthorityRecordId);
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof ApplicationOptions that
                && labels.equals(that.labels)
                && Objects.equals(ttl, that.ttl)
                && Objects.equals(subjectAuthorityRecordId, that.subjectAuthorityRecordId);
    }

    @Override
    public int hashCode() {
        return Objects.hash(labels, ttl, subjectAuthorityRecordId);
    }

    @Override
    public String toString() {
        return "ApplicationOptions[labels=" + labels + ", ttl=" + ttl + ", subjectAuthorityRecordId="
                + subjectAuthorityRecordId + "]";
    }
}
