package run.caracal.platform;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The request to open a session. */
record StartRequest(
        String applicationId,
        @Nullable String parentId,
        String subjectAuthorityRecordId,
        String lifecycle,
        List<String> labels,
        Map<String, @Nullable Object> metadata,
        @Nullable Long ttlSeconds,
        String parentAuthority,
        @Nullable String inheritParentEdgeId,
        @Nullable IdempotencyKey idempotencyKey) {

    boolean isService() {
        return lifecycle.equals("service");
    }

    /** The fields on which two requests with the same key must agree. */
    List<@Nullable Object> digest() {
        List<@Nullable Object> digest = new ArrayList<>();
        if (idempotencyKey != null) {
            digest.add(idempotencyKey.callerApplicationId());
            digest.add(idempotencyKey.callerSubject());
        }
        digest.add(applicationId);
        digest.add(parentId);
        digest.add(subjectAuthorityRecordId);
        digest.add(lifecycle);
        digest.add(labels);
        digest.add(metadata);
        digest.add(ttlSeconds);
        digest.add(parentAuthority);
        digest.add(inheritParentEdgeId);
        return digest;
    }
}
