package run.caracal.platform;

import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A request of one session to delegate authority to another. */
record DelegationRequest(
        String issuerApplicationId,
        String sourceSessionId,
        String targetSessionId,
        String receiverApplicationId,
        @Nullable String parentEdgeId,
        @Nullable String resourceId,
        List<String> scopes,
        Constraints constraints,
        @Nullable Instant expiresAt,
        @Nullable IdempotencyKey idempotencyKey) {

    /** The fields on which two requests with the same key must agree. */
    List<@Nullable Object> digest() {
        List<@Nullable Object> digest = new ArrayList<>();
        if (idempotencyKey != null) {
            digest.add(idempotencyKey.callerApplicationId());
            digest.add(idempotencyKey.callerSubject());
        }
        digest.add(sourceSessionId);
        digest.add(targetSessionId);
        digest.add(issuerApplicationId);
        digest.add(receiverApplicationId);
        digest.add(parentEdgeId);
        digest.add(resourceId);
        digest.add(scopes.stream().sorted().toList());
        digest.add(constraints.json());
        digest.add(expiresAt);
        return digest;
    }
}
