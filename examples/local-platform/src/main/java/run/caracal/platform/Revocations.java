package run.caracal.platform;

import java.util.Map;
import reactor.core.publisher.Mono;

/** Hears what is revoked in a zone. Called under the locks of those who revoke, so it must not wait. */
interface Revocations {
    /** For a platform that tells nobody. */
    Revocations NONE = new Revocations() {
        @Override
        public void revoked(String reason, Map<String, String> anchors) {}

        @Override
        public void epochReached(String event, String edgeId, long epoch) {}

        @Override
        public Mono<Void> close() {
            return Mono.empty();
        }
    };

    /** Ids carry nothing any more; each is named by the kind of what it identifies. */
    void revoked(String reason, Map<String, String> anchors);

    /** A delegation was created or revoked, and raised the epoch. */
    void epochReached(String event, String edgeId, long epoch);

    /** Tells the rest, within a bound, and ends. */
    Mono<Void> close();
}
