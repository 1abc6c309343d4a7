package run.caracal.platform;

import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The agent sessions of a zone and the rules of their lifecycle. Every method is one short step under a lock, so that limits
 * and idempotency hold under concurrency; a violated rule is a {@link Refusal}.
 */
final class Sessions {

    private static final int REMEMBERED_ENDED = 10_000;

    /** The outcome of a request to open a session. */
    record Started(SessionSnapshot session, boolean replayed) {}

    private final Zone zone;
    private final Map<String, Session> live = new LinkedHashMap<>();
    private final Map<String, Integer> livePerApplication = new HashMap<>();
    private final Map<String, SessionSnapshot> ended = new LinkedHashMap<>();
    private final Receipts<SessionSnapshot> receipts;
    private final DelegationGraph graph;
    private long totalOpened;

    Sessions(Zone zone, DelegationGraph graph) {
        this.zone = zone;
        this.graph = graph;
        this.receipts = new Receipts<>("Session start", zone.limits.idempotencyReceipts);
    }

    private static final class Session {
        private final SessionSnapshot start;
        private final List<String> children = new ArrayList<>();
        private String status = "active";
        private long leaseGeneration;
        private @Nullable Instant heartbeatAt;
        private @Nullable Instant deadline;

        private Session(SessionSnapshot start) {
            this.start = start;
            this.leaseGeneration = start.leaseGeneration();
            this.heartbeatAt = start.lastHeartbeatAt();
            this.deadline = start.heartbeatDeadlineAt();
        }

        private boolean isActive() {
            return status.equals("active");
        }

        private boolean isService() {
            return start.lifecycle().equals("service");
        }

        private boolean hasRunOut(Instant now) {
            if (isService()) {
                return deadline != null && !now.isBefore(deadline);
            }
            Long ttl = start.ttlSeconds();
            return ttl != null && !now.isBefore(start.startedAt().plusSeconds(ttl));
        }

        private SessionSnapshot snapshot(String currentStatus, @Nullable Instant endedAt, @Nullable String reason) {
            return new SessionSnapshot(
                    start.id(),
                    start.applicationId(),
                    start.parentId(),
                    start.subjectAuthorityRecordId(),
                    start.lifecycle(),
                    currentStatus,
                    start.labels(),
                    start.metadata(),
                    start.depth(),
                    start.ttlSeconds(),
                    leaseGeneration,
                    start.startedAt(),
                    heartbeatAt,
                    deadline,
                    endedAt,
                    reason,
                    start.idempotencyKey(),
                    start.delegationEdgeId());
        }

        private SessionSnapshot snapshot() {
            return snapshot(status, null, null);
        }
    }

    synchronized Started start(StartRequest request) {
        Instant now = zone.now();
        IdempotencyKey key = request.idempotencyKey();
        if (key != null) {
            Optional<SessionSnapshot> known = receipts.find(request.applicationId(), key, request.digest(), now);
            if (known.isPresent()) {
                return replay(known.get());
            }
        }
        if (!zone.applications.containsKey(request.applicationId())) {
            throw new Refusal(404, "application_not_found");
        }
        Session parent = parentOf(request);
        checkCapacity(request, parent);
        String id = Ids.timeOrdered(now);
        DelegationSnapshot inherited = inherited(request, id, now);
        Session session = new Session(new SessionSnapshot(
                id,
                request.applicationId(),
                request.parentId(),
                request.subjectAuthorityRecordId(),
                request.lifecycle(),
                "active",
                request.labels(),
                request.metadata(),
                parent == null ? 0 : parent.start.depth() + 1,
                request.isService() ? null : ttlSeconds(request),
                request.isService() ? 1 : 0,
                now,
                request.isService() ? now : null,
                request.isService() ? now.plus(zone.limits.serviceLease) : null,
                null,
                null,
                key == null ? null : key.value(),
                inherited == null ? null : inherited.id()));
        if (inherited != null) {
            graph.add(inherited);
        }
        live.put(session.start.id(), session);
        livePerApplication.merge(request.applicationId(), 1, Integer::sum);
        if (parent != null) {
            parent.children.add(session.start.id());
        }
        if (key != null) {
            receipts.remember(request.applicationId(), key, request.digest(), session.start, now);
        }
        totalOpened++;
        return new Started(session.start, false);
    }

