package run.caracal.platform;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The proof that a session may act under a delegation.
 *
 * @param edge the delegation
 * @param path the delegation and its ancestors, the root first
 * @param epoch the epoch of the zone's delegations at that time
 * @param target the session that received the delegation
 */
record Proof(DelegationSnapshot edge, List<DelegationSnapshot> path, long epoch, SessionSnapshot target) {

    /** The claims of a token based on this proof. */
    Map<String, @Nullable Object> claims() {
        Map<String, @Nullable Object> claims = Json.object();
        claims.put("agent_session_id", edge.targetSessionId());
        claims.put("delegation_edge_id", edge.id());
        claims.put("source_session_id", edge.sourceSessionId());
        claims.put("target_session_id", edge.targetSessionId());
        claims.put("delegation_path", path.stream().map(DelegationSnapshot::id).toList());
        claims.put("delegation_chain", chain());
        claims.put("hop_count", path.size());
        claims.put("delegation_graph_epoch", epoch);
        return claims;
    }

    /** The chain of applications: the issuer of each delegation, then the receiver. */
    List<Map<String, @Nullable Object>> chain() {
        List<Map<String, @Nullable Object>> chain = new ArrayList<>();
        for (DelegationSnapshot step : path) {
            Map<String, @Nullable Object> hop = Json.object();
            hop.put("application_id", step.issuerApplicationId());
            hop.put("agent_session_id", step.sourceSessionId());
            hop.put("delegation_edge_id", step.id());
            chain.add(hop);
        }
        Map<String, @Nullable Object> receiver = Json.object();
        receiver.put("application_id", edge.receiverApplicationId());
        receiver.put("agent_session_id", edge.targetSessionId());
        chain.add(receiver);
        return chain;
    }
}
