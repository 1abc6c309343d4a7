package run.caracal.platform;

import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;

/** Decides on requests for tokens, audits the decisions, and issues the tokens. */
final class TokenService {

    private static final String EXCHANGE_DENIED = "exchange_denied";

    private final Zone zone;
    private final Sessions sessions;
    private final Delegations delegations;
    private final Approvals approvals;
    private final String issuer;
    private final GatewayMode gatewayMode;
    private final MinuteWindow mints = new MinuteWindow();

    TokenService(
            Zone zone,
            Sessions sessions,
            Delegations delegations,
            Approvals approvals,
            String issuer,
            GatewayMode gatewayMode) {
        this.zone = zone;
        this.sessions = sessions;
        this.delegations = delegations;
        this.approvals = approvals;
        this.issuer = issuer;
        this.gatewayMode = gatewayMode;
    }

    /** The decision of the policy on one resource: granted, or the reason of the denial. */
    private record Verdict(String status, @Nullable String policyReason) {
        static final Verdict GRANTED = new Verdict("complete", null);
        static final Verdict OPERATION = new Verdict("operation_not_permitted", null);
        /** Rejected before the policy is evaluated, and not audited. */
        static final Verdict OUTSIDE = new Verdict("resource_outside_delegation", null);

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

    /** Issues a token to an authenticated application, or fails with a {@link Refusal}. */
    Mono<IssuedToken> issue(TokenRequest request) {
        if (request.approvalId() != null && request.subjectToken() == null) {
            approvals.checkPresented(request, request.approvalId());
        }
        Proof proof = checkReferences(request);
        Instant now = zone.now();
        String recordId = request.authorityRecordId() != null ? request.authorityRecordId() : Ids.timeOrdered(now);
        Set<String> granted = granted(request, proof, recordId);
        String tier = tier(request, proof, granted);
        String approvalId = tier == null ? null : approvals.approvedFor(request, tier, anchor(proof));
        Duration ttl = ttl(request.ttlSeconds(), proof, now);
        Instant expiresAt = now.plus(ttl).truncatedTo(ChronoUnit.SECONDS);
        if (request.authorityRecordId() == null) {
            zone.openRecord(recordId, request.applicationId(), null, expiresAt);
        }
        Optional<String> earlier =
                approvalId == null ? Optional.empty() : approvals.consume(approvalId, recordId, request.requestId());
        if (earlier.isPresent()) {
            recordId = earlier.get();
            Zone.AuthorityRecord record = zone.record(recordId);
            if (record == null || !record.isActive(now)) {
                throw new Refusal(409, "approval_consumed", "approval already used; its authority has ended");
            }
            if (record.expiresAt().isBefore(expiresAt)) {
                expiresAt = record.expiresAt();
                ttl = Duration.between(now, expiresAt);
            }
        }
        long expiresIn = ttl.toSeconds();
        String use = proof == null ? Mandate.USE_SESSION : Mandate.USE_GATEWAY;
        Map<String, @Nullable Object> claims =
                claims(request.applicationId(), List.of(issuer), now, expiresAt, recordId, recordId, use);
        claims.put("scope", request.scope());
        claims.put("target", List.copyOf(granted));
        if (proof != null) {
            claims.putAll(proof.claims());
        }
        return zone.keys
                .sign(claims)
                .map(token -> new IssuedToken(token, expiresIn, request.scope(), List.copyOf(granted)));
    }

