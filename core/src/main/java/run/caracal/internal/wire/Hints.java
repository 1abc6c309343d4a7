package run.caracal.internal.wire;

import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Remedies for errors of the services, where the cause is known. */
final class Hints {
    private static final String WAIT_FOR_SESSIONS =
            " With maxOpenSessions (CARACAL_MAX_OPEN_SESSIONS), set to this client's share of them, the client waits for"
                    + " sessions to end.";

    private static final Map<String, String> COORDINATOR = Map.ofEntries(
            Map.entry(
                    "session_zone_limit_exceeded", "The zone has as many live sessions as it may." + WAIT_FOR_SESSIONS),
            Map.entry(
                    "session_limit_exceeded",
                    "The application has as many live sessions as it may." + WAIT_FOR_SESSIONS),
            Map.entry(
                    "session_children_limit_exceeded",
                    "The parent session has as many live children as it may: open fewer at once. With maxOpenSessions the client"
                            + " waits for one of them to end."),
            Map.entry(
                    "session_depth_limit_exceeded",
                    "Sessions are nested as deep as they may be: open this one under a session further up."),
            Map.entry(
                    "idempotency_receipt_limit_exceeded",
                    "Too many idempotency keys are kept for the application: leave the key to the SDK, whose keys are"
                            + " kept for a shorter time."),
            Map.entry(
                    "rate_limited",
                    "The calls of this minute from this address are used up. With maxOpenSessions"
                            + " (CARACAL_MAX_OPEN_SESSIONS) the client waits for the next minute."),
            Map.entry(
                    "identity_revoked",
                    "The authority behind the token was revoked, which also happens when a delegation to a session it"
                            + " opened is revoked: exchange the credentials for a new token."),
            Map.entry(
                    "missing_scope",
                    "The token lacks the scope agent:lifecycle: let the SDK exchange the application's credentials, or"
                            + " give a token that has it (a federated user's token never does)."),
            Map.entry("zone_mismatch", "The token belongs to another zone: check CARACAL_ZONE_ID."),
            Map.entry(
                    "invalid_token",
                    "The token has expired or is not of this platform: check that CARACAL_STS_URL and"
                            + " CARACAL_COORDINATOR_URL name the same deployment."),
            Map.entry("application_not_found", "Check CARACAL_APPLICATION_ID and CARACAL_ZONE_ID."),
            Map.entry(
                    "application_ownership_required",
                    "The token belongs to another application: check CARACAL_APPLICATION_ID."),
            Map.entry("invalid_params", "An id holds characters that no id of the platform has, or is too long."),
            Map.entry("parent_not_found", "The parent session has ended or never was."),
            Map.entry(
                    "task_session_cannot_start_service",
                    "A service cannot be a child of a task: open it without a parent."),
            Map.entry(
                    "inherit_parent_edge_ambiguous",
                    "The parent has several delegations: say which with Grant.narrow, or give none with Grant.none."),
            Map.entry(
                    "resource_not_found",
                    "The zone has no such resource: check the resource ids in CARACAL_RESOURCES and in the grant."),
            Map.entry(
                    "broad_delegation_permission_required",
                    "A delegation needs a resource: name one in Grant.narrow or in the DelegationSpec."),
            Map.entry("delegation_expiry_required", "A delegation needs an end: give Grant.narrow a ttl."),
            Map.entry(
                    "delegation_exceeds_parent_authority",
                    "A delegation can only narrow the one it derives from: scopes within its scopes, an end no later, a ttl"
                            + " constraint no longer, and maxHops at least one less. That also binds a session that received a"
                            + " delegation: what it needs beyond that, it cannot obtain; make those calls in a session that"
                            + " received none, or accept the delegation."),
            Map.entry(
                    "delegation_scopes_exceed_resource",
                    "The resource does not declare all of these scopes: check the scopes in Grant.narrow."),
            Map.entry(
                    "delegation_endpoint_not_found",
                    "The session that delegates or the one that receives has ended, perhaps because its ttl was over, or"
                            + " never was: delegate while both are open, and check the session id in to(...)."),
            Map.entry(
                    "delegation_application_mismatch",
                    "The session that receives belongs to another application: check the application id in to(...)."),
            Map.entry(
                    "delegation_cycle_denied",
                    "The session that receives has delegated to the one that delegates: authority goes one way."),
            Map.entry(
                    "self_delegation_denied", "A session cannot delegate to itself: check the session id in to(...)."),
            Map.entry(
                    "parent_delegation_not_active",
                    "The delegation that the session holds has ended: open a new session."),
            Map.entry(
                    "inherit_parent_edge_not_active",
                    "The delegation that the parent session holds has ended: open a new parent session."),
            Map.entry(
                    "delegation_resource_scope_mismatch",
                    "The resource is not among the resources of the constraints: name it there too, or leave them out."),
            Map.entry("delegation_expired", "The end in the constraints' expiresAt has passed: give a later one."),
            Map.entry(
                    "issuer_ownership_required",
                    "Only the application that issued a delegation may do this: check CARACAL_APPLICATION_ID."),
            Map.entry(
                    "parent_delegation_ambiguous",
                    "The session that delegates received several delegations, so it is unclear which one this narrows: accept"
                            + " the one that is meant, or make the call in a session that received none."),
            Map.entry(
                    "session_not_service",
                    "The session is a task, which has no lease: heartbeat and attachService are for services; open one with spawnService."),
            Map.entry(
                    "session_not_found",
                    "The zone has no live session of this id: check the id, and that the session has not ended."),
            Map.entry("session_suspended", "The session is suspended: have it resumed, or open a new service."),
            Map.entry(
                    "session_subject_inactive",
                    "The authority record of the session is not active any more: open a new session with a live one."),
            Map.entry(
                    "session_lease_fenced",
                    "Another process has taken over this session: stop, and leave the session to it."),
            Map.entry(
                    "session_lease_expired",
                    "The lease ended before it was renewed: open a new service, or resume it."),
            Map.entry(
                    "idempotency_key_conflict",
                    "The same key was used for a different request, or with another token: use a key once."),
            Map.entry(
                    "idempotency_result_inactive",
                    "The session that was opened with this key has ended: use a new key."),
            Map.entry("audit_unavailable", "The change was applied; only its audit record failed."));

