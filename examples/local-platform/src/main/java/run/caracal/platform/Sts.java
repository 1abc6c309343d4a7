package run.caracal.platform;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;
import run.caracal.platform.Zone.Application;

/** The HTTP interface of the STS: checks of requests, client authentication, and the form of answers. */
final class Sts {

    private static final String GRANT_TYPE = "urn:ietf:params:oauth:grant-type:token-exchange";
    private static final String ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token";
    private static final String ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token";
    private static final List<String> NOT_FOR_FEDERATION =
            List.of("resource", "scope", "session_id", "agent_session_id", "delegation_edge_id", "approval_id");

    private static final Pattern APPROVAL = Pattern.compile("/approvals/([^/]+)(/decision)?");
    private static final String SCHEME = "Bearer ";
    private static final int REASON_BYTES = 500;

    private final Zone zone;
    private final TokenService tokens;
    private final Approvals approvals;
    private final SecretThrottle throttle;

    Sts(Zone zone, TokenService tokens, Approvals approvals) {
        this.zone = zone;
        this.tokens = tokens;
        this.approvals = approvals;
        this.throttle = new SecretThrottle(zone.limits);
    }

    Mono<Answer> answer(Call call) {
        return GoMux.redirect(call).map(Mono::just).orElseGet(() -> routed(call));
    }

    private Mono<Answer> routed(Call call) {
        return switch (call.path()) {
            case "/oauth/2/token" -> allowed(call, "POST", token(call));
            case "/.well-known/jwks.json" -> allowed(call, "GET", Mono.fromSupplier(() -> jwks(call)));
            case "/health", "/ready" -> allowed(call, "GET", Mono.just(Answer.empty(200)));
            default -> approval(call);
        };
    }

    private Mono<Answer> approval(Call call) {
        Matcher matcher = APPROVAL.matcher(call.path());
        if (!matcher.matches()) {
            return Mono.just(GoMux.notFound());
        }
        return matcher.group(2) == null
                ? allowed(call, "GET", awaitApproval(call, matcher.group(1)))
                : allowed(call, "POST", decideApproval(call, matcher.group(1)));
    }

    /** A user of the waiting application decides. Unlike those of the token route, the errors name no request. */
    private Mono<Answer> decideApproval(Call call, String approvalId) {
        return Mono.fromSupplier(() -> {
                    String authorization = call.header("authorization").orElse("");
                    if (!authorization.startsWith(SCHEME)) {
                        return Answer.error(new Refusal(401, "invalid_token", "session mandate required"), null)
                                .with("WWW-Authenticate", "Bearer realm=\"caracal-sts\"");
                    }
                    approvals.checkKnown(approvalId);
                    Mandate user = tokens.user(authorization.substring(SCHEME.length()));
                    if (call.body().tooLarge()) {
                        throw new Refusal(413, "payload_too_large", "request body too large");
                    }
                    Decision decision = Decision.read(call.body().bytes());
                    return Answer.json(
                            200,
                            approvalJson(approvals.decideAs(
                                    user, approvalId, decision.binding(), decision.approved(), requestId(call))));
                })
                .onErrorResume(Refusal.class, refusal -> Mono.just(Answer.error(refusal, null)));
    }

    private record Decision(boolean approved, String binding) {
        static Decision read(byte[] json) {
            Map<String, @Nullable Object> body;
            try {
                body = Json.parseObject(json);
            } catch (Json.InvalidJson e) {
                throw invalid("malformed request body");
            }
            if (!(body.get("decision") instanceof String decision)
                    || !Set.of("approved", "rejected").contains(decision)) {
                throw invalid("decision must be approved or rejected");
            }
            if (!(body.get("binding") instanceof String binding) || binding.isEmpty()) {
                throw invalid("binding is required");
            }
            if (body.containsKey("reason")
                    && !(body.get("reason") instanceof String reason
                            && reason.getBytes(StandardCharsets.UTF_8).length <= REASON_BYTES)) {
                throw invalid("reason must be at most " + REASON_BYTES + " bytes");
            }
            return new Decision(decision.equals("approved"), binding);
        }
    }

