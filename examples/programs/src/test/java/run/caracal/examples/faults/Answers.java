package run.caracal.examples.faults;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.jwk.Curve;
import com.nimbusds.jose.jwk.gen.ECKeyGenerator;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import run.caracal.examples.faults.Bench.Op;
import run.caracal.examples.faults.Bench.Where;
import run.caracal.examples.faults.Cell.Expected;
import run.caracal.examples.faults.Cell.Refused;
import run.caracal.examples.faults.Cell.World;
import run.caracal.examples.faults.FaultProxy.Plan;
import run.caracal.examples.faults.WireFault.Answer;

/** The documented refusals of the services, each with its body, and the same statuses with undocumented bodies. */
final class Answers {

    /** Of the token route: status, code, the error's class, description. */
    private static final String STS = """
            400 invalid_token InvalidToken at least one resource is required
            400 invalid_token InvalidToken ttl_seconds exceeds token TTL cap
            413 payload_too_large StsException request body too large
            415 invalid_token InvalidToken content type must be application/x-www-form-urlencoded
            401 access_denied AccessDenied invalid client credentials
            401 access_denied AccessDenied invalid gateway exchange signature
            401 invalid_token InvalidToken invalid subject_token
            401 interaction_required ApprovalRequiredException approval required
            401 access_denied AccessDenied approval not found or bindings do not match
            401 access_denied AccessDenied approval expired
            403 zone_invalid ZoneMismatch the application belongs to zone a, not to zone b
            403 access_denied AccessDenied policy denied
            403 access_denied AccessDenied policy denied (no_rule_matched)
            403 access_denied AccessDenied policy denied (role_scope_mismatch)
            403 access_denied AccessDenied delegation edge inactive or expired
            403 access_denied AccessDenied session not owned by caller
            403 access_denied AccessDenied delegation constraints invalid
            403 sts_unavailable ServiceUnavailable trusted time unavailable
            403 credential_expired_not_renewable StsException provider connection is expired
            403 provider_rate_limited StsException provider connection could not be refreshed
            403 operation_not_permitted OperationNotPermitted POST /charge is not permitted
            403 policy_eval_failed StsException policy evaluation incomplete
            404 resource_not_found ResourceNotFound no such resource
            409 approval_consumed StsException the approval is spent
            429 provider_rate_limited StsException authentication rate limit exceeded
            500 internal_error StsException token issuance failed
            502 http_request_failed StsException upstream credential
            503 sts_unavailable ServiceUnavailable trusted time unavailable
            503 policy_eval_failed StsException policy evaluation unavailable
            """;

    /** Of the Coordinator: operations, status, shape of the body, codes. */
    private static final String COORDINATOR = """
            OPEN,CLOSE,DELEGATE,RENEW,ATTACH | 400 | plain | invalid_params
            OPEN,CLOSE,DELEGATE,RENEW,ATTACH | 400 | framework | internal_error
            OPEN,CLOSE,DELEGATE,RENEW,ATTACH | 401 | plain | missing_token,invalid_token,identity_revoked
            OPEN,CLOSE,DELEGATE,RENEW,ATTACH | 403 | plain | missing_scope,zone_mismatch,operator_token_required
            OPEN,CLOSE,DELEGATE,RENEW,ATTACH | 404 | route | Not Found
            OPEN,CLOSE,DELEGATE,RENEW,ATTACH | 413 | framework | internal_error
            OPEN,CLOSE,DELEGATE,RENEW,ATTACH | 415 | framework | internal_error
            OPEN,CLOSE,DELEGATE,RENEW,ATTACH | 429 | plain | rate_limited
            OPEN,CLOSE,DELEGATE,RENEW,ATTACH | 500 | framework | internal_error
            OPEN,CLOSE,DELEGATE,RENEW,ATTACH | 500 | applied | audit_unavailable
            OPEN,DELEGATE,RENEW | 400 | zod | invalid_body
            OPEN,DELEGATE | 400 | key | idempotency_key_invalid,idempotency_key_multiple
            OPEN | 400 | plain | subject_session_id_required
            OPEN | 403 | plain | application_ownership_required,parent_ownership_required
            OPEN | 404 | plain | application_not_found,session_not_found,parent_not_found
            OPEN | 409 | plain | dcr_application_cannot_host_service,dcr_application_cannot_be_child,dcr_application_already_bound
            OPEN | 409 | plain | dcr_application_cannot_start_child,task_session_cannot_start_service
            OPEN | 409 | plain | inherit_parent_edge_not_active,inherit_parent_edge_ambiguous
            OPEN,DELEGATE | 409 | key | idempotency_key_conflict,idempotency_result_inactive
            OPEN | 429 | plain | session_zone_limit_exceeded,session_limit_exceeded,session_children_limit_exceeded
            OPEN | 429 | plain | session_depth_limit_exceeded,idempotency_receipt_limit_exceeded
            CLOSE | 400 | plain | lease_generation_required
            CLOSE | 404 | plain | session_not_found
            CLOSE | 409 | plain | session_lease_fenced,session_not_live,session_not_found_or_not_active,already_terminated
            RENEW | 404 | plain | session_not_found
            RENEW | 409 | plain | session_not_live,session_not_service,session_subject_inactive,session_lease_fenced,session_lease_expired
            ATTACH | 404 | plain | session_not_found
            ATTACH | 409 | plain | session_not_service,session_suspended,session_not_live,session_subject_inactive,session_lease_expired
            DELEGATE | 400 | plain | delegation_expiry_required,invalid_max_hops,self_delegation_denied,delegation_expired
            DELEGATE | 400 | plain | delegation_resource_scope_mismatch
            DELEGATE | 403 | plain | broad_delegation_permission_required,issuer_ownership_required
            DELEGATE | 403 | plain | delegation_scopes_exceed_resource,parent_delegation_not_active
            DELEGATE | 403 | plain | delegation_exceeds_parent_authority
            DELEGATE | 404 | plain | delegation_endpoint_not_found,resource_not_found
            DELEGATE | 409 | plain | parent_delegation_ambiguous,delegation_cycle_denied,delegation_application_mismatch
            """;