    private Started replay(SessionSnapshot started) {
        if (!live.containsKey(started.id())) {
            throw new Refusal(409, "idempotency_result_inactive", "the session this key opened has ended");
        }
        return new Started(started, true);
    }

    /** A copy of the parent's delegation, for a child that inherits it; none if the parent never held one. */
    private @Nullable DelegationSnapshot inherited(StartRequest request, String childId, Instant now) {
        String parentId = request.parentId();
        if (parentId == null || request.parentAuthority().equals("none")) {
            return null;
        }
        String wanted = request.inheritParentEdgeId();
        List<DelegationSnapshot> held = graph.inbound(parentId).stream()
                .filter(edge -> edge.receiverApplicationId().equals(request.applicationId()))
                .filter(edge -> wanted == null || edge.id().equals(wanted))
                .toList();
        List<DelegationSnapshot> usable =
                held.stream().filter(edge -> edge.isLive(now)).toList();
        if (usable.isEmpty()) {
            if (wanted != null || !held.isEmpty()) {
                throw new Refusal(409, "inherit_parent_edge_not_active");
            }
            return null;
        }
        if (usable.size() > 1) {
            throw new Refusal(409, "inherit_parent_edge_ambiguous");
        }
        DelegationSnapshot edge = usable.get(0);
        return new DelegationSnapshot(
                Ids.timeOrdered(now),
                parentId,
                childId,
                edge.receiverApplicationId(),
                request.applicationId(),
                edge.id(),
                edge.resourceId(),
                edge.scopes(),
                edge.constraints(),
                "active",
                now,
                edge.expiresAt(),
                null);
    }

    private @Nullable Session parentOf(StartRequest request) {
        if (request.parentId() == null) {
            if (request.inheritParentEdgeId() != null) {
                throw new Refusal(409, "inherit_parent_edge_not_active");
            }
            return null;
        }
        Session parent = live.get(request.parentId());
        if (parent == null || !parent.isActive() || parent.hasRunOut(zone.now())) {
            throw new Refusal(404, "parent_not_found");
        }
        if (!parent.start.applicationId().equals(request.applicationId())) {
            throw new Refusal(403, "parent_ownership_required");
        }
        if (request.isService() && !parent.isService()) {
            throw new Refusal(409, "task_session_cannot_start_service");
        }
        return parent;
    }

    private void checkCapacity(StartRequest request, @Nullable Session parent) {
        if (live.size() >= zone.limits.sessionsPerZone) {
            throw new Refusal(429, "session_zone_limit_exceeded");
        }
        if (livePerApplication.getOrDefault(request.applicationId(), 0) >= zone.limits.sessionsPerApplication) {
            throw new Refusal(429, "session_limit_exceeded");
        }
        if (parent != null && parent.children.size() >= zone.limits.childrenPerSession) {
            throw new Refusal(429, "session_children_limit_exceeded");
        }
        if (parent != null && parent.start.depth() >= zone.limits.sessionDepth) {
            throw new Refusal(429, "session_depth_limit_exceeded");
        }
    }

    private long ttlSeconds(StartRequest request) {
        return request.ttlSeconds() == null ? zone.limits.sessionTtl.toSeconds() : request.ttlSeconds();
    }

    /** Ends a session and its descendants. */
    synchronized void terminate(String sessionId, String applicationId, @Nullable Long leaseGeneration, String reason) {
        Session session = live.get(sessionId);
        if (session == null) {
            throw new Refusal(404, "session_not_found");
        }
        checkOwner(session, applicationId);
        if (session.isService()) {
            if (leaseGeneration == null) {
                throw new Refusal(400, "lease_generation_required");
            }
            checkGeneration(session, leaseGeneration);
        }
        end(session, "terminated", reason);
    }

