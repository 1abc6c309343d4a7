package run.caracal.verify;

import java.time.Duration;
import java.util.Objects;
import java.util.Set;
import reactor.core.publisher.Mono;
import run.caracal.internal.ParallelTimer;

/**
 * Knows what is revoked. A verifier asks it for each mandate that is otherwise good, and lets nothing in when it fails, is
 * empty, or takes too long. Used by many threads at once; must not block them.
 */
public interface RevocationStore {

    /**
     * Whether any of the ids is revoked. Lazy.
     *
     * @param anchors the ids of the authority record, of its root, and of the agent session and the delegation if the
     *     mandate has them; immutable
     * @return {@code true} when one of them is revoked; never empty; an error when the store cannot tell
     */
    Mono<Boolean> isRevoked(Set<String> anchors);

    /**
     * The epoch of a zone's delegations: it grows with each revocation, and mandates of an earlier epoch are refused. Lazy;
     * asked only for mandates that name their epoch.
     *
     * @param zoneId the zone
     * @return the epoch; empty when the store keeps none, as by default; an error when the store cannot tell
     */
    default Mono<Long> delegationEpoch(String zoneId) {
        return Mono.empty();
    }

    /**
     * A store that remembers the answers of another one for half a second; see {@link #cached(RevocationStore, Duration)}.
     *
     * @param store answers
     * @return the store to give to a verifier
     */
    static RevocationStore cached(RevocationStore store) {
        return cached(store, Duration.ofMillis(500));
    }

    /**
     * A store that remembers the answers of another one, so that a caller who comes again within a moment costs no lookup. That
     * something is <em>not</em> revoked, and the epoch of a zone, are remembered for the given time, by which a revocation may
     * thus take effect later; that something is revoked, for an hour, longer than any mandate lives. Some ten thousand answers
     * are remembered at most. Callers who ask for the same at the same time share a lookup, which fails after five seconds;
     * errors are not remembered.
     *
     * @param store answers
     * @param keepFor from a millisecond to five seconds
     * @return the store to give to a verifier
     * @throws IllegalArgumentException if the time is another
     */
    static RevocationStore cached(RevocationStore store, Duration keepFor) {
        Objects.requireNonNull(store, "store");
        if (keepFor.compareTo(Duration.ofMillis(1)) < 0 || keepFor.compareTo(Duration.ofSeconds(5)) > 0) {
            throw new IllegalArgumentException("keepFor must be from 1 ms to 5 s, not " + keepFor);
        }
        return new CachedRevocationStore(store, keepFor, ParallelTimer.INSTANCE);
    }
}