    /** The requested resources that the policy grants; a refusal if it grants none. */
    private Set<String> granted(TokenRequest request, @Nullable Proof proof, String recordId) {
        Set<String> granted = new TreeSet<>();
        String policyReason = null;
        boolean audited = false;
        for (String asked : request.resources()) {
            String resourceId = zone.resource(asked).map(ProtectedResource::id).orElse(asked);
            Verdict verdict = evaluate(request, proof, resourceId);
            if (!verdict.equals(Verdict.OUTSIDE)) {
                audited = true;
                audit(request, recordId, resourceId, proof, verdict.isGranted(), verdict.status());
            }
            if (verdict.isGranted()) {
                granted.add(resourceId);
            } else if (policyReason == null) {
                policyReason = verdict.policyReason();
            }
        }
        if (granted.isEmpty()) {
            if (audited) {
                String resources = String.join(" ", request.resources());
                audit(request, recordId, resources, proof, false, EXCHANGE_DENIED);
            }
            throw policyDenied(policyReason);
        }
        return granted;
    }

    /** The user of the requesting session, who alone may approve; null if it acts for no user. */
    private @Nullable String anchor(@Nullable Proof proof) {
        Zone.AuthorityRecord record =
                proof == null ? null : zone.record(proof.target().subjectAuthorityRecordId());
        return record == null ? null : record.user();
    }

    /** The approval that a mandate requires; null if none. */
    private @Nullable String tier(TokenRequest request, @Nullable Proof proof, Set<String> granted) {
        Set<String> tiers = new TreeSet<>();
        if (proof != null) {
            for (String resourceId : granted) {
                Map<String, String> gates = zone.resource(resourceId)
                        .map(ProtectedResource::approvals)
                        .orElse(Map.of());
                request.scopes().stream()
                        .filter(scope -> gates.containsKey(scope) || zone.rulings.holds(resourceId, scope))
                        .map(scope -> gates.getOrDefault(scope, "high"))
                        .forEach(tiers::add);
            }
        }
        return tiers.isEmpty() ? null : String.join(",", tiers);
    }

    /**
     * Issues a token to the user of an ID token of a trusted issuer, for the application that presents it; or fails with a
     * {@link Refusal}. The token has no scopes: it is for the user's own decisions.
     */
    Mono<IssuedToken> federate(String applicationId, String idToken, long ttlSeconds, String requestId) {
        Instant now = zone.now();
        String user;
        try {
            user = zone.issuers.subject(idToken, now);
        } catch (Refusal refusal) {
            auditFederation(applicationId, requestId, false, "subject_federation_denied");
            throw refusal;
        }
        Duration ttl = ttl(ttlSeconds, null, now);
        auditFederation(applicationId, requestId, true, "complete");
        Instant expiresAt = now.plus(ttl).truncatedTo(ChronoUnit.SECONDS);
        String recordId = Ids.timeOrdered(now);
        zone.openRecord(recordId, applicationId, user, expiresAt);
        Map<String, @Nullable Object> claims =
                claims(applicationId, List.of(issuer), now, expiresAt, recordId, recordId, Mandate.USE_SESSION);
        claims.put("sub", user);
        claims.put("sub_type", Mandate.SUB_TYPE_USER);
        return zone.keys.sign(claims).map(token -> new IssuedToken(token, ttl.toSeconds(), "", List.of()));
    }

    private void auditFederation(String applicationId, String requestId, boolean allowed, String status) {
        Map<String, @Nullable Object> metadata = Json.object();
        metadata.put("application_id", applicationId);
        metadata.put("subject_kind", "user");
        audit(requestId, allowed, status, Policy.FEDERATION, metadata);
    }

    /** The token of a user, as issued by {@link #federate}; a refusal for any other. */
    Mandate user(String token) {
        Mandate user = alive(token)
                .filter(mandate -> mandate.texts("aud").contains(issuer))
                .orElseThrow(() -> new Refusal(401, "invalid_token", "invalid bearer token"));
        if (!user.use().equals(Mandate.USE_SESSION) || !user.text("sub_type").equals(Mandate.SUB_TYPE_USER)) {
            throw denied("a user session mandate is required");
        }
        return user;
    }

    private Optional<Mandate> alive(String token) {
        return zone.keys
                .verify(token)
                .filter(mandate -> !mandate.isExpired(zone.now()) && zone.isActive(mandate.authorityRecordId()));
    }

