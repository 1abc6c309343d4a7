package run.caracal.platform;

import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** The HTTP interface of the Coordinator for delegations. */
final class DelegationRoutes {

    private final Zone zone;
    private final Delegations delegations;

    DelegationRoutes(Zone zone, Delegations delegations) {
        this.zone = zone;
        this.delegations = delegations;
    }

    /** The answer; empty for an unknown path. */
    Optional<Answer> route(Call call, Mandate caller, List<String> path) {
        @Nullable Object body = call.method().equals("GET") ? Fields.ABSENT : CoordinatorInput.json(call);
        boolean inbound = path.size() >= 5 && path.get(3).equals("inbound");
        boolean revoke = path.size() == 5 && path.get(4).equals("revoke");
        String route = call.method() + ' ' + path.size();
        if (route.equals("POST 3")) {
            return Optional.of(create(call, caller, body));
        }
        if (route.equals("GET 5") && inbound) {
            return Optional.of(list(call, caller, path.get(4)));
        }
        if (route.equals("GET 6") && inbound) {
            DelegationSnapshot edge = delegations.inbound(path.get(4), path.get(5), caller.applicationId());
            return Optional.of(Answer.json(200, Map.of("id", edge.id(), "status", edge.status())));
        }
        if (route.equals("PATCH 5") && revoke) {
            return Optional.of(revoke(caller, path.get(3)));
        }
        return Optional.empty();
    }

    /** The checks before any lookup, in the platform's order. */
    private Answer create(Call call, Mandate caller, @Nullable Object body) {
        Fields fields = new Fields(body);
        String source = fields.requiredText("source_session_id", 128);
        String target = fields.requiredText("target_session_id", 128);
        String issuer = fields.requiredText("issuer_application_id", 128);
        String receiver = fields.requiredText("receiver_application_id", 128);
        String parent = fields.text("parent_edge_id", 128);
        String resource = fields.nullableText("resource_id", 2048);
        List<String> scopes = fields.strings("scopes");
        Instant expiresAt = fields.time("expires_at");
        Long ttl = fields.integer("ttl_seconds", 1, 86_400);
        CoordinatorInput.check(fields);
        Constraints constraints = Constraints.of(fields, ttl);
        if (expiresAt == null) {
            expiresAt = constraints.expiresAt().orElse(null);
        }
        if (expiresAt == null && constraints.ttlSeconds() == 0) {
            throw new Refusal(400, "delegation_expiry_required");
        }
        if (!caller.applicationId().equals(issuer)) {
            throw new Refusal(403, "issuer_ownership_required");
        }
        if (source.equals(target)) {
            throw new Refusal(400, "self_delegation_denied");
        }
        if (resource == null && constraints.resources().isEmpty()) {
            throw new Refusal(403, "broad_delegation_permission_required");
        }
        Delegations.Created created = delegations.create(new DelegationRequest(
                issuer,
                source,
                target,
                receiver,
                parent,
                resource,
                scopes,
                constraints,
                expiresAt,
                CoordinatorInput.idempotencyKey(call, caller, zone.limits)));
        Answer answer = Answer.json(201, createdJson(created));
        return created.replayed() ? answer.with("Idempotency-Replayed", "true") : answer;
    }

    private Map<String, @Nullable Object> createdJson(Delegations.Created created) {
        DelegationSnapshot edge = created.edge();
        Map<String, @Nullable Object> json = Json.object();
        json.put("delegation_edge_id", edge.id());
        json.putAll(edgeJson(edge));
        json.put("warnings", List.of());
        json.put(
                "allow_reason",
                List.of(
                        "same_zone_endpoints_active",
                        "resource_scope_checked",
                        edge.parentId() == null ? "source_authority_root" : "parent_authority_narrowed",
                        "typed_constraints_validated"));
        json.put("effective_authority", effectiveJson(created));
        return json;
    }

    private Map<String, @Nullable Object> effectiveJson(Delegations.Created created) {
        DelegationSnapshot edge = created.edge();
        Constraints bounds = edge.bounds();
        Map<String, @Nullable Object> json = Json.object();
        json.put("source_session_id", edge.sourceSessionId());
        json.put("target_session_id", edge.targetSessionId());
        json.put("parent_edge_id", edge.parentId());
        json.put("resource_id", rowId(edge));
        json.put("resources", created.resources());
        json.put("scopes", edge.scopes());
        json.put("expires_at", Json.timestamp(edge.expiresAt()));
        json.put("max_hops", bounds.maxHops());
        json.put("ttl_seconds", bounds.ttlSeconds() == 0 ? null : bounds.ttlSeconds());
        json.put("broad", false);
        json.put("parent_edges_considered", created.parentsConsidered());
        return json;
    }

