package run.caracal.examples.platform;

import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;

/** Decides which tokens are issued, writes the decisions to the audit log and makes the tokens. */
final class TokenService {

    private final Zone zone;
    private final Sessions sessions;
    private final String issuer;
    private final GatewayMode gatewayMode;
    private final MinuteWindow mints = new MinuteWindow();

    TokenService(Zone zone, Sessions sessions, String issuer, GatewayMode gatewayMode) {
        this.zone = zone;
        this.sessions = sessions;
        this.issuer = issuer;
        this.gatewayMode = gatewayMode;
    }

    /** The result of asking the policy for one resource: granted, or the reason why not. */
    private record Verdict(String status, @Nullable String policyReason) {
        static final Verdict GRANTED = new Verdict("complete", null);

        static Verdict skipped(String status) {
            return new Verdict(status, null);
        }

        static Verdict denied(String policyReason) {
            return new Verdict("complete", policyReason);
        }

        boolean isGranted() {
            return equals(GRANTED);
        }
    }

    /** Issues a token to an application that has proved who it is, or fails with a {@link Refusal}. */
    Mono<IssuedToken> issue(TokenRequest request) {
        try {
            checkReferences(request);
        } catch (Refusal refusal) {
            request.resources().forEach(resource -> audit(request, resource, false, "exchange_denied"));
            throw refusal;
        }
        List<String> granted = new ArrayList<>();
        String policyReason = null;
        for (String asked : request.resources()) {
            Verdict verdict = evaluate(request, asked);
            audit(request, asked, verdict.isGranted(), verdict.status());
            if (verdict.isGranted()) {
                granted.add(asked);
            } else if (policyReason == null) {
                policyReason = verdict.policyReason();
            }
        }
        if (granted.isEmpty()) {
            throw policyDenied(policyReason);
        }
        long ttl = ttlSeconds(request.ttlSeconds());
        Instant now = zone.now();
        Instant expiresAt = Instant.ofEpochSecond(now.getEpochSecond() + ttl);
        String recordId = request.authorityRecordId() != null
                ? request.authorityRecordId()
                : zone.openRecord(request.applicationId(), expiresAt);
        Map<String, @Nullable Object> claims = claims(
                request.applicationId(), List.of(issuer), now, expiresAt, recordId, recordId, Mandate.USE_SESSION);
        claims.put("scope", request.scope());
        claims.put("target", granted);
        return zone.keys.sign(claims).map(token -> new IssuedToken(token, ttl, request.scope(), List.copyOf(granted)));
    }

    /**
     * Turns the bearer a client presented at the Gateway into one for the resource, or fails with a {@link Refusal}. The
     * decision goes to the audit log under the Gateway's request id.
     */
    Mono<IssuedToken> exchangeForResource(
            Mandate presented, String resourceId, String method, String path, String requestId) {
        try {
            checkPresented(presented, resourceId, method, path);
            auditUse(presented, resourceId, requestId, true, "complete");
        } catch (Refusal refusal) {
            auditUse(presented, resourceId, requestId, false, useStatus(refusal, resourceId));
            throw refusal;
        }
        Instant now = zone.now();
        Instant latest =
                Instant.ofEpochSecond(now.plus(zone.limits.maxResourceTokenTtl).getEpochSecond());
        Instant expiresAt = presented.expiresAt().isBefore(latest) ? presented.expiresAt() : latest;
        String recordId = zone.openRecord(presented.applicationId(), expiresAt);
        Map<String, @Nullable Object> claims = claims(
                presented.applicationId(),
                List.of(resourceId),
                now,
                expiresAt,
                recordId,
                presented.text("root_sid"),
                Mandate.USE_RESOURCE);
        boolean oneShot = presented.use().equals(Mandate.USE_GATEWAY);
        if (oneShot) {
            claims.put("scope", presented.text("scope"));
        }
        claims.put("target", List.of(resourceId));
        long ttl = Duration.between(now, expiresAt).toSeconds();
        return zone.keys
                .sign(claims)
                .map(token -> new IssuedToken(token, ttl, oneShot ? presented.text("scope") : "", List.of(resourceId)));
    }

    /** What the request refers to must be alive and the caller's own. */
    private void checkReferences(TokenRequest request) {
        String recordId = request.authorityRecordId();
        if (recordId != null) {
            Zone.AuthorityRecord known = zone.record(recordId);
            if (known == null
                    || !known.isActive(zone.now())
                    || !known.applicationId().equals(request.applicationId())) {
                throw denied("authority record inactive or not owned by caller");
            }
        }
        if (request.subjectToken() != null) {
            Optional<Mandate> subject = zone.keys
                    .verify(request.subjectToken())
                    .filter(mandate -> !mandate.isExpired(zone.now()) && zone.isActive(mandate.authorityRecordId()));
            if (subject.isEmpty()) {
                throw new Refusal(401, "invalid_token", "invalid subject_token");
            }
            throw subject.get().use().equals(Mandate.USE_GATEWAY)
                    ? denied("resource exchanges must use the Gateway")
                    : policyDenied("no_rule_matched");
        }
        if (request.agentSessionId() == null && request.delegationEdgeId() != null) {
            throw denied("delegation requires a target Session");
        }
        if (request.agentSessionId() != null) {
            Optional<SessionSnapshot> session = sessions.usable(request.agentSessionId(), zone.now());
            if (session.isEmpty()) {
                throw denied("session inactive or expired");
            }
            if (!session.get().applicationId().equals(request.applicationId())) {
                throw denied("session not owned by caller");
            }
            if (request.delegationEdgeId() != null) {
                throw denied("delegation edge inactive or expired");
            }
        }
    }

