package run.caracal.verify;

import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import run.caracal.error.InboundException;
import run.caracal.error.InboundException.Reason;
import run.caracal.verify.VerifiedMandate.Hop;
import run.caracal.verify.VerifiedMandate.SubjectType;
import run.caracal.verify.VerifiedMandate.Use;

/**
 * The claims of a token with a verified signature, checked in the platform's order: the first failure decides the code.
 * A claim of the wrong type never counts as absent.
 */
final class Claims {
    /** The tolerated clock skew. The final check of the expiry does not apply it. */
    static final int TOLERANCE_SECONDS = 60;

    /** The end of the year 9999; larger values are malformed. */
    private static final long MAX_SECONDS = 253_402_300_799L;

    private static final long MILLIS = 1000;

    private static final Map<String, Use> USES = Map.of("session", Use.SESSION, "resource", Use.RESOURCE);

    private static final Map<String, SubjectType> SUBJECT_TYPES =
            Map.of("user", SubjectType.USER, "application", SubjectType.APPLICATION);

    private final Map<?, ?> values;

    private Claims(Map<?, ?> values) {
        this.values = values;
    }

    /** The settings of a verifier; the zone is never read from a token. */
    record Expected(String zoneId, String issuer, String audience) {}

    /** Checks claims against the settings and the requirements; throws for the first rule that is violated. */
    static VerifiedMandate check(Map<?, ?> values, Expected expected, MandateRequirements required, long nowMillis) {
        return new Claims(values).check(expected, required, nowMillis);
    }

    private VerifiedMandate check(Expected expected, MandateRequirements required, long nowMillis) {
        if (!expected.issuer().equals(values.get("iss"))) {
            throw invalid("The token is from another issuer");
        }
        List<String> audience = values.get("aud") instanceof String ? List.of(needed("aud")) : strings("aud");
        if (!audience.contains(expected.audience())) {
            throw invalid("The token is not meant for this resource");
        }
        long issuedAt = seconds("iat");
        long expiresAt = seconds("exp");
        checkTimes(issuedAt, expiresAt, nowMillis);

        String jti = needed("jti");
        String subject = needed("sub");
        String applicationId = needed("client_id");
        String authorityRecordId = needed("sid");
        String rootAuthorityRecordId = needed("root_sid");
        Use use = oneOf("use", USES);
        if (use != required.use()) {
            throw invalid("The token is for another use");
        }
        SubjectType subjectType = oneOf("sub_type", SUBJECT_TYPES);

        List<String> scopes = scopes();
        if (!expected.zoneId().equals(values.get("zone_id"))) {
            throw new InboundException(Reason.INVALID_ZONE, "The token is from another zone");
        }
        if (!scopes.containsAll(required.scopes())) {
            throw new InboundException(
                    Reason.INSUFFICIENT_SCOPE,
                    "The mandate lacks a required scope",
                    "Needed: " + String.join(" ", required.scopes()),
                    null);
        }
        List<String> targets = strings("target");
        if (!targets.containsAll(required.targets())) {
            throw invalid("The mandate is not granted for a required resource");
        }

        String agentSessionId = optional("agent_session_id");
        String delegationEdgeId = optional("delegation_edge_id");
        String sourceSessionId = optional("source_session_id");
        String targetSessionId = optional("target_session_id");
        List<String> path = strings("delegation_path");
        List<Hop> chain = chain();
        Long hops = number("hop_count");
        Long epoch = number("delegation_graph_epoch");

        if (required.session() && agentSessionId == null) {
            throw new InboundException(Reason.SESSION_REQUIRED, "The mandate has no agent session");
        }
        if (required.delegation() && delegationEdgeId == null) {
            throw new InboundException(Reason.DELEGATION_REQUIRED, "The mandate has no delegation");
        }
        if (hops != null && hops > required.maxHops()) {
            throw new InboundException(
                    Reason.HOP_COUNT_EXCEEDED, "The mandate has more than " + required.maxHops() + " delegations");
        }
        if (!chain.stream().map(Hop::applicationId).collect(Collectors.toSet()).containsAll(required.applications())) {
            throw new InboundException(
                    Reason.CHAIN_MISMATCH, "A required application is not in the mandate's chain of delegations");
        }
        if (expiresAt * MILLIS <= nowMillis) {
            throw invalid("The token has expired");
        }
        return VerifiedMandate.builder()
                .zoneId(expected.zoneId())
                .applicationId(applicationId)
                .subject(subject, subjectType)
                .authorityRecordId(authorityRecordId)
                .rootAuthorityRecordId(rootAuthorityRecordId)
                .use(use)
                .jti(jti)
                .scopes(scopes)
                .targets(targets)
                .audience(audience)
                .agentSessionId(agentSessionId)
                .delegationEdgeId(delegationEdgeId)
                .sourceSessionId(sourceSessionId)
                .targetSessionId(targetSessionId)
                .delegationPath(path)
                .delegationChain(chain)
                .hopCount(hops == null ? 0 : hops.intValue())
                .delegationGraphEpoch(epoch)
                .issuedAt(Instant.ofEpochSecond(issuedAt))
                .expiresAt(Instant.ofEpochSecond(expiresAt))
                .build();
    }

