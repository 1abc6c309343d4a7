package run.caracal.platform;

import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** The delegations between sessions. Not thread-safe: {@link Sessions} holds the lock. */
final class DelegationGraph {

    private static final Duration REMEMBERED = Duration.ofDays(1);

    private final Map<String, DelegationSnapshot> edges = new LinkedHashMap<>();
    private final Map<String, Set<String>> outbound = new HashMap<>();
    private final Map<String, Set<String>> inbound = new HashMap<>();
    private final Set<String> withdrawn = new HashSet<>();
    private final Revocations revocations;
    private long epoch;

    DelegationGraph(Revocations revocations) {
        this.revocations = revocations;
    }

    /** The epoch, which each change increments; 0 before the first. */
    long epoch() {
        return epoch;
    }

    void add(DelegationSnapshot edge) {
        edges.put(edge.id(), edge);
        outbound.computeIfAbsent(edge.sourceSessionId(), id -> new LinkedHashSet<>())
                .add(edge.id());
        inbound.computeIfAbsent(edge.targetSessionId(), id -> new LinkedHashSet<>())
                .add(edge.id());
        epoch++;
        revocations.epochReached("edge_create", edge.id(), epoch);
    }

    @Nullable
    DelegationSnapshot find(String id) {
        return edges.get(id);
    }

    /** Whether it was revoked, by itself or with an ancestor, as opposed to having ended with a session. */
    boolean isWithdrawn(String id) {
        return withdrawn.contains(id);
    }

    Collection<DelegationSnapshot> all() {
        return edges.values();
    }

    /** All delegations that a session has received, oldest first. */
    List<DelegationSnapshot> inbound(String sessionId) {
        return edgesOf(inbound, sessionId);
    }

    /** The live delegations of a session, oldest first. */
    List<DelegationSnapshot> liveInbound(String sessionId, Instant now) {
        return inbound(sessionId).stream().filter(edge -> edge.isLive(now)).toList();
    }

    /** Whether authority flows from one session to the other. */
    boolean reaches(String from, String to, Instant now) {
        Set<String> seen = new LinkedHashSet<>(Set.of(from));
        Deque<String> open = new ArrayDeque<>(seen);
        while (!open.isEmpty()) {
            for (DelegationSnapshot edge : edgesOf(outbound, open.removeFirst())) {
                if (edge.isLive(now) && seen.add(edge.targetSessionId())) {
                    open.addLast(edge.targetSessionId());
                }
            }
        }
        return seen.contains(to);
    }

    /**
     * A delegation and its ancestors, the root first; empty if one of them is not live, ignoring revocations after an instant.
     */
    List<DelegationSnapshot> lineage(DelegationSnapshot leaf, Instant now, Instant knownUntil) {
        Deque<DelegationSnapshot> path = new ArrayDeque<>();
        DelegationSnapshot edge = leaf;
        while (edge != null && edge.isLive(now, knownUntil)) {
            path.addFirst(edge);
            String parentId = edge.parentId();
            if (parentId == null) {
                return List.copyOf(path);
            }
            edge = edges.get(parentId);
        }
        return List.of();
    }

    /** Revokes a delegation and all delegations derived from it. */
    List<DelegationSnapshot> revokeWithDownstream(DelegationSnapshot root, Instant now) {
        Map<String, DelegationSnapshot> revoked = new LinkedHashMap<>();
        Deque<DelegationSnapshot> open = new ArrayDeque<>(List.of(root));
        while (!open.isEmpty()) {
            DelegationSnapshot edge = open.removeFirst();
            if (edge.isActive() && revoked.putIfAbsent(edge.id(), edge) == null) {
                open.addAll(edgesOf(outbound, edge.targetSessionId()));
            }
        }
        revoke(revoked.values(), now);
        withdrawn.addAll(revoked.keySet());
        return List.copyOf(revoked.values());
    }

    /** Revokes all delegations from or to these sessions. */
    void revokeTouching(Collection<String> sessionIds, Instant now) {
        List<DelegationSnapshot> touching = new ArrayList<>();
        for (String sessionId : sessionIds) {
            touching.addAll(edgesOf(outbound, sessionId));
            touching.addAll(edgesOf(inbound, sessionId));
        }
        revoke(touching.stream().filter(DelegationSnapshot::isActive).toList(), now);
    }

    /** Removes delegations that ended long ago. */
    void forget(Instant now) {
        edges.values().removeIf(edge -> {
            Instant end = edge.revokedAt() == null ? edge.expiresAt() : edge.revokedAt();
            boolean old = now.isAfter(end.plus(REMEMBERED));
            if (old) {
                withdrawn.remove(edge.id());
                unlink(outbound, edge.sourceSessionId(), edge.id());
                unlink(inbound, edge.targetSessionId(), edge.id());
            }
            return old;
        });
    }

    private void revoke(Collection<DelegationSnapshot> active, Instant now) {
        if (!active.isEmpty()) {
            epoch++;
            active.forEach(edge -> {
                edges.put(edge.id(), edge.revoked(now));
                revocations.epochReached("edge_revoke", edge.id(), epoch);
            });
        }
    }

    private List<DelegationSnapshot> edgesOf(Map<String, Set<String>> index, String sessionId) {
        List<DelegationSnapshot> found = new ArrayList<>();
        for (String id : index.getOrDefault(sessionId, Set.of())) {
            DelegationSnapshot edge = edges.get(id);
            if (edge != null) {
                found.add(edge);
            }
        }
        return found;
    }

    private static void unlink(Map<String, Set<String>> index, String sessionId, String edgeId) {
        index.computeIfPresent(sessionId, (id, known) -> {
            known.remove(edgeId);
            return known.isEmpty() ? null : known;
        });
    }
}