    private Verdict evaluate(TokenRequest request, String resourceId) {
        ProtectedResource resource = zone.resources.get(resourceId);
        if (resource == null) {
            return Verdict.skipped("resource_not_found");
        }
        for (String scope : request.scopes()) {
            if (!scope.equals(TokenRequest.LIFECYCLE) && !resource.scopes().contains(scope)) {
                return Verdict.skipped("scope_mismatch");
            }
        }
        if (!mayMint(resourceId, request.applicationId())) {
            return Verdict.skipped("rate_limited");
        }
        if (!request.isBootstrap()) {
            return Verdict.denied("no_rule_matched");
        }
        return resource.isGrantedTo(request.applicationId()) ? Verdict.GRANTED : Verdict.denied("resource_not_granted");
    }

    private void checkPresented(Mandate presented, String resourceId, String method, String path) {
        boolean acceptable = presented.use().equals(Mandate.USE_GATEWAY)
                || (gatewayMode == GatewayMode.SESSION_TOKEN && presented.use().equals(Mandate.USE_SESSION));
        if (!acceptable
                || presented.isExpired(zone.now())
                || !presented.zoneId().equals(zone.id)
                || !presented.texts("aud").contains(issuer)
                || !zone.isActive(presented.authorityRecordId())) {
            throw new Refusal(401, "invalid_token", "invalid subject_token");
        }
        ProtectedResource resource = zone.resources.get(resourceId);
        if (resource == null || !mayMint(resourceId, presented.applicationId())) {
            throw policyDenied(null);
        }
        if (!resource.isGrantedTo(presented.applicationId())) {
            throw policyDenied("resource_not_granted");
        }
        if (!presented.texts("target").contains(resourceId)) {
            throw policyDenied("mandate_target_mismatch");
        }
        if (!resource.permits(method, path)) {
            throw new Refusal(
                    403, "operation_not_permitted", method + " " + path + " is not permitted on " + resourceId);
        }
    }

    private boolean mayMint(String resourceId, String applicationId) {
        return mints.admits(resourceId + '\n' + applicationId, zone.limits.mintsPerMinute, zone.now());
    }

    private String useStatus(Refusal refusal, String resourceId) {
        if (refusal.code.equals("operation_not_permitted")) {
            return "operation_not_permitted";
        }
        if (refusal.status == 401) {
            return "exchange_denied";
        }
        if (!"policy denied".equals(refusal.description)) {
            return "complete";
        }
        return zone.resources.containsKey(resourceId) ? "rate_limited" : "resource_not_found";
    }

    private long ttlSeconds(long asked) {
        if (asked < 0) {
            throw new Refusal(400, "invalid_token", "ttl_seconds must be positive");
        }
        if (asked > zone.limits.maxTokenTtl.toSeconds()) {
            throw new Refusal(400, "invalid_token", "ttl_seconds exceeds token TTL cap");
        }
        return asked == 0 ? zone.limits.tokenTtl.toSeconds() : asked;
    }

    private Map<String, @Nullable Object> claims(
            String applicationId,
            List<String> audience,
            Instant now,
            Instant expiresAt,
            String recordId,
            String rootRecordId,
            String use) {
        Map<String, @Nullable Object> claims = Json.object();
        claims.put("iss", issuer);
        claims.put("sub", applicationId);
        claims.put("aud", audience);
        claims.put("exp", expiresAt.getEpochSecond());
        claims.put("iat", now.getEpochSecond());
        claims.put("jti", Ids.timeOrdered(now));
        claims.put("zone_id", zone.id);
        claims.put("client_id", applicationId);
        claims.put("sid", recordId);
        claims.put("root_sid", rootRecordId);
        claims.put("use", use);
        claims.put("sub_type", "application");
        return claims;
    }

    private void audit(TokenRequest request, String resource, boolean allowed, String status) {
        Map<String, @Nullable Object> metadata = metadata(request.applicationId(), resource, request.scopes());
        if (request.agentSessionId() != null) {
            metadata.put("agent_session_id", request.agentSessionId());
        }
        if (request.delegationEdgeId() != null) {
            metadata.put("delegation_edge_id", request.delegationEdgeId());
        }
        zone.audit("token_exchange", request.requestId(), allowed, status, allowed ? Policy.BOOTSTRAP : null, metadata);
    }

    private void auditUse(Mandate presented, String resource, String requestId, boolean allowed, String status) {
        Map<String, @Nullable Object> metadata = metadata(presented.applicationId(), resource, presented.scopes());
        metadata.put("session_id", presented.authorityRecordId());
        String policy = allowed ? Policy.use(presented.applicationId()) : null;
        zone.audit("token_exchange", requestId, allowed, status, policy, metadata);
    }

    private static Map<String, @Nullable Object> metadata(String applicationId, String resource, List<String> scopes) {
        Map<String, @Nullable Object> metadata = Json.object();
        metadata.put("application_id", applicationId);
        metadata.put("application_name", applicationId);
        metadata.put("application_registration_method", "managed");
        metadata.put("resource", resource);
        metadata.put("requested_scopes", scopes);
        metadata.put("subject_kind", "application");
        return metadata;
    }

    private static Refusal denied(String description) {
        return new Refusal(403, "access_denied", description);
    }

    private static Refusal policyDenied(@Nullable String reason) {
        return denied(reason == null ? "policy denied" : "policy denied (" + reason + ")");
    }
}
