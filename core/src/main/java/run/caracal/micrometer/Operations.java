package run.caracal.micrometer;

import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import run.caracal.event.CaracalEvent;

/** Names of operations and codes in meters and observations: a bounded set that no request can extend. */
final class Operations {
    static final String NONE = "none";
    static final String OTHER = "other";

    /** The kinds with a duration. */
    private static final Map<Class<? extends CaracalEvent>, String> NAMES = Map.ofEntries(
            Map.entry(CaracalEvent.TokenExchange.class, "token.exchange"),
            Map.entry(CaracalEvent.MandateMinted.class, "mandate.mint"),
            Map.entry(CaracalEvent.GatewayCall.class, "gateway.call"),
            Map.entry(CaracalEvent.SubjectFederated.class, "subject.federate"),
            Map.entry(CaracalEvent.InboundRequest.class, "inbound.request"),
            Map.entry(CaracalEvent.ApprovalAwaited.class, "approval.wait"),
            Map.entry(CaracalEvent.CapacityWaited.class, "capacity.wait"),
            Map.entry(CaracalEvent.CoordinatorCall.class, "coordinator.call"),
            Map.entry(CaracalEvent.SessionOpened.class, "session.open"),
            Map.entry(CaracalEvent.SessionClosed.class, "session.close"),
            Map.entry(CaracalEvent.TerminationSettled.class, "session.terminate"),
            Map.entry(CaracalEvent.LeaseRenewed.class, "lease.renewal"),
            Map.entry(CaracalEvent.DelegationCreated.class, "delegation.create"),
            Map.entry(CaracalEvent.DelegationAccepted.class, "delegation.accept"),
            Map.entry(CaracalEvent.DelegationRevoked.class, "delegation.revoke"));

    /** The codes of the SDK and the platform; any other is tagged {@code other}. */
    private static final Set<String> CODES = Set.of(
            "error",
            "http_status",
            "authority_revoked",
            "callback_timeout",
            "callback_without_result",
            "closed",
            "capacity_timeout",
            "capacity_too_small",
            "configuration_invalid",
            "foreign_context",
            "no_context",
            "protocol_error",
            "routing_refused",
            "session_close_failed",
            "session_replayed",
            "transport_connect",
            "transport_timeout",
            "transport_io",
            "transport_overloaded",
            "transport_response_too_large",
            "delegation_no_parent",
            "delegation_no_resource",
            "delegation_self",
            "delegation_not_active",
            "delegation_nothing_granted",
            "delegation_unlinked",
            "lease_lost_gone",
            "lease_lost_fenced",
            "lease_lost_subject_inactive",
            "lease_lost_expired",
            "lease_lost_suspended",
            "lease_lost_unauthorized",
            "approval_rejected",
            "approval_expired",
            "approval_consumed",
            "verifier_unavailable",
            "delegation_stale",
            "session_revoked",
            "chain_mismatch",
            "hop_count_exceeded",
            "delegation_required",
            "session_required",
            "insufficient_scope",
            "access_denied",
            "internal_error",
            "interaction_required",
            "invalid_body",
            "invalid_request",
            "invalid_token",
            "invalid_zone",
            "missing_scope",
            "missing_token",
            "operation_not_permitted",
            "policy_eval_failed",
            "rate_limited",
            "replay_detected",
            "resource_not_found",
            "sts_unavailable",
            "zone_invalid",
            "application_not_found",
            "delegation_exceeds_parent_authority",
            "delegation_endpoint_not_found",
            "delegation_not_found",
            "idempotency_key_conflict",
            "idempotency_result_inactive",
            "parent_delegation_ambiguous",
            "parent_delegation_not_active",
            "parent_not_found",
            "session_children_limit_exceeded",
            "session_depth_limit_exceeded",
            "session_lease_expired",
            "session_lease_fenced",
            "session_limit_exceeded",
            "session_not_found",
            "session_subject_inactive",
            "session_suspended",
            "session_zone_limit_exceeded");

    private Operations() {}

    /** The name of an operation, or {@code null} for an unknown kind or one without a duration. */
    static @Nullable String name(Class<? extends CaracalEvent> kind) {
        return NAMES.get(kind);
    }

    static String outcome(CaracalEvent event) {
        return lower(event.completion().outcome());
    }

    static String code(CaracalEvent event) {
        String code = event.completion().code();
        return code == null ? NONE : CODES.contains(code) ? code : OTHER;
    }

    static String lower(Enum<?> value) {
        return value.name().toLowerCase(Locale.ROOT);
    }
}
