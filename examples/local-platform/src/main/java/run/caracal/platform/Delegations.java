package run.caracal.platform;

import java.time.Instant;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** The rules of delegation; a violation is a {@link Refusal}. */
final class Delegations {

    /** The outcome of a request to delegate. */
    record Created(DelegationSnapshot edge, List<String> resources, List<String> parentsConsidered, boolean replayed) {}

    /** The delegations and sessions that a revocation ended. */
    record Revoked(int edges, int authorityRecords, int sessions) {}

    /** The authority of a session under all its delegations together. */
    record Effective(
            List<String> edges,
            Set<String> scopes,
            Set<String> resources,
            boolean bound,
            int maxHops,
            @Nullable Long ttlSeconds,
            @Nullable Instant earliestExpiry) {}

    private final Zone zone;
    private final Sessions sessions;
    private final DelegationGraph graph;
    private final Receipts<Created> receipts;

    Delegations(Zone zone, Sessions sessions, DelegationGraph graph) {
        this.zone = zone;
        this.sessions = sessions;
        this.graph = graph;
        this.receipts = new Receipts<>("Delegation", zone.limits.idempotencyReceipts);
    }

    Created create(DelegationRequest request) {
        synchronized (sessions) {
            Instant now = zone.now();
            IdempotencyKey key = request.idempotencyKey();
            if (key != null) {
                Optional<Created> known = receipts.find(request.issuerApplicationId(), key, request.digest(), now);
                if (known.isPresent()) {
                    return replay(known.get(), now);
                }
            }
            checkEndpoints(request, now);
            List<ProtectedResource> resources = resourcesOf(request);
            if (!resources.stream()
                    .flatMap(resource -> resource.scopes().stream())
                    .toList()
                    .containsAll(request.scopes())) {
                throw new Refusal(403, "delegation_scopes_exceed_resource");
            }
            List<DelegationSnapshot> parents = graph.liveInbound(request.sourceSessionId(), now);
            DelegationSnapshot parent = parentOf(request, parents);
            Instant expiresAt = request.expiresAt() != null
                    ? request.expiresAt()
                    : now.plusSeconds(request.constraints().ttlSeconds());
            if (parent != null && !narrows(request, resources, expiresAt, parent)) {
                throw new Refusal(403, "delegation_exceeds_parent_authority");
            }
            if (graph.reaches(request.targetSessionId(), request.sourceSessionId(), now)) {
                throw new Refusal(409, "delegation_cycle_denied");
            }
            if (!expiresAt.isAfter(now)) {
                throw parent == null
                        ? new Refusal(400, "delegation_expired")
                        : new Refusal(403, "delegation_exceeds_parent_authority");
            }
            DelegationSnapshot edge = edge(request, parent, now, expiresAt);
            graph.add(edge);
            Created created = new Created(
                    edge,
                    resources.stream().map(ProtectedResource::id).toList(),
                    parents.stream().map(DelegationSnapshot::id).toList(),
                    false);
            if (key != null) {
                receipts.remember(request.issuerApplicationId(), key, request.digest(), created, now);
            }
            return created;
        }
    }

    private Created replay(Created known, Instant now) {
        DelegationSnapshot edge = graph.find(known.edge().id());
        if (edge == null || !edge.isLive(now)) {
            throw new Refusal(409, "idempotency_result_inactive", "the delegation this key made is no longer active");
        }
        return new Created(known.edge(), known.resources(), known.parentsConsidered(), true);
    }

    private DelegationSnapshot edge(
            DelegationRequest request, @Nullable DelegationSnapshot parent, Instant now, Instant expiresAt) {
        return new DelegationSnapshot(
                Ids.timeOrdered(now),
                request.sourceSessionId(),
                request.targetSessionId(),
                request.issuerApplicationId(),
                request.receiverApplicationId(),
                parent == null ? null : parent.id(),
                request.resourceId() == null
                        ? null
                        : zone.resource(request.resourceId())
                                .map(ProtectedResource::id)
                                .orElse(null),
                request.scopes(),
                request.constraints().json(),
                "active",
                now,
                expiresAt,
                null);
    }

    private void checkEndpoints(DelegationRequest request, Instant now) {
        Optional<SessionSnapshot> source = sessions.usable(request.sourceSessionId(), now, now);
        Optional<SessionSnapshot> target = sessions.usable(request.targetSessionId(), now, now);
        if (source.isEmpty() || target.isEmpty()) {
            throw new Refusal(404, "delegation_endpoint_not_found");
        }
        if (!source.get().applicationId().equals(request.issuerApplicationId())
                || !target.get().applicationId().equals(request.receiverApplicationId())) {
            throw new Refusal(409, "delegation_application_mismatch");
        }
    }