    /**
     * Exchanges the bearer that a client presented at the Gateway for one for the resource, or fails with a {@link Refusal}.
     * Audits the decision under the Gateway's request id.
     */
    Mono<IssuedToken> exchangeForResource(
            Mandate presented, String resource, String method, String path, String requestId) {
        String resourceId = zone.resource(resource).map(ProtectedResource::id).orElse(resource);
        Proof proof = checkPresented(presented);
        Verdict verdict = evaluateUse(presented, proof, resourceId, method, path);
        if (!verdict.equals(Verdict.OUTSIDE)) {
            auditUse(presented, resourceId, proof, requestId, verdict.isGranted(), verdict.status());
        }
        if (!verdict.isGranted()) {
            if (!verdict.equals(Verdict.OUTSIDE) && !verdict.equals(Verdict.OPERATION)) {
                auditUse(presented, resourceId, proof, requestId, false, EXCHANGE_DENIED);
            }
            throw verdict.equals(Verdict.OPERATION)
                    ? new Refusal(
                            403, "operation_not_permitted", method + " " + path + " is not permitted on " + resourceId)
                    : policyDenied(verdict.policyReason());
        }
        Instant now = zone.now();
        Instant latest = now.plus(zone.limits.maxResourceTokenTtl).truncatedTo(ChronoUnit.SECONDS);
        Instant expiresAt = presented.expiresAt().isBefore(latest) ? presented.expiresAt() : latest;
        String recordId = Ids.timeOrdered(now);
        zone.openRecord(recordId, presented.applicationId(), null, expiresAt);
        Map<String, @Nullable Object> claims = claims(
                presented.applicationId(),
                List.of(resourceId),
                now,
                expiresAt,
                recordId,
                presented.text("root_sid"),
                Mandate.USE_RESOURCE);
        String scope = proof == null ? "" : presented.text("scope");
        if (proof != null) {
            claims.put("scope", scope);
            claims.putAll(proof.claims());
        }
        claims.put("target", List.of(resourceId));
        long ttl = Duration.between(now, expiresAt).toSeconds();
        return zone.keys.sign(claims).map(token -> new IssuedToken(token, ttl, scope, List.of(resourceId)));
    }

    /** Checks that the session and the delegation are live and the caller's own; the proof of the delegation, if any. */
    private @Nullable Proof checkReferences(TokenRequest request) {
        if (request.subjectToken() != null) {
            throw refusedSubject(request.subjectToken());
        }
        String recordId = request.authorityRecordId();
        if (recordId != null) {
            Zone.AuthorityRecord known = zone.record(recordId);
            if (known == null || !known.isActive(zone.now())) {
                throw denied("authority record inactive or expired");
            }
            if (!known.isOf(request.applicationId())) {
                throw denied("authority record not owned by caller");
            }
        }
        String sessionId = request.agentSessionId();
        String edgeId = request.delegationEdgeId();
        if (edgeId != null) {
            if (sessionId == null) {
                throw denied("delegation requires a target Session");
            }
            return delegations.prove(
                    edgeId, sessionId, request.applicationId(), request.scopes(), request.ttlSeconds(), zone.now());
        }
        if (sessionId != null) {
            Optional<SessionSnapshot> session = sessions.usable(sessionId, zone.now(), zone.now());
            if (session.isEmpty()) {
                throw denied("session inactive or expired");
            }
            if (!session.get().applicationId().equals(request.applicationId())) {
                throw denied("session not owned by caller");
            }
        }
        return null;
    }

    /** Only the Gateway may exchange a token. */
    private Refusal refusedSubject(String subjectToken) {
        Optional<Mandate> subject = alive(subjectToken);
        if (subject.isEmpty()) {
            return new Refusal(401, "invalid_token", "invalid subject_token");
        }
        return subject.get().use().equals(Mandate.USE_GATEWAY)
                ? denied("resource exchanges must use the Gateway")
                : policyDenied("no_rule_matched");
    }

