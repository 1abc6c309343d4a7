package run.caracal.internal.session;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import run.caracal.internal.context.BoundContext;
import run.caracal.internal.options.Arguments;
import run.caracal.internal.options.GrantSpec;

/**
 * How an agent session is opened.
 *
 * @param ttl how long a task lives; {@code null} for the configuration's default
 * @param kind its kind; {@code null} for the configuration's default
 * @param parent its parent; {@code null} for what is bound
 * @param idempotencyKey the caller's own key; {@code null} for a generated one
 * @param adopt whether a session that the key opened earlier is taken over
 * @param subjectAuthorityRecordId the user for whom it acts; {@code null} for the parent's
 * @param subjectToken the proof of that user, a secret; {@code null} for none
 * @param traceId its trace; {@code null} for the parent's, or a fresh one
 * @param closeTimeout how long a pipeline waits for its termination; {@code null} for the configuration's
 */
public record SessionSpec(
        List<String> labels,
        boolean labelledAsApplication,
        @Nullable Duration ttl,
        Map<String, @Nullable Object> metadata,
        @Nullable String kind,
        @Nullable BoundContext parent,
        GrantSpec grant,
        @Nullable String idempotencyKey,
        boolean adopt,
        @Nullable String subjectAuthorityRecordId,
        @Nullable String subjectToken,
        @Nullable String traceId,
        @Nullable Duration closeTimeout) {
    /** Every default. */
    public static final SessionSpec DEFAULTS = new SessionSpec(
            List.of(), false, null, Map.of(), null, null, GrantSpec.Whole.INHERIT, null, false, null, null, null, null);

    /** A session of the SDK's own, for a purpose that its record names. */
    public static SessionSpec holdingAuthority(
            String purpose, List<String> labels, @Nullable Duration ttl, @Nullable String subject) {
        return new SessionSpec(
                labels,
                false,
                ttl,
                Map.of("holds_authority_for", purpose),
                null,
                null,
                GrantSpec.Whole.INHERIT,
                null,
                false,
                subject,
                null,
                null,
                null);
    }

    /**
     * The labels that the Coordinator is told.
     *
     * @throws IllegalArgumentException if the application id can be no label, or is one too many
     */
    List<String> labelsOf(String applicationId) {
        return !labelledAsApplication || labels.contains(applicationId)
                ? labels
                : Arguments.labels(
                        Stream.concat(labels.stream(), Stream.of(applicationId)).toList());
    }

    /** The same with another grant. */
    SessionSpec withGrant(GrantSpec other) {
        return new SessionSpec(
                labels,
                labelledAsApplication,
                ttl,
                metadata,
                kind,
                parent,
                other,
                idempotencyKey,
                adopt,
                subjectAuthorityRecordId,
                subjectToken,
                traceId,
                closeTimeout);
    }

    /** Leaves out the metadata and the key, which are the caller's own, and the proof of the user. */
    @Override
    public String toString() {
        return "labels=" + labels + (labelledAsApplication ? " and the application id" : "") + ", ttl=" + ttl
                + ", kind=" + kind + ", parent="
                + (parent == null ? null : parent.envelope().agentSessionId()) + ", grant=" + grant + ", traceId="
                + traceId;
    }
}