    /** The requested resources; at least one, because a request without any was rejected before. */
    private List<ProtectedResource> resourcesOf(DelegationRequest request) {
        Set<ProtectedResource> resources = new LinkedHashSet<>();
        ProtectedResource named = null;
        if (request.resourceId() != null) {
            named = zone.resource(request.resourceId()).orElseThrow(() -> new Refusal(404, "resource_not_found"));
            resources.add(named);
        }
        List<String> identifiers = request.constraints().resources();
        for (String identifier : identifiers) {
            ProtectedResource resource = zone.resources.get(identifier);
            if (resource == null) {
                throw new Refusal(404, "resource_not_found");
            }
            resources.add(resource);
        }
        if (named != null && !identifiers.isEmpty() && !identifiers.contains(named.id())) {
            throw new Refusal(400, "delegation_resource_scope_mismatch");
        }
        return List.copyOf(resources);
    }

    private static @Nullable DelegationSnapshot parentOf(DelegationRequest request, List<DelegationSnapshot> parents) {
        if (parents.isEmpty()) {
            return null;
        }
        if (request.parentEdgeId() != null) {
            return parents.stream()
                    .filter(parent -> parent.id().equals(request.parentEdgeId()))
                    .findFirst()
                    .orElseThrow(() -> new Refusal(403, "parent_delegation_not_active"));
        }
        if (parents.size() > 1) {
            throw new Refusal(409, "parent_delegation_ambiguous");
        }
        return parents.get(0);
    }

    private static boolean narrows(
            DelegationRequest request,
            List<ProtectedResource> resources,
            Instant expiresAt,
            DelegationSnapshot parent) {
        Constraints bounds = parent.bounds();
        Constraints asked = request.constraints();
        boolean shorter =
                bounds.ttlSeconds() == 0 || (asked.ttlSeconds() != 0 && asked.ttlSeconds() <= bounds.ttlSeconds());
        long askedBudget = asked.budget() == 0 ? request.scopes().size() : asked.budget();
        return parent.scopes().containsAll(request.scopes())
                && !expiresAt.isAfter(parent.expiresAt())
                && resources.stream().allMatch(resource -> parent.covers(resource.id()))
                && asked.maxHops() <= bounds.maxHops() - 1
                && shorter
                && (bounds.budget() == 0 || askedBudget <= bounds.budget());
    }

    /** All delegations that a session has received; for its own application only. */
    List<DelegationSnapshot> inbound(String sessionId, String applicationId) {
        synchronized (sessions) {
            checkReader(sessionId, applicationId);
            return graph.inbound(sessionId);
        }
    }

    /** A live delegation held by a session of the caller. */
    DelegationSnapshot inbound(String sessionId, String edgeId, String applicationId) {
        synchronized (sessions) {
            DelegationSnapshot edge = graph.find(edgeId);
            if (edge == null
                    || !edge.isLive(zone.now())
                    || !edge.targetSessionId().equals(sessionId)
                    || !edge.receiverApplicationId().equals(applicationId)) {
                throw new Refusal(404, "delegation_not_found");
            }
            return edge;
        }
    }

    Effective effective(String sessionId, String applicationId) {
        synchronized (sessions) {
            checkReader(sessionId, applicationId);
            List<DelegationSnapshot> held = graph.liveInbound(sessionId, zone.now());
            Set<String> scopes =
                    held.isEmpty() ? Set.of() : new HashSet<>(held.get(0).scopes());
            Set<String> resources = new HashSet<>();
            int maxHops = held.isEmpty() ? 0 : Constraints.MAX_HOPS;
            Long ttlSeconds = null;
            Instant earliest = null;
            for (DelegationSnapshot edge : held) {
                Constraints bounds = edge.bounds();
                scopes.retainAll(edge.scopes());
                resources.addAll(bounds.resources());
                if (edge.resourceId() != null) {
                    resources.add(edge.resourceId());
                }
                maxHops = Math.min(maxHops, bounds.maxHops());
                if (bounds.ttlSeconds() > 0) {
                    ttlSeconds = ttlSeconds == null ? bounds.ttlSeconds() : Math.min(ttlSeconds, bounds.ttlSeconds());
                }
                earliest = earliest == null || edge.expiresAt().isBefore(earliest) ? edge.expiresAt() : earliest;
            }
            return new Effective(
                    held.stream().map(DelegationSnapshot::id).toList(),
                    scopes,
                    resources,
                    !resources.isEmpty(),
                    maxHops,
                    ttlSeconds,
                    earliest);
        }
    }

    private void checkReader(String sessionId, String applicationId) {
        if (sessions.find(sessionId)
                .filter(session -> session.applicationId().equals(applicationId))
                .isEmpty()) {
            throw new Refusal(404, "session_not_found");
        }
    }