    private Hints() {}

    static @Nullable String coordinator(int status, String code) {
        if (status == 404 && code.equals("Not Found")) {
            return "The coordinator knows no such route: check CARACAL_COORDINATOR_URL and the platform's version.";
        }
        // The release before 1.0 calls sessions agents.
        String name = code.startsWith("agent_") ? "session_" + code.substring("agent_".length()) : code;
        return COORDINATOR.get(name);
    }

    /**
     * Returns the remedy for a refusal of the STS.
     *
     * @param forMandate whether a mandate was asked for, as opposed to the application's own token
     */
    static @Nullable String sts(String code, String description, boolean forMandate) {
        String text = description.toLowerCase(Locale.ROOT);
        return switch (code) {
            case "access_denied" -> denied(text, forMandate);
            case "zone_invalid" -> "The application belongs to another zone: check CARACAL_ZONE_ID.";
            case "resource_not_found" -> "The zone has no such resource: check the resource ids in CARACAL_RESOURCES.";
            case "delegation_required" -> NO_DELEGATION;
            case "scope_insufficient" -> "Ask for scopes that the delegation and the resource carry.";
            case "provider_rate_limited" ->
                text.startsWith("authentication rate limit")
                        ? "Too many attempts with a wrong secret: check CARACAL_APP_CLIENT_SECRET; the block ends within a"
                                + " minute of the last attempt."
                        : null;
            case "invalid_token" ->
                text.startsWith("at least one resource")
                        ? "Name the resources of the application in CARACAL_RESOURCES or in [[credentials]] of the profile."
                        : text.startsWith("invalid subject_token") ? NOT_FEDERATED : null;
            case "approval_consumed" -> "The approval was used already: ask again without it, for a new one.";
            default -> null;
        };
    }

    private static final String NOT_FEDERATED =
            "The zone does not take this identity token: check that it was issued for the audience that the zone knows, by an"
                    + " issuer that is registered there, and that it has not expired.";

    private static final String NO_DELEGATION =
            "A token for a call needs a session that a delegation was issued to: spawn it with Grant.narrow, naming the"
                    + " resource and the scopes.";

    private static @Nullable String denied(String text, boolean forMandate) {
        if (text.startsWith("invalid client credentials")) {
            return "The zone knows no application with this id and secret: check CARACAL_APP_CLIENT_SECRET (or"
                    + " CARACAL_APP_CLIENT_SECRET_FILE), CARACAL_APPLICATION_ID and CARACAL_ZONE_ID.";
        }
        if (text.equals("policy denied")) {
            return "The mandates of this minute for the resource may be used up, which passes, and for which maxMintsPerMinute"
                    + " (CARACAL_MAX_MINTS_PER_MINUTE) waits; else the zone does not know the resource (check"
                    + " CARACAL_RESOURCES), or the resource or the delegation does not carry the scope.";
        }
        if (text.contains("no_rule_matched") && !forMandate) {
            return "The policy grants none of the configured resources to this application: a resource belongs to one"
                    + " application, and each configures its own. Check CARACAL_RESOURCES and CARACAL_APPLICATION_ID. To act"
                    + " on another application's resource, delegate to that application.";
        }
        if (text.contains("no_rule_matched") || text.contains("delegation requires a target session")) {
            return NO_DELEGATION;
        }
        if (text.contains("role_scope_mismatch") || text.contains("confinement_violation")) {
            return "No role that the resource's grant knows covers these scopes for the session's labels: label the"
                    + " session with a role of the grant that has the scopes, or with the application id, which"
                    + " labelledAsApplication() of the options adds to other labels.";
        }
        if (text.contains("resource_not_granted")) {
            return "The policy does not grant this resource to the application, and a delegation lends no more than the"
                    + " policy: only the application that owns a resource can use a delegation on it. Delegate to that"
                    + " application, or check the resource ids in CARACAL_RESOURCES.";
        }
        if (text.contains("delegation_scope_exceeded") || text.contains("scopes exceed delegation scopes")) {
            return "The delegation does not carry these scopes: widen Grant.narrow, or ask for less.";
        }
        if (text.startsWith("delegation constraints invalid")) {
            return "The platform refuses every token under a delegation with a budget constraint: leave the budget out.";
        }
        if (text.startsWith("delegation path invalid")) {
            return "The chain of delegations is longer than the last one allows: a chain of two needs maxHops of 2 at the"
                    + " end and 3 at the start.";
        }
        if (text.contains(" inactive or ")) {
            return "The session or the delegation has ended, or the session is suspended: open a new one, or have it"
                    + " resumed.";
        }
        if (text.startsWith("requested ttl exceeds")) {
            return "Ask for a shorter ttl, or constrain the delegation less.";
        }
        if (text.startsWith("approval")) {
            return "The approval cannot be used (any more): ask again without it, for a new one.";
        }
        return null;
    }
}