    private void checkTimes(long issuedAt, long expiresAt, long nowMillis) {
        long tolerance = TOLERANCE_SECONDS * MILLIS;
        if (expiresAt * MILLIS + tolerance <= nowMillis) {
            throw invalid("The token has expired");
        }
        if (values.containsKey("nbf") && seconds("nbf") * MILLIS - tolerance > nowMillis) {
            throw invalid("The token is not valid yet");
        }
        if (issuedAt * MILLIS - tolerance > nowMillis) {
            throw invalid("The token was issued in the future: check the clocks");
        }
    }

    private <T> T oneOf(String name, Map<String, T> known) {
        T found = known.get(needed(name));
        if (found == null) {
            throw invalid("The claim " + name + " of the token has a value that is not accepted here");
        }
        return found;
    }

    private List<String> scopes() {
        if (!values.containsKey("scope")) {
            return List.of();
        }
        // An empty claim has no scopes; RFC 6749 separates scopes by the space only.
        if (!(values.get("scope") instanceof String text) || hasControl(text)) {
            throw wrong("scope");
        }
        return Arrays.stream(text.split(" ", -1)).filter(s -> !s.isEmpty()).toList();
    }

    private List<Hop> chain() {
        List<Hop> chain = new ArrayList<>();
        for (Object item : list("delegation_chain")) {
            if (!(item instanceof Map<?, ?> fields)) {
                throw wrong("delegation_chain");
            }
            Claims hop = new Claims(fields);
            chain.add(new Hop(
                    hop.needed("application_id"),
                    hop.optional("agent_session_id"),
                    hop.optional("delegation_edge_id")));
        }
        return chain;
    }

    private String needed(String name) {
        return text(name, values.get(name));
    }

    private @Nullable String optional(String name) {
        return values.containsKey(name) ? needed(name) : null;
    }

    private List<String> strings(String name) {
        return list(name).stream().map(item -> text(name, item)).toList();
    }

    private List<?> list(String name) {
        if (!values.containsKey(name)) {
            return List.of();
        }
        if (!(values.get(name) instanceof List<?> list)) {
            throw wrong(name);
        }
        return list;
    }

    /** Rejects control characters, because these values end up in headers and logs. */
    private static String text(String name, @Nullable Object value) {
        if (!(value instanceof String text) || text.isBlank() || hasControl(text)) {
            throw wrong(name);
        }
        return text;
    }

    private static boolean hasControl(String text) {
        for (int i = 0; i < text.length(); i++) {
            if (Character.isISOControl(text.charAt(i))) {
                return true;
            }
        }
        return false;
    }

    private long seconds(String name) {
        Long seconds = number(name);
        if (seconds == null || seconds > MAX_SECONDS) {
            throw wrong(name);
        }
        return seconds;
    }

    /** A non-negative integer; {@code null} if absent. */
    private @Nullable Long number(String name) {
        if (!values.containsKey(name)) {
            return null;
        }
        if (!(values.get(name) instanceof Long number) || number < 0) {
            throw wrong(name);
        }
        return number;
    }

    private static InboundException wrong(String name) {
        return invalid("The claim " + name + " of the token is missing or of the wrong kind");
    }

    static InboundException invalid(String description) {
        return new InboundException(Reason.INVALID_TOKEN, description);
    }
}
