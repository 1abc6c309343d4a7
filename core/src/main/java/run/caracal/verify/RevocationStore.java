package run.caracal.verify;

import java.time.Duration;
import java.util.Objects;
import java.util.Set;
import reactor.core.publisher.Mono;
import run.caracal.internal.ParallelTimer;

/**
 * A source of revocations. A verifier queries it for each mandate that is otherwise valid, and rejects the request if
 * it fails, is empty, or times out. Must be thread-safe and non-blocking.
 */
public interface RevocationStore {

    /**
     * Whether any of the ids is revoked. Lazy.
     *
     * @param anchors the ids of the authority record, its root, and the agent session and the delegation if the mandate
     *     has them; immutable
     * @return {@code true} if one of them is revoked; never empty; an error if the store is unavailable
     */
    Mono<Boolean> isRevoked(Set<String> anchors);

    /**
     * The epoch of a zone's delegations, which grows with each revocation; mandates of an earlier epoch are rejected.
     * Lazy; queried only for mandates that name their epoch.
     *
     * @return the epoch; empty if the store has none, as by default; an error if the store is unavailable
     */
    default Mono<Long> delegationEpoch(String zoneId) {
        return Mono.empty();
    }

    /** {@return a store that caches lookups for half a second; see {@link #cached(RevocationStore, Duration)}} */
    static RevocationStore cached(RevocationStore store) {
        return cached(store, Duration.ofMillis(500));
    }

    /**
     * {@return a store that caches the lookups of another one} Negative lookups and epochs are cached for
     * {@code keepFor}, which may delay a revocation by that time; positive ones for an hour, longer than any mandate
     * lives. At most some ten thousand lookups are cached. Concurrent callers share a lookup, which times out after
     * five seconds; errors are not cached.
     *
     * @param keepFor from a millisecond to five seconds
     * @throws IllegalArgumentException if it is out of range
     */
    static RevocationStore cached(RevocationStore store, Duration keepFor) {
        Objects.requireNonNull(store, "store");
        if (keepFor.compareTo(Duration.ofMillis(1)) < 0 || keepFor.compareTo(Duration.ofSeconds(5)) > 0) {
            throw new IllegalArgumentException("keepFor must be from 1 ms to 5 s, not " + keepFor);
        }
        return new CachedRevocationStore(store, keepFor, ParallelTimer.INSTANCE);
    }
}
