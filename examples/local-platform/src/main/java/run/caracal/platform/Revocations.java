package run.caracal.platform;

import java.util.Map;
import reactor.core.publisher.Mono;

/** Listens to the revocations of a zone. Called under their locks, so it must not block. */
interface Revocations {
    /** Ignores all revocations. */
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

    /** Ids were revoked, each under the name of its kind. */
    void revoked(String reason, Map<String, String> anchors);

    /** The epoch was incremented by the creation or revocation of a delegation. */
    void epochReached(String event, String edgeId, long epoch);

    /** Writes pending revocations, with a timeout, and closes. */
    Mono<Void> close();
}
