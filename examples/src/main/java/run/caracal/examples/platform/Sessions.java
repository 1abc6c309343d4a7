package run.caracal.examples.platform;

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
 * The governed sessions of a zone and the rules of their life. Every method is one short step under a lock, so that limits
 * hold and a key is used once, whatever arrives at the same time; a rule that is broken is a {@link Refusal}.
 */
final class Sessions {

    private static final int REMEMBERED_ENDED = 10_000;

    /** What became of a request to open a session. */
    record Started(SessionSnapshot session, boolean replayed) {}

    private record Receipt(List<@Nullable Object> digest, SessionSnapshot started, Instant forgottenAt) {}

    private final Zone zone;
    private final Map<String, Session> live = new LinkedHashMap<>();
    private final Map<String, Integer> livePerApplication = new HashMap<>();
    private final Map<String, SessionSnapshot> ended = new LinkedHashMap<>();
    private final Map<String, Map<String, Receipt>> receipts = new HashMap<>();
    private long totalOpened;

    Sessions(Zone zone) {
        this.zone = zone;
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
                    start.idempotencyKey());
        }

        private SessionSnapshot snapshot() {
            return snapshot(status, null, null);
        }
    }

    synchronized Started start(StartRequest request) {
        Instant now = zone.now();
        StartRequest.IdempotencyKey key = request.idempotencyKey();
        Map<String, Receipt> known = receipts.computeIfAbsent(request.applicationId(), id -> new LinkedHashMap<>());
        if (key != null) {
            Receipt receipt = known.get(key.value());
            if (receipt != null && now.isBefore(receipt.forgottenAt())) {
                return replay(receipt, request);
            }
        }
        if (!zone.applications.containsKey(request.applicationId())) {
            throw new Refusal(404, "application_not_found");
        }
        Session parent = parentOf(request);
        checkCapacity(request, parent);
        if (key != null && known.size() >= zone.limits.idempotencyReceipts) {
            throw new Refusal(429, "idempotency_receipt_limit_exceeded");
        }
        Session session = new Session(new SessionSnapshot(
                Ids.timeOrdered(now),
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
                key == null ? null : key.value()));
        live.put(session.start.id(), session);
        livePerApplication.merge(request.applicationId(), 1, Integer::sum);
        if (parent != null) {
            parent.children.add(session.start.id());
        }
        if (key != null) {
            known.put(key.value(), new Receipt(request.digest(), session.start, now.plus(key.retention())));
        }
        totalOpened++;
        return new Started(session.start, false);
    }

    private Started replay(Receipt receipt, StartRequest request) {
        if (!receipt.digest().equals(request.digest())) {
            throw new Refusal(409, "idempotency_key_conflict", "the key was used with another request");
        }
        if (!live.containsKey(receipt.started().id())) {
            throw new Refusal(409, "idempotency_result_inactive", "the session this key opened has ended");
        }
        return new Started(receipt.started(), true);
    }

    private @Nullable Session parentOf(StartRequest request) {
        if (request.parentId() == null) {
            if (request.inheritParentEdgeId() != null) {
                throw new Refusal(409, "inherit_parent_edge_not_active");
            }
            return null;
        }
        Session parent = live.get(request.parentId());
        if (parent == null || !parent.status.equals("active") || parent.hasRunOut(zone.now())) {
            throw new Refusal(404, "parent_not_found");
        }
        if (!parent.start.applicationId().equals(request.applicationId())) {
            throw new Refusal(403, "parent_ownership_required");
        }
        if (request.isService() && !parent.isService()) {
            throw new Refusal(409, "task_session_cannot_start_service");
        }
        if (request.inheritParentEdgeId() != null) {
            throw new Refusal(409, "inherit_parent_edge_not_active");
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

    /** Ends a session and everything below it. */
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
        if (session.hasRunOut(now)) {
            suspend(session);
            throw new Refusal(409, "session_lease_expired");
        }
        renew(session, now);
        return session.snapshot();
    }

    /** Hands the lease of a service to a new holder, and fences the old one. */
    synchronized SessionSnapshot takeOver(String sessionId, String applicationId) {
        Session session = service(sessionId, applicationId);
        if (session.status.equals("suspended")) {
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

    /** Suspends a session and everything below it; how many that were. */
    synchronized int suspend(String sessionId, String applicationId) {
        Session session = live.get(sessionId);
        if (session == null || !session.status.equals("active")) {
            throw new Refusal(409, "session_not_found_or_not_active");
        }
        checkOwner(session, applicationId);
        int changed = 0;
        for (Session member : subtree(session)) {
            if (member.status.equals("active")) {
                member.status = "suspended";
                changed++;
            }
        }
        return changed;
    }

    /** Resumes a session and everything below it, with fresh leases; how many that were. */
    synchronized int resume(String sessionId, String applicationId) {
        Session session = live.get(sessionId);
        if (session == null || !session.status.equals("suspended")) {
            throw new Refusal(409, "session_not_found_or_not_suspended");
        }
        checkOwner(session, applicationId);
        int changed = 0;
        for (Session member : subtree(session)) {
            if (member.status.equals("suspended")) {
                member.status = "active";
                if (member.isService()) {
                    renew(member, zone.now());
                }
                changed++;
            }
        }
        return changed;
    }

    /** What the platform does from time to time: ends tasks past their life. */
    synchronized void expireTasks() {
        Instant now = zone.now();
        for (Session session : List.copyOf(live.values())) {
            if (!session.isService() && session.hasRunOut(now) && live.containsKey(session.start.id())) {
                end(session, "expired", "ttl_expired");
            }
        }
        receipts.values().forEach(known -> known.values().removeIf(receipt -> !now.isBefore(receipt.forgottenAt())));
    }

    /** What the platform does from time to time: suspends services past their lease. */
    synchronized void expireLeases() {
        Instant now = zone.now();
        for (Session session : live.values()) {
            if (session.isService() && session.hasRunOut(now)) {
                suspend(session);
            }
        }
    }

    /** The session, if it can still carry authority at this instant. */
    synchronized Optional<SessionSnapshot> usable(String sessionId, Instant now) {
        Session session = live.get(sessionId);
        return session == null || !session.status.equals("active") || session.hasRunOut(now)
                ? Optional.empty()
                : Optional.of(session.snapshot());
    }

    /** The session, live or ended. */
    synchronized Optional<SessionSnapshot> find(String sessionId) {
        Session session = live.get(sessionId);
        return Optional.ofNullable(session != null ? session.snapshot() : ended.get(sessionId));
    }

    synchronized List<SessionSnapshot> live() {
        return live.values().stream().map(Session::snapshot).toList();
    }

    /** All sessions that are remembered, ended ones first. */
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
        if (zone.isRevoked(session.start.subjectAuthorityRecordId())) {
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

    private static void suspend(Session session) {
        session.status = "suspended";
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

    private void end(Session root, String status, String reason) {
        Instant now = zone.now();
        for (Session session : subtree(root)) {
            boolean isRoot = session.start.id().equals(root.start.id());
            String id = session.start.id();
            live.remove(id);
            livePerApplication.computeIfPresent(
                    session.start.applicationId(), (application, count) -> count == 1 ? null : count - 1);
            remember(session.snapshot(isRoot ? status : "terminated", now, isRoot ? reason : "parent_ended"));
        }
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