    /** Of the Gateway: status, code, description. */
    private static final String GATEWAY = """
            503 sts_unavailable revocation state unavailable
            401 invalid_token missing bearer token
            401 invalid_token token replay detected
            401 credential_expired_not_renewable credential expiring within pre-flight window
            400 invalid_token path traversal not permitted
            403 operation_not_permitted POST /charge is not permitted
            403 access_denied resource upstream not configured
            413 payload_too_large request body too large
            499 internal_error client cancelled
            500 sts_unavailable signing failed
            502 sts_unavailable sts unavailable
            502 http_request_failed upstream credential
            502 internal_error upstream unreachable
            504 sts_unavailable sts timeout
            504 internal_error upstream timeout
            """;

    private static final List<Integer> STATUSES =
            List.of(400, 401, 403, 404, 408, 409, 413, 415, 429, 500, 502, 503, 504);

    /** The conflicts that mean: there is nothing to close any more. */
    private static final Set<String> TERMINAL =
            Set.of("session_lease_fenced", "session_not_live", "session_not_found_or_not_active", "already_terminated");

    private Answers() {}

    static List<Cell> all() {
        List<Cell> cells = new ArrayList<>();
        STS.lines().forEach(line -> {
            String[] words = line.split(" ", 4);
            sts(cells, Integer.parseInt(words[0]), words[1], words[2], words[3]);
        });
        COORDINATOR.lines().forEach(line -> {
            String[] columns = line.split(" *\\| *", -1);
            for (String op : columns[0].split(",", -1)) {
                for (String code : columns[3].split(",", -1)) {
                    coordinator(cells, Op.valueOf(op), Integer.parseInt(columns[1]), columns[2], code);
                }
            }
        });
        GATEWAY.lines().forEach(line -> {
            String[] words = line.split(" ", 3);
            int status = Integer.parseInt(words[0]);
            add(
                    cells,
                    Op.GATEWAY,
                    status + " " + words[1] + ": " + words[2],
                    Answer.of(status, bytes(described(words[1], words[2]))),
                    false,
                    new Expected(status + " GATEWAY " + words[1], 1, 0));
        });
        for (int status : STATUSES) {
            add(
                    cells,
                    Op.UPSTREAM,
                    status + " of the resource's own",
                    Answer.of(status, bytes("{\"error\":\"mine\"}")),
                    false,
                    new Expected(status + " UPSTREAM upstream_status", 1, 0));
            undocumented(cells, status, "garbage", Answer.of(status, bytes("}{ nonsense")));
            undocumented(cells, status, "empty", Answer.of(status, new byte[0]));
            undocumented(cells, status, "truncated", Answer.of(status, bytes("{\"error\":\"invalid_tok")));
            undocumented(
                    cells,
                    status,
                    "html",
                    Answer.of(status, bytes("<html>Bad day</html>")).as("text/html"));
        }
        for (int status : List.of(401, 403, 404, 500)) {
            byte[] huge = new byte[(1 << 20) + 1];
            Arrays.fill(huge, (byte) ' ');
            // The body of an error is not read beyond the limit; its status counts.
            undocumented(cells, status, "oversized", Answer.of(status, huge));
        }
        busyProxy(cells);
        busyForAWhile(cells);
        keys(cells);
        return cells;
    }

