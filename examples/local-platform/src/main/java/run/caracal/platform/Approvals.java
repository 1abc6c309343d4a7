package run.caracal.platform;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.time.Instant;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;

/** The requests for mandates that a person has to approve, and the decisions. */
final class Approvals {

    private static final Duration REMEMBERED = Duration.ofDays(1);
    private static final Duration RECHECK = Duration.ofSeconds(5);

    private final Zone zone;
    private final Map<String, Hold> holds = new LinkedHashMap<>();

    Approvals(Zone zone) {
        this.zone = zone;
    }

    /** A held request. */
    private static final class Hold {
        private final ApprovalSnapshot start;
        /** The only user who may decide; null when any user of the zone may. */
        private final @Nullable String anchor;

        private final Sinks.Empty<Void> decided = Sinks.empty();
        private String state = "pending";
        private @Nullable Instant consumedAt;
        private @Nullable String recordId;

        Hold(ApprovalSnapshot start, @Nullable String anchor) {
            this.start = start;
            this.anchor = anchor;
        }

        String state(Instant now) {
            boolean expired = consumedAt == null && !now.isBefore(start.expiresAt());
            return expired ? "expired" : state;
        }

        ApprovalSnapshot snapshot(Instant now) {
            return new ApprovalSnapshot(
                    start.id(),
                    start.applicationId(),
                    start.agentSessionId(),
                    start.resources(),
                    start.scopes(),
                    start.tier(),
                    start.binding(),
                    state(now),
                    start.expiresAt());
        }
    }

    /** The request that an approval is valid for; any other needs its own. */
    static String binding(TokenRequest request) {
        String text = String.join(
                "\n",
                request.resources().stream()
                        .map(resource -> resource.toLowerCase(Locale.ROOT))
                        .sorted()
                        .toList()
                        .toString(),
                request.scopes().stream().sorted().toList().toString(),
                request.applicationId(),
                Objects.toString(request.authorityRecordId(), ""),
                Objects.toString(request.agentSessionId(), ""),
                Objects.toString(request.delegationEdgeId(), ""),
                Policy.MANIFEST);
        try {
            byte[] hash = MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
            return HexFormat.of().formatHex(hash);
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every JVM has SHA-256", e);
        }
    }

    /**
     * Checks the approval that a request presents: it must be for this request, and approved, or consumed so recently that the
     * mandate may be issued once more.
     */
    synchronized void checkPresented(TokenRequest request, String approvalId) {
        Instant now = zone.now();
        Hold hold = holds.get(approvalId);
        if (hold == null || !hold.start.binding().equals(binding(request))) {
            throw refused(request, "approval_invalid", 401, "approval not found or bindings do not match");
        }
        switch (hold.state(now)) {
            case "pending" -> throw new InteractionRequired(hold.snapshot(now));
            case "rejected" -> throw refused(request, "approval_rejected", 403, "approval was rejected");
            case "expired" -> throw refused(request, "approval_expired", 401, "approval expired");
            case "consumed" -> {
                if (!mayReissue(hold, now)) {
                    audit(request, "approval_already_consumed");
                    throw new Refusal(409, "approval_consumed", "approval already used; another request consumed it");
                }
            }
            default -> {}
        }
    }

    private boolean mayReissue(Hold hold, Instant now) {
        return hold.consumedAt != null && now.isBefore(hold.consumedAt.plus(zone.limits.approvalReissue));
    }

    /**
     * The id of the approval under which a gated request may proceed: the presented one, or one granted for the same request.
     * Without one, the request is held.
     *
     * @param anchor the only user who may decide; null when any user of the zone may
     */
    synchronized String approvedFor(TokenRequest request, String tier, @Nullable String anchor) {
        if (request.approvalId() != null) {
            return request.approvalId();
        }
        Instant now = zone.now();
        String binding = binding(request);
        Optional<Hold> open = holds.values().stream()
                .filter(hold -> hold.start.binding().equals(binding))
                .filter(hold -> !List.of("expired", "consumed").contains(hold.state(now)))
                .findFirst();
        if (open.isEmpty()) {
            throw new InteractionRequired(hold(request, tier, anchor, binding, now));
        }
        Hold hold = open.get();
        return switch (hold.state(now)) {
            case "approved" -> hold.start.id();
            case "rejected" -> throw refused(request, "approval_rejected", 403, "approval was rejected");
            default -> throw new InteractionRequired(hold.snapshot(now));
        };
    }

    private ApprovalSnapshot hold(
            TokenRequest request, String tier, @Nullable String anchor, String binding, Instant now) {
        ApprovalSnapshot approval = new ApprovalSnapshot(
                Ids.random(),
                request.applicationId(),
                request.agentSessionId(),
                request.resources(),
                request.scopes(),
                tier,
                binding,
                "pending",
                now.plus(zone.limits.approvalLife));
        Hold hold = new Hold(approval, anchor);
        holds.put(approval.id(), hold);
        audit("step_up_issued", request.requestId(), hold, now);
        return approval;
    }