    /** Any caller with an approval's id may query its state, and wait for the decision. */
    private Mono<Answer> awaitApproval(Call call, String approvalId) {
        String wait = call.queryFields().first("wait");
        if (!wait.matches("[0-9]{0,9}")) {
            return Mono.just(Answer.error(new Refusal(400, "invalid_token", "invalid wait"), null));
        }
        Duration asked = Duration.ofSeconds(wait.isEmpty() ? 0 : Long.parseLong(wait));
        Duration longest = zone.limits.approvalWait;
        return approvals
                .await(approvalId, asked.compareTo(longest) < 0 ? asked : longest)
                .map(approval -> Answer.json(200, approvalJson(approval)))
                .defaultIfEmpty(Answer.error(new Refusal(404, "resource_not_found", "approval not found"), null));
    }

    private static Map<String, @Nullable Object> approvalJson(ApprovalSnapshot approval) {
        Map<String, @Nullable Object> json = Json.object();
        json.put("id", approval.id());
        json.put("state", approval.state());
        json.put("expires_at", InteractionRequired.expiry(approval));
        return json;
    }

    private static Mono<Answer> allowed(Call call, String method, Mono<Answer> answer) {
        return GoMux.takes(method, call.method()) ? answer : Mono.just(GoMux.methodNotAllowed(method));
    }

    private Answer jwks(Call call) {
        String zoneId = call.queryFields().first("zone_id");
        if (zoneId.isEmpty()) {
            return Answer.error(new Refusal(400, "invalid_token", "zone_id required"), null);
        }
        if (!zoneId.equals(zone.id)) {
            return Answer.error(new Refusal(404, "resource_not_found", "zone signing key not found"), null);
        }
        return Answer.json(200, zone.keys.jwks())
                .with("Cache-Control", "public, max-age=300, must-revalidate")
                .with("X-Content-Type-Options", "nosniff");
    }

    private Mono<Answer> token(Call call) {
        String requestId = requestId(call);
        return Mono.defer(() -> exchange(call, requestId))
                .map(issued -> Answer.json(200, issued.toJson()))
                .onErrorResume(Refusal.class, refusal -> Mono.just(Answer.error(refusal, requestId)))
                .onErrorResume(InteractionRequired.class, held -> Mono.just(held.answer(requestId)))
                .map(answer -> answer.with("X-Request-Id", requestId));
    }

    private String requestId(Call call) {
        return call.header("x-request-id").filter(id -> !id.isEmpty()).orElseGet(() -> Ids.timeOrdered(zone.now()));
    }

    private Mono<IssuedToken> exchange(Call call, String requestId) {
        Form form = form(call);
        long ttl = ttl(form);
        checkTerms(call, form);
        Application application = authenticated(form);
        if (form.first("subject_token_type").equals(ID_TOKEN)) {
            checkFederation(form);
            return tokens.federate(application.id(), form.first("subject_token"), ttl, requestId);
        }
        Set<String> resources =
                form.all("resource").stream().map(String::strip).collect(Collectors.toCollection(TreeSet::new));
        if (resources.isEmpty()) {
            throw invalid("at least one resource is required");
        }
        return tokens.issue(new TokenRequest(
                application.id(),
                List.copyOf(resources),
                form.first("scope"),
                ttl,
                emptyIsNull(form.first("session_id")),
                emptyIsNull(form.first("agent_session_id")),
                emptyIsNull(form.first("delegation_edge_id")),
                emptyIsNull(form.first("subject_token")),
                emptyIsNull(form.first("approval_id")),
                requestId));
    }