    /** Revokes a delegation and all derived from it, and ends the receiving sessions and the tokens that opened them. */
    Revoked revoke(String edgeId, String applicationId) {
        synchronized (sessions) {
            DelegationSnapshot root = graph.find(edgeId);
            if (root == null) {
                throw new Refusal(404, "delegation_not_found");
            }
            if (!root.issuerApplicationId().equals(applicationId)) {
                throw new Refusal(403, "issuer_ownership_required");
            }
            List<DelegationSnapshot> revoked = graph.revokeWithDownstream(root, zone.now());
            if (revoked.isEmpty()) {
                throw new Refusal(404, "delegation_not_found");
            }
            Set<String> records = new LinkedHashSet<>();
            Set<String> targets = new LinkedHashSet<>();
            for (DelegationSnapshot edge : revoked) {
                sessions.liveOne(edge.targetSessionId()).ifPresent(target -> {
                    targets.add(target.id());
                    records.add(target.subjectAuthorityRecordId());
                    zone.revocations.revoked(
                            "delegation_revoked",
                            Map.of(
                                    "session_id", target.subjectAuthorityRecordId(),
                                    "agent_session_id", target.id(),
                                    "delegation_edge_id", edge.id()));
                });
            }
            int ended = sessions.endAll(targets, "delegation_revoked");
            records.forEach(zone::revokeTokens);
            return new Revoked(revoked.size(), records.size(), ended);
        }
    }

    /**
     * Checks that a session may use a presented delegation, as the STS does at mint and at use.
     *
     * @param knownUntil revocations after this instant are ignored
     */
    Proof prove(
            String edgeId,
            String sessionId,
            String applicationId,
            List<String> scopes,
            long ttlSeconds,
            Instant knownUntil) {
        synchronized (sessions) {
            Instant now = zone.now();
            DelegationSnapshot edge = graph.find(edgeId);
            if (edge == null || !edge.isLive(now, knownUntil)) {
                throw denied("delegation edge inactive or expired");
            }
            if (!edge.targetSessionId().equals(sessionId)) {
                throw denied("delegation edge target mismatch");
            }
            SessionSnapshot source = sessions.usable(edge.sourceSessionId(), now, knownUntil)
                    .orElseThrow(() -> denied("delegation source inactive or expired"));
            SessionSnapshot target = sessions.usable(sessionId, now, knownUntil)
                    .filter(session -> session.applicationId().equals(applicationId))
                    .orElseThrow(() -> denied("delegation target inactive or unauthorized"));
            Constraints bounds = edge.bounds();
            if (bounds.budget() > 0) {
                throw denied("delegation constraints invalid");
            }
            if (!edge.scopes().containsAll(scopes)) {
                throw denied("requested scopes exceed delegation scopes");
            }
            if (bounds.ttlSeconds() > 0 && ttlSeconds > bounds.ttlSeconds()) {
                throw denied("requested ttl exceeds delegation ttl");
            }
            List<DelegationSnapshot> path = graph.lineage(edge, now, knownUntil);
            if (path.isEmpty() || path.size() > bounds.maxHops()) {
                throw denied("delegation path invalid");
            }
            checkChain(path, source);
            return new Proof(edge, path, graph.epoch(), target);
        }
    }

    private static void checkChain(List<DelegationSnapshot> path, SessionSnapshot source) {
        for (int i = 1; i < path.size(); i++) {
            if (!path.get(i).issuerApplicationId().equals(path.get(i - 1).receiverApplicationId())) {
                throw denied("delegation chain discontinuous");
            }
        }
        if (!path.get(0).issuerApplicationId().equals(source.applicationId())) {
            throw denied("delegation chain endpoints mismatch");
        }
    }

    /** Whether a delegation is known to be revoked, as opposed to expired. */
    boolean isRevoked(String edgeId) {
        synchronized (sessions) {
            DelegationSnapshot edge = graph.find(edgeId);
            return edge != null && edge.isRevoked(zone.knownUntil());
        }
    }

    /** Whether a delegation is known to be revoked itself, as opposed to having ended with a session. */
    boolean isWithdrawn(String edgeId) {
        synchronized (sessions) {
            return graph.isWithdrawn(edgeId) && isRevoked(edgeId);
        }
    }

    List<DelegationSnapshot> all() {
        synchronized (sessions) {
            return List.copyOf(graph.all());
        }
    }

    void forgetOld() {
        synchronized (sessions) {
            graph.forget(zone.now());
            receipts.forget(zone.now());
        }
    }

    private static Refusal denied(String description) {
        return new Refusal(403, "access_denied", description);
    }
}