    /** Key sets other than the zone's: none of them lets a mandate in. */
    private static void keys(List<Cell> cells) {
        String stranger = key("stranger", Curve.P_256);
        keys(cells, "no set", "[]", Cells.unavailable("protocol_error", 1));
        keys(cells, "an empty set", set(), Cells.unavailable("protocol_error", 1));
        keys(cells, "keys of another kind", set(key("big", Curve.P_384)), Cells.unavailable("protocol_error", 1));
        keys(
                cells,
                "a key that is none",
                set(stranger.replace("\"x\"", "\"z\"")),
                Cells.unavailable("protocol_error", 1));
        keys(cells, "two keys of one id", set(stranger, stranger), Cells.unavailable("protocol_error", 1));
        keys(
                cells,
                "a key too many",
                set(Collections.nCopies(65, stranger).toArray(String[]::new)),
                Cells.unavailable("protocol_error", 1));
        keys(cells, "the keys of another zone", set(stranger), Cells.denied(Cells.UNKNOWN_KEY));
    }

    private static void keys(List<Cell> cells, String name, String set, Expected expected) {
        add(cells, Op.VERIFY, "200 " + name, Answer.of(200, bytes(set)), false, expected);
    }

    private static String set(String... keys) {
        return "{\"keys\":[" + String.join(",", keys) + "]}";
    }

    private static String key(String id, Curve curve) {
        try {
            return new ECKeyGenerator(curve).keyID(id).generate().toPublicJWK().toJSONString();
        } catch (JOSEException e) {
            throw new IllegalStateException(e);
        }
    }

    /** No service sends Retry-After, a proxy may: then, and only then, a 429 is tried again. */
    private static void busyProxy(List<Cell> cells) {
        Answer wait = Answer.of(429, bytes("slow down")).with("Retry-After", "0");
        Refused refused = new Refused(429, true, false);
        add(cells, Op.OPEN, "429 with Retry-After", wait, false, new Expected("error", "", 3, 0, refused));
        add(cells, Op.CLOSE, "429 with Retry-After", wait, false, new Expected("ok", 3, 1));
        add(cells, Op.DELEGATE, "429 with Retry-After", wait, false, new Expected("error", "", 2, 0, refused));
        add(cells, Op.RENEW, "429 with Retry-After", wait, false, new Expected("error", "", 1, 0, refused));
        add(cells, Op.EXCHANGE, "429 with Retry-After", wait, false, new Expected("error", "", 1, 0, refused));
    }

    /** The limit of a minute is over by the time of the next request: nothing stays open behind it. */
    private static void busyForAWhile(List<Cell> cells) {
        Answer limited = Answer.of(429, bytes("{\"error\":\"rate_limited\"}"));
        Refused refused = new Refused(429, true, false);
        for (Op op : List.of(Op.OPEN, Op.CLOSE, Op.DELEGATE, Op.RENEW, Op.ATTACH)) {
            Expected expected = op == Op.CLOSE
                    ? new Expected("ok", 1, 0)
                    : new Expected("rate_limited", "CoordinatorException", 2, 0, refused);
            Plan plan = new Plan(null, limited, false, op.hits, op.after, 1);
            cells.add(new Cell(op, "429 for a minute", true, plan, World.SOUND, expected));
        }
    }

    /** One attempt for each refusal, except that an ended authority on demand is obtained anew once. */
    private static void sts(List<Cell> cells, int status, String code, String type, String description) {
        String body = code.equals("interaction_required") ? """
                  {"error":"interaction_required","error_description":"%s","approval_id":"7d0e8b0a-7a0c-4b7e-9d51-0f3cf9e5b001",\
                  "approval_type":"human_approval","state":"pending","binding":"ab","approval_expires_at":"2030-01-01T00:00:00Z",\
                  "requestId":"r-1"}""".formatted(description) : described(code, description);
        boolean retryable = status == 429
                || status >= 500
                || code.equals("sts_unavailable")
                || code.equals("provider_rate_limited")
                || description.equals("policy denied");
        for (Op op : List.of(Op.EXCHANGE, Op.MINT)) {
            int attempts = op == Op.MINT && description.endsWith("inactive or expired") ? 2 : 1;
            add(
                    cells,
                    op,
                    status + " " + code + ": " + description,
                    Answer.of(status, bytes(body)),
                    false,
                    new Expected(code, type, attempts, 0, new Refused(status, retryable, false)));
        }
    }

