package run.caracal.platform;

import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;

/** The HTTP interface of the Coordinator: authentication, the checks of requests, and the form of answers. */
final class Coordinator {

    private static final Pattern ID = Pattern.compile("[A-Za-z0-9_.\\-:]{1,128}");
    private static final String SCHEME = "Bearer ";
    private static final List<String> SERVICE_STATUSES = List.of("starting", "healthy", "degraded", "unhealthy");

    private static final Set<String> VERIFY_FIELDS =
            Set.of("token", "authorization", "zone_id", "required_scope", "require_session", "require_delegation");

    private final Zone zone;
    private final Sessions sessions;
    private final DelegationRoutes delegations;
    private final String issuer;
    private final MinuteWindow requests = new MinuteWindow();
    private final MinuteWindow verifications = new MinuteWindow();

    Coordinator(Zone zone, Sessions sessions, Delegations delegations, String issuer) {
        this.zone = zone;
        this.sessions = sessions;
        this.delegations = new DelegationRoutes(zone, delegations);
        this.issuer = issuer;
    }

    Mono<Answer> answer(Call call) {
        return Mono.fromSupplier(() -> route(call))
                .onErrorResume(Refusal.class, refusal -> Mono.just(refused(refusal)))
                .onErrorResume(BadRequest.class, bad -> Mono.just(bad.answer(call)))
                .map(Coordinator::inUtf8);
    }

    /** Node names the charset of JSON, which the standard implies. */
    private static Answer inUtf8(Answer answer) {
        return answer.body().length == 0 ? answer : answer.with("Content-Type", "application/json; charset=utf-8");
    }

    private Answer route(Call call) {
        if (call.path().equals("/health")) {
            return Answer.json(200, Map.of("status", "ok"));
        }
        if (!requests.admits(call.clientAddress(), zone.limits.coordinatorRequestsPerMinute, zone.now())) {
            throw new Refusal(429, "rate_limited");
        }
        if (call.path().equals("/ready")) {
            return Answer.json(200, Map.of("status", "ok"));
        }
        if (call.path().equals("/v1/verify") && call.method().equals("POST")) {
            return verify(call);
        }
        Mandate caller = authenticated(call);
        List<String> path = segments(call.path());
        if (path.size() < 3 || !path.get(0).equals("zones")) {
            return notFound(call);
        }
        checkZone(caller, path);
        return switch (path.get(2)) {
            case "agents" -> agents(call, caller, path);
            case "delegations" -> delegations.route(call, caller, path).orElseGet(() -> notFound(call));
            default -> notFound(call);
        };
    }

    private Answer agents(Call call, Mandate caller, List<String> path) {
        @Nullable Object body = call.method().equals("GET") ? Fields.ABSENT : CoordinatorInput.json(call);
        String route = call.method() + ' ' + path.size() + (path.size() == 5 ? path.get(4) : "");
        return switch (route) {
            case "POST 3" -> start(call, caller, body);
            case "GET 3" -> list(call);
            case "GET 4" -> get(path.get(3));
            case "DELETE 4" -> terminate(call, caller, path.get(3), body);
            case "POST 5heartbeat" -> heartbeat(caller, path.get(3), body);
            case "POST 5lease" -> takeOver(caller, path.get(3));
            case "PATCH 5suspend" -> suspend(caller, path.get(3));
            case "PATCH 5resume" -> resume(caller, path.get(3));
            case "GET 5children" -> children(call, path.get(3));
            case "GET 5effective-authority" -> delegations.effective(caller, path.get(3));
            default -> notFound(call);
        };
    }

    /** The bearer must be an application token of this zone with the scope to manage sessions. */
    private Mandate authenticated(Call call) {
        String authorization = call.header("authorization").orElse("");
        if (!authorization.startsWith(SCHEME) || authorization.length() == SCHEME.length()) {
            throw new Refusal(401, "missing_token");
        }
        String token = authorization.substring(SCHEME.length());
        if (token.length() > zone.limits.bearerBytes) {
            throw new Refusal(401, "invalid_token");
        }
        Mandate mandate = zone.keys.verify(token).orElseThrow(() -> new Refusal(401, "invalid_token"));
        if (!isGood(mandate)) {
            throw new Refusal(401, "invalid_token");
        }
        if (!mandate.scopes().contains(TokenRequest.LIFECYCLE)) {
            throw new Refusal(403, "missing_scope");
        }
        return mandate;
    }