    /** The fields of a delegation in every answer, except its id, whose name differs. */
    private Map<String, @Nullable Object> edgeJson(DelegationSnapshot edge) {
        Instant revokedAt = edge.revokedAt();
        Map<String, @Nullable Object> json = Json.object();
        json.put("zone_id", zone.id);
        json.put("source_session_id", edge.sourceSessionId());
        json.put("target_session_id", edge.targetSessionId());
        json.put("issuer_application_id", edge.issuerApplicationId());
        json.put("receiver_application_id", edge.receiverApplicationId());
        json.put("parent_edge_id", edge.parentId());
        json.put("resource_id", rowId(edge));
        json.put("scopes", edge.scopes());
        json.put("constraints_json", edge.constraints());
        json.put("status", edge.status());
        json.put("expires_at", Json.timestamp(edge.expiresAt()));
        json.put("edge_version", revokedAt == null ? 1 : 2);
        json.put("revoked_at", revokedAt == null ? null : Json.timestamp(revokedAt));
        json.put("created_at", Json.timestamp(edge.createdAt()));
        return json;
    }

    private @Nullable String rowId(DelegationSnapshot edge) {
        return edge.resourceId() == null ? null : zone.rowId(edge.resourceId());
    }

    /** Newest first, as on the platform. */
    private Answer list(Call call, Mandate caller, String sessionId) {
        Form query = call.queryFields();
        int limit = CoordinatorInput.limit(query.first("limit"));
        List<DelegationSnapshot> held = new ArrayList<>(delegations.inbound(sessionId, caller.applicationId()));
        Collections.reverse(held);
        if (query.has("cursor")) {
            int last = held.stream().map(DelegationSnapshot::id).toList().indexOf(query.first("cursor"));
            if (last < 0) {
                throw new Refusal(400, "invalid_cursor");
            }
            held = held.subList(last + 1, held.size());
        }
        List<Map<String, @Nullable Object>> items = new ArrayList<>();
        for (DelegationSnapshot edge : held.subList(0, Math.min(limit, held.size()))) {
            Map<String, @Nullable Object> item = Json.object();
            item.put("id", edge.id());
            item.putAll(edgeJson(edge));
            items.add(item);
        }
        Map<String, @Nullable Object> page = Json.object();
        page.put("items", items);
        page.put("next_cursor", items.size() == limit ? items.get(limit - 1).get("id") : null);
        return Answer.json(200, page);
    }

    private Answer revoke(Mandate caller, String edgeId) {
        Delegations.Revoked revoked = delegations.revoke(edgeId, caller.applicationId());
        Map<String, @Nullable Object> json = Json.object();
        json.put("revoked_edges", revoked.edges());
        json.put("affected_sessions", revoked.authorityRecords());
        json.put("terminated_sessions", revoked.sessions());
        return Answer.json(200, json);
    }

    /** The effective authority of a session under all its delegations. */
    Answer effective(Mandate caller, String sessionId) {
        Delegations.Effective held = delegations.effective(sessionId, caller.applicationId());
        Map<String, @Nullable Object> json = Json.object();
        json.put("agent_session_id", sessionId);
        json.put("inbound_edges", held.edges());
        json.put("effective_scopes", held.scopes().stream().sorted().toList());
        if (!held.edges().isEmpty()) {
            json.put(
                    "effective_resource_ids",
                    held.resources().stream().map(zone::rowId).sorted().toList());
        }
        json.put("effective_resources", held.resources().stream().sorted().toList());
        if (!held.edges().isEmpty()) {
            json.put("effective_resource_constrained", held.bound());
        }
        json.put("effective_max_hops", held.maxHops());
        json.put("effective_ttl_seconds", held.ttlSeconds());
        json.put("earliest_expires_at", held.earliestExpiry() == null ? null : Json.timestamp(held.earliestExpiry()));
        return Answer.json(200, json);
    }
}