    /** The checks before the form is parsed, in the platform's order. */
    private static Form form(Call call) {
        if (call.query() != null) {
            throw invalid("query parameters are not allowed");
        }
        String contentType = call.header("content-type").orElse("");
        int parameters = contentType.indexOf(';');
        String mediaType = parameters < 0 ? contentType : contentType.substring(0, parameters);
        if (!mediaType.strip().toLowerCase(Locale.ROOT).equals("application/x-www-form-urlencoded")) {
            throw new Refusal(415, "invalid_token", "application/x-www-form-urlencoded content type is required");
        }
        if (call.body().tooLarge()) {
            throw new Refusal(413, "payload_too_large", "request body too large");
        }
        Form form = decoded(call.body().text());
        form.fields().forEach((name, values) -> {
            if (values.size() > 1 && !name.equals("resource")) {
                throw invalid("duplicate form field: " + name);
            }
        });
        if (form.has("actor_token")) {
            throw invalid("actor_token is not supported: authenticate the acting application with its own client"
                    + " credentials");
        }
        if (form.has("client_assertion") || form.has("client_assertion_type")) {
            throw invalid("client_assertion is not supported: use client_secret");
        }
        return form;
    }

    /** The checks of the form, in the platform's order. */
    private static void checkTerms(Call call, Form form) {
        for (Map.Entry<String, String> header : call.requestHeaders()) {
            if (header.getKey().toLowerCase(Locale.ROOT).startsWith("x-caracal-gateway-")) {
                throw new Refusal(401, "access_denied", "invalid gateway exchange signature");
            }
        }
        if (form.all("resource").stream().anyMatch(String::isBlank)) {
            throw invalid("resource must not be empty");
        }
        if (!form.first("grant_type").equals(GRANT_TYPE)) {
            throw invalid("unsupported grant_type");
        }
        String subjectType = form.first("subject_token_type");
        if (!Set.of("", ACCESS_TOKEN, ID_TOKEN).contains(subjectType)) {
            throw invalid("unsupported subject_token_type");
        }
        if (subjectType.isEmpty() && !form.first("subject_token").isEmpty()) {
            throw invalid("subject_token_type is required with subject_token");
        }
        if (!subjectType.isEmpty() && form.first("subject_token").isEmpty()) {
            throw invalid("subject_token is required with subject_token_type");
        }
    }

    private Application authenticated(Form form) {
        String applicationId = form.first("application_id").strip();
        String zoneId = form.first("zone_id").strip();
        if (throttle.blocks(applicationId, zone.now())) {
            throw new Refusal(429, "provider_rate_limited", "authentication rate limit exceeded");
        }
        Application application = zone.applications.get(applicationId);
        if (application == null || zoneId.isEmpty() || !application.hasSecret(form.first("client_secret"))) {
            throttle.failed(applicationId, zone.now());
            throw new Refusal(401, "access_denied", "invalid client credentials");
        }
        if (!zoneId.equals(zone.id)) {
            throw new Refusal(
                    403,
                    "zone_invalid",
                    "application is registered in zone " + zone.id + " but the request targeted zone " + zoneId
                            + "; use credentials issued for the targeted zone or correct the zone_id");
        }
        return application;
    }

    private static void checkFederation(Form form) {
        if (NOT_FOR_FEDERATION.stream().anyMatch(form::has)) {
            throw invalid(
                    "a subject federation exchange carries only the identity token: no resources, scopes, session,"
                            + " delegation, or challenge parameters");
        }
    }

    private static Form decoded(String body) {
        try {
            return Form.parse(body);
        } catch (IllegalArgumentException e) {
            throw invalid("malformed request body");
        }
    }

    private static long ttl(Form form) {
        String ttl = form.first("ttl_seconds");
        try {
            return ttl.isEmpty() ? 0 : Long.parseLong(ttl);
        } catch (NumberFormatException e) {
            throw invalid("invalid ttl_seconds");
        }
    }

    private static @Nullable String emptyIsNull(String value) {
        return value.isEmpty() ? null : value;
    }

    private static Refusal invalid(String description) {
        return new Refusal(400, "invalid_token", description);
    }
}