    private boolean isGood(Mandate mandate) {
        return !mandate.isExpired(zone.now())
                && mandate.text("iss").equals(issuer)
                && mandate.texts("aud").contains(issuer)
                && mandate.use().equals(Mandate.USE_SESSION)
                && !mandate.applicationId().isEmpty();
    }

    private void checkZone(Mandate caller, List<String> path) {
        for (int i = 1; i < path.size(); i++) {
            if (!ID.matcher(path.get(i)).matches()) {
                throw new Refusal(400, "invalid_params");
            }
        }
        if (!caller.zoneId().equals(path.get(1))) {
            throw new Refusal(403, "zone_mismatch");
        }
        if (!zone.isActive(caller.authorityRecordId())) {
            throw new Refusal(401, "identity_revoked");
        }
    }

    /** Answers any caller whether a token is valid for the platform itself, as a mandate for a resource never is. */
    private Answer verify(Call call) {
        if (!verifications.admits(call.clientAddress(), zone.limits.verificationsPerMinute, zone.now())) {
            throw new Refusal(429, "rate_limited");
        }
        Fields fields = new Fields(CoordinatorInput.json(call));
        String token = fields.text("token", Integer.MAX_VALUE);
        String authorization = fields.text("authorization", Integer.MAX_VALUE);
        String zoneId = fields.requiredText("zone_id", 128);
        String scope = fields.text("required_scope", 256);
        boolean session = fields.flag("require_session");
        boolean delegation = fields.flag("require_delegation");
        if (!fields.issues().isEmpty() || !fields.hasOnly(VERIFY_FIELDS)) {
            return invalid(400, "invalid_request");
        }
        String presented = token != null
                ? token
                : authorization == null ? null : Bearer.of(authorization).orElse(null);
        if (presented == null) {
            return invalid(400, "missing_token");
        }
        return zone.keys
                .verify(presented)
                .filter(mandate -> isGood(mandate)
                        && mandate.zoneId().equals(zoneId)
                        && zone.isActive(mandate.authorityRecordId())
                        && (scope == null || mandate.scopes().contains(scope))
                        && (!session || !mandate.text("agent_session_id").isEmpty())
                        && (!delegation || !mandate.text("delegation_edge_id").isEmpty()))
                .map(mandate -> Answer.json(200, verifiedJson(mandate)))
                .orElseGet(() -> invalid(401, "token_invalid"));
    }

    private static Answer invalid(int status, String code) {
        Map<String, @Nullable Object> json = Json.object();
        json.put("valid", false);
        json.put("error", code);
        return Answer.json(status, json);
    }

    private static Map<String, @Nullable Object> verifiedJson(Mandate mandate) {
        Map<String, @Nullable Object> claims = Json.object();
        claims.put("sub", mandate.text("sub"));
        claims.put("zoneId", mandate.zoneId());
        claims.put("clientId", mandate.applicationId());
        claims.put("authorityRecordId", mandate.authorityRecordId());
        claims.put("rootAuthorityRecordId", mandate.text("root_sid"));
        claims.put("use", mandate.use());
        claims.put("subType", mandate.text("sub_type"));
        claims.put("jti", mandate.text("jti"));
        claims.put("issuedAt", mandate.claims().get("iat"));
        claims.put("expiresAt", mandate.claims().get("exp"));
        if (!mandate.text("scope").isEmpty()) {
            claims.put("scope", mandate.text("scope"));
        }
        if (!mandate.texts("target").isEmpty()) {
            claims.put("targetResources", mandate.texts("target"));
        }
        Map<String, @Nullable Object> json = Json.object();
        json.put("valid", true);
        json.put("claims", claims);
        return json;
    }

