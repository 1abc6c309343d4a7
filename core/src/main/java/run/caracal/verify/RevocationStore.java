package run.caracal.verify;

import java.util.Set;
import reactor.core.publisher.Mono;

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
}
