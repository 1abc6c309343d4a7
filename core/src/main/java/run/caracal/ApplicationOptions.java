package run.caracal;

import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import run.caracal.internal.mandate.ApplicationSpec;
import run.caracal.internal.options.Arguments;

/** How calls are made as the application itself; see {@link Caracal#applicationTransport}. Immutable. */
public final class ApplicationOptions {
    private static final ApplicationOptions DEFAULTS = new ApplicationOptions(ApplicationSpec.DEFAULTS);

    private final ApplicationSpec spec;

    private ApplicationOptions(ApplicationSpec spec) {
        this.spec = spec;
    }

    /**
     * {@return the application id as the label, the platform's own time to live of a mandate (900 seconds), and no
     * user; options with every default}
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
        return new ApplicationOptions(new ApplicationSpec(
                Arguments.labels(Arrays.asList(labels)), spec.ttl(), spec.subjectAuthorityRecordId()));
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
        return new ApplicationOptions(
                new ApplicationSpec(spec.labels(), Arguments.mandateTtl(ttl), spec.subjectAuthorityRecordId()));
    }

    /**
     * Anchors the calls to a user; see {@link Caracal#federateSubject(String)}.
     *
     * @throws IllegalArgumentException if it is no id
     */
    public ApplicationOptions withSubjectAuthorityRecordId(String id) {
        return new ApplicationOptions(
                new ApplicationSpec(spec.labels(), spec.ttl(), Arguments.id(id, "subjectAuthorityRecordId")));
    }

    /** {@return the labels of the sessions that hold the authority; an immutable list, empty for the application id} */
    public List<String> labels() {
        return spec.labels();
    }

    /** {@return how long each mandate lives; empty for the platform's own} */
    public Optional<Duration> ttl() {
        return Optional.ofNullable(spec.ttl());
    }

    /**
     * {@return the id of the authority record of the user for whom the calls are made; empty when they are made for the
     * application}
     */
    public Optional<String> subjectAuthorityRecordId() {
        return Optional.ofNullable(spec.subjectAuthorityRecordId());
    }

    ApplicationSpec spec() {
        return spec;
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof ApplicationOptions that && spec.equals(that.spec);
    }

    @Override
    public int hashCode() {
        return spec.hashCode();
    }

    @Override
    public String toString() {
        return "ApplicationOptions[labels=" + spec.labels() + ", ttl=" + spec.ttl() + ", subjectAuthorityRecordId="
                + spec.subjectAuthorityRecordId() + "]";
    }
}
