package run.caracal.platform;

import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A snapshot of an agent session at the Coordinator.
 *
 * @param id the session's id
 * @param applicationId the application that owns it
 * @param parentId its parent, if it has one
 * @param subjectAuthorityRecordId the authority record it was started with
 * @param lifecycle {@code task} or {@code service}
 * @param status {@code active}, {@code suspended}, {@code terminated} or {@code expired}
 * @param labels its labels
 * @param metadata its metadata
 * @param depth the number of its ancestors
 * @param ttlSeconds the TTL of a task
 * @param leaseGeneration the generation of a service's lease, 0 for a task
 * @param startedAt when it was opened
 * @param lastHeartbeatAt when a service's lease was last renewed
 * @param heartbeatDeadlineAt when a service's lease ends
 * @param endedAt when it ended, if it has
 * @param terminationReason why it ended, if it has
 * @param idempotencyKey the key it was opened with, if any
 * @param delegationEdgeId the delegation it inherited from its parent, if any
 */
public record SessionSnapshot(
        String id,
        String applicationId,
        @Nullable String parentId,
        String subjectAuthorityRecordId,
        String lifecycle,
        String status,
        List<String> labels,
        Map<String, @Nullable Object> metadata,
        int depth,
        @Nullable Long ttlSeconds,
        long leaseGeneration,
        Instant startedAt,
        @Nullable Instant lastHeartbeatAt,
        @Nullable Instant heartbeatDeadlineAt,
        @Nullable Instant endedAt,
        @Nullable String terminationReason,
        @Nullable String idempotencyKey,
        @Nullable String delegationEdgeId) {}
