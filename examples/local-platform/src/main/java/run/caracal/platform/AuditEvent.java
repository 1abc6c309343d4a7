package run.caracal.platform;

import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * An entry of the audit log: a decision or an action, its subject, and the deciding policy.
 *
 * @param id the event's own id
 * @param zoneId the zone
 * @param eventType for instance {@code token_exchange} or {@code gateway_resource_request}
 * @param requestId the request that caused it, shared by a Gateway call and its token exchange
 * @param decision {@code allow} or {@code deny}; of an approval {@code pending}, {@code approved}, {@code rejected} or
 *     {@code consumed}
 * @param evaluationStatus {@code complete}, {@code executed}, or the reason
 * @param policySetId the policy set in force, for decisions
 * @param policySetVersionId its version
 * @param manifestSha the hash of that version
 * @param determiningPolicies the deciding policies; none if no policy was evaluated
 * @param metadata all other details, such as {@code application_id}, {@code resource} and {@code requested_scopes}
 * @param occurredAt when it happened
 */
public record AuditEvent(
        String id,
        String zoneId,
        String eventType,
        String requestId,
        String decision,
        String evaluationStatus,
        @Nullable String policySetId,
        @Nullable String policySetVersionId,
        @Nullable String manifestSha,
        List<String> determiningPolicies,
        Map<String, @Nullable Object> metadata,
        Instant occurredAt) {

    /** {@return the requesting application; empty if unknown} */
    public String applicationId() {
        return Objects.toString(metadata.get("application_id"), "");
    }

    /** {@return the requested resource; empty if unknown} */
    public String resource() {
        return Objects.toString(metadata.get("resource"), "");
    }

    /** {@return the requested scopes} */
    public List<String> requestedScopes() {
        return metadata.get("requested_scopes") instanceof List<?> scopes
                ? scopes.stream().map(String::valueOf).toList()
                : List.of();
    }

    /** Whether a mandate for one call was issued. */
    boolean isMint() {
        return determiningPolicies.contains(Policy.mint(applicationId()));
    }

    /** Whether a bearer was accepted at the Gateway. */
    boolean isUse() {
        return determiningPolicies.contains(Policy.use(applicationId()));
    }

    /** The acting session and its delegation. */
    String authority() {
        return metadata.get("agent_session_id") + " " + metadata.get("delegation_edge_id");
    }

    Map<String, @Nullable Object> toJson() {
        Map<String, @Nullable Object> json = Json.object();
        json.put("id", id);
        json.put("zone_id", zoneId);
        json.put("event_type", eventType);
        json.put("request_id", requestId);
        json.put("decision", decision);
        json.put("application_id", applicationId());
        json.put("resource", resource());
        json.put("requested_scopes", requestedScopes());
        if (policySetId != null) {
            json.put("policy_set_id", policySetId);
            json.put("policy_set_version_id", policySetVersionId);
            json.put("manifest_sha", manifestSha);
        }
        json.put("evaluation_status", evaluationStatus);
        json.put("determining_policies", determiningPolicies);
        json.put("metadata", metadata);
        json.put("occurred_at", Json.timestamp(occurredAt));
        return json;
    }
}