    private Verdict evaluate(TokenRequest request, @Nullable Proof proof, String resourceId) {
        ProtectedResource resource = zone.resources.get(resourceId);
        if (resource == null) {
            return Verdict.skipped("resource_not_found");
        }
        for (String scope : request.scopes()) {
            if (!scope.equals(TokenRequest.LIFECYCLE) && !resource.scopes().contains(scope)) {
                return Verdict.skipped("scope_mismatch");
            }
        }
        if (proof != null && !proof.edge().covers(resourceId)) {
            return Verdict.OUTSIDE;
        }
        if (!mayMint(resourceId, request.applicationId())) {
            return Verdict.skipped("rate_limited");
        }
        boolean mint = proof != null
                && !request.scopes().isEmpty()
                && !request.scopes().contains(TokenRequest.LIFECYCLE);
        boolean granted = resource.isGrantedTo(request.applicationId());
        if (!mint && !(request.isBootstrap() && granted)) {
            return Verdict.denied("no_rule_matched");
        }
        if (!granted) {
            return Verdict.denied("resource_not_granted");
        }
        if (request.scopes().stream().anyMatch(scope -> zone.rulings.denies(resourceId, scope))) {
            return Verdict.denied(Rulings.DENIED);
        }
        return proof != null && !resource.hasRole(proof.target(), request.scopes())
                ? Verdict.denied("role_scope_mismatch")
                : Verdict.GRANTED;
    }

    /** Checks the kind of a bearer at the Gateway, and that it is live; the proof of its delegation, if any. */
    private @Nullable Proof checkPresented(Mandate presented) {
        boolean oneShot = presented.use().equals(Mandate.USE_GATEWAY);
        boolean acceptable = oneShot
                || (gatewayMode == GatewayMode.SESSION_TOKEN && presented.use().equals(Mandate.USE_SESSION));
        if (!acceptable
                || presented.isExpired(zone.now())
                || !presented.zoneId().equals(zone.id)
                || !presented.texts("aud").contains(issuer)
                || !zone.isActive(presented.authorityRecordId())) {
            throw new Refusal(401, "invalid_token", "invalid subject_token");
        }
        return oneShot
                ? delegations.prove(
                        presented.text("delegation_edge_id"),
                        presented.text("agent_session_id"),
                        presented.applicationId(),
                        List.of(),
                        0,
                        zone.knownUntil())
                : null;
    }

    private Verdict evaluateUse(
            Mandate presented, @Nullable Proof proof, String resourceId, String method, String path) {
        ProtectedResource resource = zone.resources.get(resourceId);
        if (resource == null) {
            return Verdict.skipped("resource_not_found");
        }
        if (proof != null && !proof.edge().covers(resourceId)) {
            return Verdict.OUTSIDE;
        }
        if (!resource.permits(method, path)) {
            return Verdict.OPERATION;
        }
        if (!mayMint(resourceId, presented.applicationId())) {
            return Verdict.skipped("rate_limited");
        }
        if (!resource.isGrantedTo(presented.applicationId())) {
            return Verdict.denied("resource_not_granted");
        }
        if (!presented.texts("target").contains(resourceId)) {
            return Verdict.denied("mandate_target_mismatch");
        }
        return proof != null && !resource.hasRole(proof.target(), List.of())
                ? Verdict.denied("role_scope_mismatch")
                : Verdict.GRANTED;
    }

    private boolean mayMint(String resourceId, String applicationId) {
        return mints.admits(resourceId + '\n' + applicationId, zone.limits.mintsPerMinute, zone.now());
    }