    private Answer start(Call call, Mandate caller, @Nullable Object body) {
        IdempotencyKey key = CoordinatorInput.idempotencyKey(call, caller, zone.limits);
        Fields fields = new Fields(body);
        String applicationId = fields.requiredText("application_id", 128);
        String subject = fields.text("subject_session_id", 128);
        String parentId = fields.nullableText("parent_id", 128);
        String lifecycle = fields.choice("lifecycle", List.of("task", "service"), "task");
        List<String> labels = fields.texts("labels", 32, 64);
        Long ttl = fields.integer("ttl_seconds", 1, zone.limits.maxSessionTtl.toSeconds());
        String parentAuthority = fields.choice("parent_authority", List.of("inherit", "none"), "inherit");
        String inheritedEdge = fields.text("inherit_parent_edge_id", 128);
        Map<String, @Nullable Object> metadata = fields.object("metadata");
        if (ttl != null && lifecycle.equals("service") && fields.issues().isEmpty()) {
            fields.issue("ttl_seconds", "service sessions are lease-renewed and do not accept ttl_seconds");
        }
        CoordinatorInput.check(fields);
        if (!caller.applicationId().equals(applicationId)) {
            throw new Refusal(403, "application_ownership_required");
        }
        if (subject != null && !zone.isActive(subject)) {
            throw new BadRequest(
                    404,
                    "session_not_found",
                    null,
                    Map.of(
                            "detail",
                            "subject_session_id must reference an STS authority_records.id; for business correlation use"
                                    + " metadata"));
        }
        Sessions.Started started = sessions.start(new StartRequest(
                applicationId,
                parentId,
                subject == null ? caller.authorityRecordId() : subject,
                lifecycle,
                labels,
                metadata,
                ttl,
                parentAuthority,
                inheritedEdge,
                key));
        Map<String, @Nullable Object> json = sessionJson(started.session());
        json.put("delegation_edge_id", started.session().delegationEdgeId());
        Answer answer = Answer.json(201, json);
        return started.replayed() ? answer.with("Idempotency-Replayed", "true") : answer;
    }

    private Answer list(Call call) {
        return page(call, sessions.all());
    }

    private Answer children(Call call, String sessionId) {
        return page(call, sessions.children(sessionId));
    }

    private Answer page(Call call, List<SessionSnapshot> candidates) {
        Form query = call.queryFields();
        int limit = CoordinatorInput.limit(query.first("limit"));
        String cursor = query.first("cursor");
        List<Map<String, @Nullable Object>> items = new ArrayList<>();
        String next = null;
        boolean begun = cursor.isEmpty();
        for (SessionSnapshot session : candidates) {
            if (!begun) {
                begun = session.id().equals(cursor);
            } else if (matches(session, query)) {
                if (items.size() == limit) {
                    next = String.valueOf(items.get(limit - 1).get("agent_session_id"));
                    break;
                }
                items.add(itemJson(session));
            }
        }
        Map<String, @Nullable Object> page = Json.object();
        page.put("items", items);
        page.put("next_cursor", next);
        return Answer.json(200, page);
    }

    private static boolean matches(SessionSnapshot session, Form query) {
        return (!query.has("status") || session.status().equals(query.first("status")))
                && (!query.has("lifecycle") || session.lifecycle().equals(query.first("lifecycle")))
                && (!query.has("application_id") || session.applicationId().equals(query.first("application_id")))
                && (!query.has("label") || session.labels().contains(query.first("label")));
    }

    private Answer get(String sessionId) {
        SessionSnapshot session = sessions.find(sessionId).orElseThrow(() -> new Refusal(404, "session_not_found"));
        return Answer.json(200, itemJson(session));
    }

    private Answer terminate(Call call, Mandate caller, String sessionId, @Nullable Object body) {
        Long generation = null;
        if (body != Fields.ABSENT) {
            Fields fields = new Fields(body);
            generation = fields.integer("lease_generation", 1, Long.MAX_VALUE);
            CoordinatorInput.check(fields);
        }
        Form query = call.queryFields();
        String reason = query.has("reason") ? query.first("reason") : "terminated";
        if (reason.isEmpty() || reason.length() > 256) {
            throw new Refusal(400, "invalid_query");
        }
        sessions.terminate(sessionId, caller.applicationId(), generation, reason);
        return Answer.empty(204);
    }

