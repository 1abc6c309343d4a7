package run.caracal.platform;

import java.time.Instant;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Outcomes by idempotency key. Not thread-safe. */
final class Receipts<T> {

    private record Receipt<T>(List<@Nullable Object> digest, T result, Instant forgottenAt) {}

    private final String request;
    private final int limit;
    private final Map<String, Map<String, Receipt<T>>> receipts = new HashMap<>();

    /**
     * Stores requests of one kind.
     *
     * @param request the kind, as named in conflicts
     */
    Receipts(String request, int limit) {
        this.request = request;
        this.limit = limit;
    }

    /** The earlier outcome under this key; rejects another request under it, and keys over the limit. */
    Optional<T> find(String applicationId, IdempotencyKey key, List<@Nullable Object> digest, Instant now) {
        Map<String, Receipt<T>> known = receipts.getOrDefault(applicationId, Map.of());
        Receipt<T> receipt = known.get(key.value());
        if (receipt == null || !now.isBefore(receipt.forgottenAt())) {
            if (known.size() >= limit) {
                throw new Refusal(429, "idempotency_receipt_limit_exceeded");
            }
            return Optional.empty();
        }
        if (!receipt.digest().equals(digest)) {
            throw new Refusal(
                    409,
                    "idempotency_key_conflict",
                    "Idempotency-Key was already used for a different " + request + " request");
        }
        return Optional.of(receipt.result());
    }

    void remember(String applicationId, IdempotencyKey key, List<@Nullable Object> digest, T result, Instant now) {
        receipts.computeIfAbsent(applicationId, id -> new LinkedHashMap<>())
                .put(key.value(), new Receipt<>(digest, result, now.plus(key.retention())));
    }

    void forget(Instant now) {
        receipts.values().forEach(known -> known.values().removeIf(receipt -> !now.isBefore(receipt.forgottenAt())));
    }
}