    /** The lifetime of a token, limited by that of its delegation. */
    private Duration ttl(long asked, @Nullable Proof proof, Instant now) {
        if (asked < 0) {
            throw new Refusal(400, "invalid_token", "ttl_seconds must be positive");
        }
        if (asked > zone.limits.maxTokenTtl.toSeconds()) {
            throw new Refusal(400, "invalid_token", "ttl_seconds exceeds token TTL cap");
        }
        Duration ttl = asked == 0 ? zone.limits.tokenTtl : Duration.ofSeconds(asked);
        if (proof == null) {
            return ttl;
        }
        Constraints bounds = proof.edge().bounds();
        ttl = shorter(ttl, Duration.between(now, proof.edge().expiresAt()));
        if (bounds.ttlSeconds() > 0) {
            ttl = shorter(ttl, Duration.ofSeconds(bounds.ttlSeconds()));
        }
        Optional<Instant> bound = bounds.expiresAt();
        if (bound.isPresent() && !bound.get().isAfter(now)) {
            throw denied("delegation constraint expired");
        }
        return bound.isPresent() ? shorter(ttl, Duration.between(now, bound.get())) : ttl;
    }

    private static Duration shorter(Duration one, Duration other) {
        return one.compareTo(other) <= 0 ? one : other;
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

    private void audit(
            TokenRequest request,
            String recordId,
            String resource,
            @Nullable Proof proof,
            boolean allowed,
            String status) {
        Map<String, @Nullable Object> metadata = metadata(request.applicationId(), resource, request.scopes(), proof);
        metadata.put("session_id", recordId);
        if (request.agentSessionId() != null) {
            metadata.put("agent_session_id", request.agentSessionId());
        }
        if (request.delegationEdgeId() != null) {
            metadata.put("delegation_edge_id", request.delegationEdgeId());
        }
        String policy = proof == null ? Policy.BOOTSTRAP : Policy.mint(request.applicationId());
        audit(request.requestId(), allowed, status, policy, metadata);
    }

    private void auditUse(
            Mandate presented,
            String resource,
            @Nullable Proof proof,
            String requestId,
            boolean allowed,
            String status) {
        Map<String, @Nullable Object> metadata =
                metadata(presented.applicationId(), resource, presented.scopes(), proof);
        metadata.put("session_id", presented.authorityRecordId());
        audit(requestId, allowed, status, Policy.use(presented.applicationId()), metadata);
    }

    private void audit(
            String requestId, boolean allowed, String status, String policy, Map<String, @Nullable Object> metadata) {
        zone.audit(
                "token_exchange",
                requestId,
                allowed ? Policy.ALLOW : Policy.DENY,
                status,
                allowed ? policy : null,
                metadata);
    }

    private static Map<String, @Nullable Object> metadata(
            String applicationId, String resource, List<String> scopes, @Nullable Proof proof) {
        Map<String, @Nullable Object> metadata = Json.object();
        metadata.put("application_id", applicationId);
        metadata.put("application_name", applicationId);
        metadata.put("application_registration_method", "managed");
        metadata.put("resource", resource);
        metadata.put("requested_scopes", scopes);
        metadata.put("subject_kind", "application");
        if (proof != null) {
            SessionSnapshot session = proof.target();
            metadata.put("agent_session_id", session.id());
            metadata.put("delegation_edge_id", proof.edge().id());
            metadata.put("agent_lifecycle", session.lifecycle());
            metadata.put("agent_labels", session.labels());
            metadata.put("agent_depth", session.depth());
            if (session.parentId() != null) {
                metadata.put("agent_parent_id", session.parentId());
            }
            metadata.put("delegation_chain", proof.chain());
            metadata.put("delegation_hop_count", proof.path().size());
            metadata.put("delegation_graph_epoch", proof.epoch());
        }
        return metadata;
    }

    private static Refusal denied(String description) {
        return new Refusal(403, "access_denied", description);
    }

    private static Refusal policyDenied(@Nullable String reason) {
        return denied(reason == null ? "policy denied" : "policy denied (" + reason + ")");
    }
}
