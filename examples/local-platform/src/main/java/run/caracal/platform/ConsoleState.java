package run.caracal.platform;

import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** A snapshot of everything the console shows: each entry under its id, in order of arrival. */
record ConsoleState(
        Instant now,
        Map<String, SessionSnapshot> sessions,
        Map<String, DelegationSnapshot> delegations,
        Map<String, ApprovalSnapshot> approvals,
        Map<String, AuditEvent> audit) {

    /** The maximum number of ended sessions and of audit events on the page; a request id finds older events. */
    private static final int ENDED = 500;

    private static final int EVENTS = 1000;

    private static final ConsoleState NOTHING = new ConsoleState(Instant.EPOCH, Map.of(), Map.of(), Map.of(), Map.of());

    /** Creates the state of a zone in the format of the page. */
    record Source(
            Zone zone,
            Supplier<Sessions> currentSessions,
            Supplier<Delegations> currentDelegations,
            Supplier<Approvals> currentApprovals) {

        Sessions sessions() {
            return currentSessions.get();
        }

        Delegations delegations() {
            return currentDelegations.get();
        }

        Approvals approvals() {
            return currentApprovals.get();
        }

        ConsoleState now() {
            return new ConsoleState(
                    zone.now(),
                    byId(newest(sessions().all(), sessions().liveCount() + ENDED), SessionSnapshot::id),
                    byId(delegations().all(), DelegationSnapshot::id),
                    byId(approvals().all(), ApprovalSnapshot::id),
                    byId(newest(zone.audit.events(), EVENTS), AuditEvent::id));
        }

        /** The whole state, for a new page. */
        Map<String, @Nullable Object> whole(ConsoleState state) {
            Map<String, @Nullable Object> json = difference(NOTHING, state);
            json.put("whole", true);
            json.put("zone", zone.id);
            return json;
        }

        /** The difference between two states, for a page that has the first. */
        Map<String, @Nullable Object> difference(ConsoleState seen, ConsoleState state) {
            Map<String, @Nullable Object> json = Json.object();
            json.put("now", state.now.toEpochMilli());
            put(json, "sessions", seen.sessions, state.sessions, this::session);
            put(json, "delegations", seen.delegations, state.delegations, Source::delegation);
            put(json, "approvals", seen.approvals, state.approvals, Source::approval);
            put(json, "audit", seen.audit, state.audit, Source::event);
            return json;
        }

        /** A session on the page, without its metadata, which may contain secrets of the application. */
        private Map<String, @Nullable Object> session(SessionSnapshot session) {
            Zone.AuthorityRecord subject = zone.record(session.subjectAuthorityRecordId());
            Instant deadline = session.heartbeatDeadlineAt();
            if (deadline == null && session.ttlSeconds() != null) {
                deadline = session.startedAt().plusSeconds(session.ttlSeconds());
            }
            Map<String, @Nullable Object> json = Json.object();
            json.put("id", session.id());
            json.put("application", session.applicationId());
            json.put("parent", session.parentId());
            json.put("user", subject == null ? null : subject.user());
            json.put("lifecycle", session.lifecycle());
            json.put("status", session.status());
            json.put("labels", session.labels());
            json.put("generation", session.leaseGeneration());
            json.put("startedAt", session.startedAt().toEpochMilli());
            json.put("renewedAt", millis(session.lastHeartbeatAt()));
            json.put("deadline", millis(deadline));
            json.put("endedAt", millis(session.endedAt()));
            json.put("reason", session.terminationReason());
            return json;
        }

        private static Map<String, @Nullable Object> delegation(DelegationSnapshot delegation) {
            Map<String, @Nullable Object> json = Json.object();
            json.put("id", delegation.id());
            json.put("source", delegation.sourceSessionId());
            json.put("target", delegation.targetSessionId());
            json.put("issuer", delegation.issuerApplicationId());
            json.put("receiver", delegation.receiverApplicationId());
            json.put("parent", delegation.parentId());
            json.put(
                    "resources",
                    delegation.resourceId() == null
                            ? delegation.bounds().resources()
                            : List.of(delegation.resourceId()));
            json.put("scopes", delegation.scopes());
            json.put("status", delegation.status());
            json.put("createdAt", delegation.createdAt().toEpochMilli());
            json.put("expiresAt", delegation.expiresAt().toEpochMilli());
            json.put("revokedAt", millis(delegation.revokedAt()));
            return json;
        }

        private static Map<String, @Nullable Object> approval(ApprovalSnapshot approval) {
            Map<String, @Nullable Object> json = Json.object();
            json.put("id", approval.id());
            json.put("application", approval.applicationId());
            json.put("session", approval.agentSessionId());
            json.put("resources", approval.resources());
            json.put("scopes", approval.scopes());
            json.put("tier", approval.tier());
            json.put("state", approval.state());
            json.put("expiresAt", approval.expiresAt().toEpochMilli());
            return json;
        }

        /** An event on the page, with harmless metadata only. */
        static Map<String, @Nullable Object> event(AuditEvent event) {
            Map<String, @Nullable Object> json = Json.object();
            json.put("id", event.id());
            json.put("type", event.eventType());
            json.put("step", event.isMint() ? "mint" : event.isUse() ? "use" : null);
            json.put("request", event.requestId());
            json.put("decision", event.decision());
            json.put("status", event.evaluationStatus());
            json.put("application", event.applicationId());
            json.put("resource", event.resource());
            json.put("scopes", event.requestedScopes());
            json.put("policies", event.determiningPolicies());
            json.put("policySet", event.policySetVersionId());
            json.put("session", event.metadata().get("agent_session_id"));
            json.put("delegation", event.metadata().get("delegation_edge_id"));
            json.put("approval", event.metadata().get("challenge_id"));
            json.put("method", event.metadata().get("method"));
            json.put("upstream", event.metadata().get("upstream_status"));
            json.put("at", event.occurredAt().toEpochMilli());
            return json;
        }

        private static @Nullable Long millis(@Nullable Instant instant) {
            return instant == null ? null : instant.toEpochMilli();
        }
    }

    boolean shows(ConsoleState other) {
        return sessions.equals(other.sessions)
                && delegations.equals(other.delegations)
                && approvals.equals(other.approvals)
                && audit.equals(other.audit);
    }

    private static <T> void put(
            Map<String, @Nullable Object> json,
            String name,
            Map<String, T> seen,
            Map<String, T> now,
            Function<T, Map<String, @Nullable Object>> toJson) {
        List<Map<String, @Nullable Object>> changed = new ArrayList<>();
        now.forEach((id, entry) -> {
            if (!entry.equals(seen.get(id))) {
                changed.add(toJson.apply(entry));
            }
        });
        List<String> gone =
                seen.keySet().stream().filter(id -> !now.containsKey(id)).toList();
        if (!changed.isEmpty() || !gone.isEmpty()) {
            json.put(name, Map.of("changed", changed, "gone", gone));
        }
    }

    private static <T> Map<String, T> byId(Collection<T> entries, Function<T, String> id) {
        Map<String, T> byId = new LinkedHashMap<>();
        entries.forEach(entry -> byId.put(id.apply(entry), entry));
        return byId;
    }

    private static <T> List<T> newest(List<T> entries, int count) {
        return entries.subList(Math.max(0, entries.size() - count), entries.size());
    }
}