    /** Renews the lease of a service. */
    synchronized SessionSnapshot heartbeat(String sessionId, String applicationId, long leaseGeneration) {
        Session session = service(sessionId, applicationId);
        checkGeneration(session, leaseGeneration);
        Instant now = zone.now();
        if (session.isActive() && session.hasRunOut(now)) {
            suspend(session);
            throw new Refusal(409, "session_lease_expired");
        }
        renew(session, now);
        return session.snapshot();
    }

    /** Transfers the lease of a service to a new holder, and fences the previous one. */
    synchronized SessionSnapshot takeOver(String sessionId, String applicationId) {
        Session session = service(sessionId, applicationId);
        if (!session.isActive()) {
            throw new Refusal(409, "session_suspended");
        }
        Instant now = zone.now();
        if (session.hasRunOut(now)) {
            suspend(session);
            throw new Refusal(409, "session_lease_expired");
        }
        session.leaseGeneration++;
        renew(session, now);
        return session.snapshot();
    }

    /** Suspends a session and its descendants; their number. */
    synchronized int suspend(String sessionId, String applicationId) {
        Session session = live.get(sessionId);
        if (session == null || !session.isActive()) {
            throw new Refusal(409, "session_not_found_or_not_active");
        }
        checkOwner(session, applicationId);
        int changed = (int) subtree(session).stream().filter(Session::isActive).count();
        suspend(session);
        return changed;
    }

    /** Resumes a session and its descendants, with new leases; their number. */
    synchronized int resume(String sessionId, String applicationId) {
        Session session = live.get(sessionId);
        if (session == null || session.isActive()) {
            throw new Refusal(409, "session_not_found_or_not_suspended");
        }
        checkOwner(session, applicationId);
        int changed = 0;
        for (Session member : subtree(session)) {
            if (!member.isActive()) {
                member.status = "active";
                if (member.isService()) {
                    renew(member, zone.now());
                }
                changed++;
            }
        }
        return changed;
    }

    /** A periodic task: expires tasks after their TTL. */
    synchronized void expireTasks() {
        Instant now = zone.now();
        for (Session session : List.copyOf(live.values())) {
            if (!session.isService() && session.hasRunOut(now) && live.containsKey(session.start.id())) {
                end(session, "expired", "ttl_expired");
            }
        }
        receipts.forget(now);
    }

    /** A periodic task: suspends services after their lease. */
    synchronized void expireLeases() {
        Instant now = zone.now();
        for (Session session : live.values()) {
            if (session.isService() && session.isActive() && session.hasRunOut(now)) {
                suspend(session);
            }
        }
    }

    /** The session, if it can hold authority at the first instant, ignoring ends after the second. */
    synchronized Optional<SessionSnapshot> usable(String sessionId, Instant now, Instant knownUntil) {
        Session session = live.get(sessionId);
        if (session == null) {
            return Optional.ofNullable(ended.get(sessionId)).filter(known -> !isOver(known, knownUntil));
        }
        return !session.isActive() || session.hasRunOut(now) ? Optional.empty() : Optional.of(session.snapshot());
    }

    private static boolean isOver(SessionSnapshot session, Instant knownUntil) {
        Instant endedAt = session.endedAt();
        return endedAt != null && !endedAt.isAfter(knownUntil);
    }

    /** The session, if it is live, suspended or not. */
    synchronized Optional<SessionSnapshot> liveOne(String sessionId) {
        return Optional.ofNullable(live.get(sessionId)).map(Session::snapshot);
    }

    /** Whether the session is known to have been ended, as opposed to expired or suspended. */
    synchronized boolean hasEnded(String sessionId) {
        SessionSnapshot known = ended.get(sessionId);
        return !live.containsKey(sessionId) && (known == null || isOver(known, zone.knownUntil()));
    }