    /**
     * Consumes an approval, as the last step before its mandate is issued.
     *
     * @return the authority record of the mandate that was issued before under this approval; empty the first time
     */
    synchronized Optional<String> consume(String approvalId, String recordId, String requestId) {
        Hold hold = Objects.requireNonNull(holds.get(approvalId), "an approval vanished between check and use");
        if (hold.consumedAt != null) {
            return Optional.ofNullable(hold.recordId);
        }
        Instant now = zone.now();
        hold.state = "consumed";
        hold.consumedAt = now;
        hold.recordId = recordId;
        audit("step_up_consumed", requestId, hold, now);
        return Optional.empty();
    }

    /** Decides as a user of the requesting application, who presents the binding of the request. */
    synchronized ApprovalSnapshot decideAs(
            Mandate user, String approvalId, String binding, boolean approved, String requestId) {
        Hold hold = known(approvalId);
        ApprovalSnapshot asked = hold.start;
        if (!asked.applicationId().equals(user.applicationId())) {
            throw new Refusal(403, "access_denied", "approval belongs to another application");
        }
        if (hold.anchor != null && !hold.anchor.equals(user.text("sub"))) {
            throw new Refusal(403, "access_denied", "approval belongs to another subject");
        }
        if (!asked.binding().equals(binding)) {
            throw new Refusal(409, "access_denied", "approval binding does not match");
        }
        return decide(approvalId, approved, requestId);
    }

    /** Rejects an unknown approval. */
    synchronized void checkKnown(String approvalId) {
        Hold unused = known(approvalId);
    }

    private Hold known(String approvalId) {
        Hold hold = holds.get(approvalId);
        if (hold == null) {
            throw new Refusal(404, "resource_not_found", "approval not found");
        }
        return hold;
    }

    /** Decides once, while the approval is pending. */
    synchronized ApprovalSnapshot decide(String approvalId, boolean approved, String requestId) {
        Instant now = zone.now();
        Hold hold = known(approvalId);
        if (!hold.state(now).equals("pending")) {
            throw new Refusal(409, "access_denied", "approval is " + hold.state(now));
        }
        hold.state = approved ? "approved" : "rejected";
        ApprovalSnapshot decided = hold.snapshot(now);
        audit("step_up_decided", requestId, hold, now);
        hold.decided.tryEmitEmpty().orThrow();
        return decided;
    }

    synchronized Optional<ApprovalSnapshot> find(String approvalId) {
        return Optional.ofNullable(holds.get(approvalId)).map(hold -> hold.snapshot(zone.now()));
    }

    synchronized List<ApprovalSnapshot> all() {
        Instant now = zone.now();
        return holds.values().stream().map(hold -> hold.snapshot(now)).toList();
    }

    /** The approval once it is decided, or at the latest after the wait; empty if it is unknown. */
    Mono<ApprovalSnapshot> await(String approvalId, Duration wait) {
        return Mono.defer(() -> {
            Optional<ApprovalSnapshot> now = find(approvalId);
            if (wait.isZero() || now.filter(ApprovalSnapshot::isPending).isEmpty()) {
                return Mono.justOrEmpty(now);
            }
            Duration pause = wait.compareTo(RECHECK) < 0 ? wait : RECHECK;
            return decisionOn(approvalId).timeout(pause, Mono.empty()).then(await(approvalId, wait.minus(pause)));
        });
    }

    private synchronized Mono<Void> decisionOn(String approvalId) {
        Hold hold = holds.get(approvalId);
        return hold == null ? Mono.empty() : hold.decided.asMono();
    }

    synchronized void forgetOld() {
        Instant now = zone.now();
        holds.values().removeIf(hold -> now.isAfter(hold.start.expiresAt().plus(REMEMBERED)));
    }

    /** Removes everything, and ends the requests that wait for a decision. */
    synchronized void forgetAll() {
        List<Hold> waiting = List.copyOf(holds.values());
        holds.clear();
        for (Hold hold : waiting) {
            Sinks.EmitResult unused = hold.decided.tryEmitEmpty();
        }
    }

    private Refusal refused(TokenRequest request, String evaluationStatus, int status, String description) {
        audit(request, evaluationStatus);
        return new Refusal(status, "access_denied", description);
    }

    private void audit(TokenRequest request, String evaluationStatus) {
        Map<String, @Nullable Object> metadata = Json.object();
        metadata.put("application_id", request.applicationId());
        metadata.put("requested_scopes", request.scopes());
        metadata.put("approval_id", request.approvalId());
        zone.audit("token_exchange", request.requestId(), Policy.DENY, evaluationStatus, null, metadata);
    }

    /** An audit event of a held request; its decision is the new state. */
    private void audit(String eventType, String requestId, Hold hold, Instant now) {
        Map<String, @Nullable Object> metadata = Json.object();
        metadata.put("challenge_id", hold.start.id());
        metadata.put("approver_class", hold.anchor == null ? "any" : "subject");
        metadata.put("binding", hold.start.binding());
        zone.audit(eventType, requestId, hold.state(now), "complete", null, metadata);
    }
}