    private static void coordinator(List<Cell> cells, Op op, int status, String shape, String code) {
        String body = switch (shape) {
            case "framework" -> described(code, "something went wrong");
            case "route" -> "{\"message\":\"Route not found\",\"error\":\"Not Found\",\"statusCode\":404}";
            case "zod" ->
                "{\"error\":\"invalid_body\",\"error_description\":\"Invalid body\",\"requestId\":\"r-1\",\"details\":"
                        + "{\"issues\":[{\"path\":[\"ttl_seconds\"],\"message\":\"too big\"}]}}";
            case "key", "applied" -> "{\"error\":\"" + code + "\",\"message\":\"so it is\",\"request_id\":\"r-1\"}";
            default -> "{\"error\":\"" + code + "\"}";
        };
        add(
                cells,
                op,
                status + " " + code + (shape.equals("applied") ? " (applied)" : ""),
                Answer.of(status, bytes(body)),
                shape.equals("applied"),
                refused(op, status, code, shape.equals("applied")));
    }

    private static Expected refused(Op op, int status, String code, boolean applied) {
        int attempts = attempts(op, status);
        boolean gone = status == 404 || (status == 409 && TERMINAL.contains(code));
        Refused refused = new Refused(
                status,
                status == 408 || status >= 500 || (status == 429 && !code.equals("session_depth_limit_exceeded")),
                status == 408 || status >= 500);
        if (op == Op.CLOSE) {
            return new Expected("ok", gone ? 1 : attempts, applied ? 0 : 1);
        }
        String lost = op == Op.RENEW ? lost(status, code) : op == Op.ATTACH ? notTaken(code) : "";
        if (!lost.isEmpty()) {
            // A session that a renewal reports as gone or fenced is not ours to end.
            boolean left = op == Op.RENEW
                    && !Set.of("expired", "unauthorized", "subject_inactive").contains(lost);
            return new Expected(
                    "lease_lost_" + lost, "LeaseLostException", attempts, left ? 1 : 0, new Refused(0, false, false));
        }
        // A session whose id was lost with the answer is left to its TTL or lease.
        boolean orphan = applied && (op == Op.OPEN || op == Op.ATTACH);
        return new Expected(code, "CoordinatorException", attempts, orphan ? 1 : 0, refused);
    }

    private static int attempts(Op op, int status) {
        return status == 401 ? 2 : status == 408 || status >= 500 ? 1 + op.retries : 1;
    }

    private static String lost(int status, String code) {
        return switch (status) {
            case 401, 403 -> "unauthorized";
            case 404 -> code.equals("session_not_found") ? "gone" : "";
            case 409 ->
                switch (code) {
                    case "session_not_live" -> "gone";
                    case "session_subject_inactive" -> "subject_inactive";
                    case "session_lease_fenced" -> "fenced";
                    case "session_lease_expired" -> "expired";
                    default -> "";
                };
            default -> "";
        };
    }

    private static String notTaken(String code) {
        return switch (code) {
            case "session_suspended" -> "suspended";
            case "session_lease_expired" -> "expired";
            default -> "";
        };
    }

    /** A body without the service's own words: the status alone counts, and no lease is lost by it. */
    private static void undocumented(List<Cell> cells, int status, String what, Answer answer) {
        String name = status + " " + what;
        Refused sts = new Refused(status, status == 408 || status == 429 || status >= 500, false);
        add(cells, Op.EXCHANGE, name, answer, false, new Expected("error", "StsException", 1, 0, sts));
        for (Op op : List.of(Op.OPEN, Op.CLOSE, Op.RENEW)) {
            Refused coordinator = new Refused(
                    status, status == 408 || status == 429 || status >= 500, status == 408 || status >= 500);
            boolean closed = op == Op.CLOSE;
            add(
                    cells,
                    op,
                    name,
                    answer,
                    false,
                    closed
                            ? new Expected("ok", attempts(op, status), 1)
                            : new Expected("error", "CoordinatorException", attempts(op, status), 0, coordinator));
        }
        add(cells, Op.GATEWAY, name, answer, false, new Expected(status + " GATEWAY error", 1, 0));
        add(cells, Op.VERIFY, name, answer, false, Cells.unavailable("protocol_error", 1));
    }

    private static void add(List<Cell> cells, Op op, String name, Answer answer, boolean forwards, Expected expected) {
        if (op.where == Where.UPSTREAM && forwards) {
            throw new IllegalArgumentException(name);
        }
        Plan plan = new Plan(null, answer, forwards, op.hits, op.after, Integer.MAX_VALUE);
        cells.add(new Cell(op, name, false, plan, World.SOUND, expected));
    }

    private static String described(String code, String description) {
        return "{\"error\":\"" + code + "\",\"error_description\":\"" + description + "\",\"requestId\":\"r-1\"}";
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