    private Answer heartbeat(Mandate caller, String sessionId, @Nullable Object body) {
        Fields fields = new Fields(body);
        long generation = fields.requiredInteger("lease_generation", 1, Long.MAX_VALUE);
        String status = fields.choice("status", SERVICE_STATUSES, "healthy");
        Long invocations = fields.integer("active_invocations", 0, Integer.MAX_VALUE);
        Map<String, @Nullable Object> metadata = fields.object("metadata");
        String serviceId = fields.text("service_id", 128);
        CoordinatorInput.check(fields);
        SessionSnapshot session = sessions.heartbeat(sessionId, caller.applicationId(), generation);
        Map<String, @Nullable Object> agent = Json.object();
        agent.put("id", session.id());
        agent.put("zone_id", zone.id);
        agent.put("application_id", session.applicationId());
        agent.put("status", session.status());
        agent.put("last_active_at", timestamp(session.lastHeartbeatAt()));
        agent.put("last_heartbeat_at", timestamp(session.lastHeartbeatAt()));
        agent.put("heartbeat_deadline_at", timestamp(session.heartbeatDeadlineAt()));
        agent.put("lease_generation", session.leaseGeneration());
        Map<String, @Nullable Object> answer = Json.object();
        answer.put("agent", agent);
        answer.put("service", serviceId == null ? null : serviceJson(serviceId, status, metadata));
        answer.put("active_invocations", invocations == null ? 0L : invocations);
        return Answer.json(200, answer);
    }

    private static Map<String, @Nullable Object> serviceJson(
            String id, String status, Map<String, @Nullable Object> metadata) {
        Map<String, @Nullable Object> service = Json.object();
        service.put("id", id);
        service.put("status", status);
        service.put("metadata", metadata);
        return service;
    }

    private Answer takeOver(Mandate caller, String sessionId) {
        SessionSnapshot session = sessions.takeOver(sessionId, caller.applicationId());
        Map<String, @Nullable Object> answer = Json.object();
        answer.put("status", session.status());
        answer.put("heartbeat_deadline_at", timestamp(session.heartbeatDeadlineAt()));
        answer.put("lease_generation", session.leaseGeneration());
        return Answer.json(200, answer);
    }

    private Answer suspend(Mandate caller, String sessionId) {
        return Answer.json(200, Map.of("suspended", sessions.suspend(sessionId, caller.applicationId())));
    }

    private Answer resume(Mandate caller, String sessionId) {
        return Answer.json(200, Map.of("resumed", sessions.resume(sessionId, caller.applicationId())));
    }

    private Answer notFound(Call call) {
        Map<String, @Nullable Object> body = Json.object();
        body.put("message", "Route " + call.method() + ":" + call.path() + " not found");
        body.put("error", "Not Found");
        body.put("statusCode", 404);
        return Answer.json(404, body);
    }

    private static Answer refused(Refusal refusal) {
        Map<String, @Nullable Object> body = Json.object();
        body.put("error", refusal.code);
        if (refusal.description != null) {
            body.put("message", refusal.description);
        }
        return Answer.json(refusal.status, body);
    }

    private Map<String, @Nullable Object> sessionJson(SessionSnapshot session) {
        Map<String, @Nullable Object> json = Json.object();
        json.put("agent_session_id", session.id());
        json.put("zone_id", zone.id);
        json.put("application_id", session.applicationId());
        json.put("parent_id", session.parentId());
        json.put("subject_authority_record_id", session.subjectAuthorityRecordId());
        json.put("lifecycle", session.lifecycle());
        json.put("labels", session.labels());
        json.put("status", session.status());
        json.put("depth", session.depth());
        json.put("ttl_seconds", session.ttlSeconds());
        json.put("started_at", Json.timestamp(session.startedAt()));
        json.put("last_heartbeat_at", timestamp(session.lastHeartbeatAt()));
        json.put("heartbeat_deadline_at", timestamp(session.heartbeatDeadlineAt()));
        json.put("lease_generation", session.leaseGeneration());
        return json;
    }

    /** Lists show more fields, and the generation as text, as the database driver returns a bigint. */
    private Map<String, @Nullable Object> itemJson(SessionSnapshot session) {
        Map<String, @Nullable Object> json = sessionJson(session);
        json.put("lease_generation", Long.toString(session.leaseGeneration()));
        json.put("metadata", session.metadata());
        json.put("terminated_at", timestamp(session.endedAt()));
        json.put("termination_reason", session.terminationReason());
        return json;
    }

    private static @Nullable String timestamp(@Nullable Instant instant) {
        return instant == null ? null : Json.timestamp(instant);
    }

    private static List<String> segments(String path) {
        List<String> segments = new ArrayList<>();
        for (String segment : path.substring(1).split("/", -1)) {
            try {
                segments.add(URLDecoder.decode(segment.replace("+", "%2B"), StandardCharsets.UTF_8));
            } catch (IllegalArgumentException e) {
                segments.add(segment);
            }
        }
        return segments;
    }
}