    /** The stored children of a session, ended ones first. */
    synchronized List<SessionSnapshot> children(String sessionId) {
        return all().stream()
                .filter(session -> sessionId.equals(session.parentId()))
                .toList();
    }

    /** The session, live or ended. */
    synchronized Optional<SessionSnapshot> find(String sessionId) {
        Session session = live.get(sessionId);
        return Optional.ofNullable(session != null ? session.snapshot() : ended.get(sessionId));
    }

    synchronized List<SessionSnapshot> live() {
        return live.values().stream().map(Session::snapshot).toList();
    }

    /** All stored sessions, ended ones first. */
    synchronized List<SessionSnapshot> all() {
        List<SessionSnapshot> all = new ArrayList<>(ended.values());
        all.addAll(live());
        return all;
    }

    synchronized int liveCount() {
        return live.size();
    }

    synchronized long totalOpened() {
        return totalOpened;
    }

    private Session service(String sessionId, String applicationId) {
        Session session = live.get(sessionId);
        if (session == null) {
            throw ended.containsKey(sessionId)
                    ? new Refusal(409, "session_not_live")
                    : new Refusal(404, "session_not_found");
        }
        checkOwner(session, applicationId);
        if (!session.isService()) {
            throw new Refusal(409, "session_not_service");
        }
        if (!zone.carriesSessions(session.start.subjectAuthorityRecordId())) {
            end(session, "terminated", "subject_inactive");
            throw new Refusal(409, "session_subject_inactive");
        }
        return session;
    }

    private static void checkOwner(Session session, String applicationId) {
        if (!session.start.applicationId().equals(applicationId)) {
            throw new Refusal(403, "application_ownership_required");
        }
    }

    private static void checkGeneration(Session session, long leaseGeneration) {
        if (session.leaseGeneration != leaseGeneration) {
            throw new Refusal(409, "session_lease_fenced");
        }
    }

    private void renew(Session session, Instant now) {
        session.heartbeatAt = now;
        session.deadline = now.plus(zone.limits.serviceLease);
    }

    private void suspend(Session root) {
        for (Session member : subtree(root)) {
            member.status = "suspended";
        }
    }

    private Collection<Session> subtree(Session root) {
        List<Session> members = new ArrayList<>();
        Deque<Session> open = new ArrayDeque<>(List.of(root));
        while (!open.isEmpty()) {
            Session next = open.removeFirst();
            members.add(next);
            for (String child : next.children) {
                Session session = live.get(child);
                if (session != null) {
                    open.addLast(session);
                }
            }
        }
        return members;
    }

    /** Ends sessions and their descendants; their number. */
    synchronized int endAll(Collection<String> sessionIds, String reason) {
        int count = 0;
        for (String sessionId : sessionIds) {
            Session session = live.get(sessionId);
            if (session != null) {
                count += subtree(session).size();
                end(session, "terminated", reason);
            }
        }
        return count;
    }

    private void end(Session root, String status, String reason) {
        Instant now = zone.now();
        Collection<Session> members = subtree(root);
        for (Session session : members) {
            boolean isRoot = session.start.id().equals(root.start.id());
            live.remove(session.start.id());
            livePerApplication.computeIfPresent(
                    session.start.applicationId(), (application, count) -> count == 1 ? null : count - 1);
            remember(session.snapshot(isRoot ? status : "terminated", now, isRoot ? reason : "parent_terminated"));
        }
        graph.revokeTouching(members.stream().map(session -> session.start.id()).toList(), now);
        String parentId = root.start.parentId();
        Session parent = parentId == null ? null : live.get(parentId);
        if (parent != null) {
            parent.children.remove(root.start.id());
        }
    }

    private void remember(SessionSnapshot session) {
        ended.put(session.id(), session);
        if (ended.size() > REMEMBERED_ENDED) {
            Iterator<String> oldest = ended.keySet().iterator();
            oldest.next();
            oldest.remove();
        }
    }
}
