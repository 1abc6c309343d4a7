package run.caracal;

import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import run.caracal.internal.mandate.ApplicationSpec;
import run.caracal.internal.options.Arguments;

/** Options of calls as the application itself; see {@link Caracal#applicationTransport}. Immutable. */
public final class ApplicationOptions {
    private static final ApplicationOptions DEFAULTS = new ApplicationOptions(ApplicationSpec.DEFAULTS);

    private final ApplicationSpec spec;

    private ApplicationOptions(ApplicationSpec spec) {
        this.spec = spec;
    }

    /** {@return the default options: the application id as the label, the platform's TTL (900 seconds), and no user} */
    public static ApplicationOptions defaults() {
        return DEFAULTS;
    }

    /**
     * Sets the labels of the sessions that hold the authority. One of them must be the application id, or a role of the
     * resource's grant that has the scopes.
     *
     * @param labels as for {@link SpawnOptions.Builder#labels(String...)}; none for the application id
     * @throws IllegalArgumentException if a label is malformed
     */
    public ApplicationOptions withLabels(String... labels) {
        return new ApplicationOptions(new ApplicationSpec(
                Arguments.labels(Arrays.asList(labels)), spec.ttl(), spec.subjectAuthorityRecordId()));
    }

    /**
     * Sets the TTL of each mandate. The platform cuts it to the remaining life of the delegation, which the SDK
     * replaces 90 seconds before it expires, or at half of a shorter life.
     *
     * @param ttl whole seconds, from {@link MandateOptions#MIN_TTL} to {@link MandateOptions#MAX_TTL}
     * @throws IllegalArgumentException if it is out of range
     */
    public ApplicationOptions withTtl(Duration ttl) {
        return new ApplicationOptions(
                new ApplicationSpec(spec.labels(), Arguments.mandateTtl(ttl), spec.subjectAuthorityRecordId()));
    }

    /**
     * Sets the user for whom the calls are made; see {@link Caracal#federateSubject(String)}.
     *
     * @throws IllegalArgumentException if the id is malformed
     */
    public ApplicationOptions withSubjectAuthorityRecordId(String id) {
        return new ApplicationOptions(
                new ApplicationSpec(spec.labels(), spec.ttl(), Arguments.id(id, "subjectAuthorityRecordId")));
    }

    /** {@return the labels of the sessions that hold the authority; an immutable list, empty for the application id} */
    public List<String> labels() {
        return spec.labels();
    }

    /** {@return the TTL of each mandate; empty for the platform's default} */
    public Optional<Duration> ttl() {
        return Optional.ofNullable(spec.ttl());
    }

    /** {@return the authority record of the user for whom the calls are made; empty for the application} */
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
