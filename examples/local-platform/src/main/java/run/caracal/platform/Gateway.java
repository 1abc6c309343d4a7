package run.caracal.platform;

import io.netty.buffer.ByteBuf;
import io.netty.handler.codec.http.HttpHeaders;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.timeout.ReadTimeoutException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.HexFormat;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;
import reactor.netty.ByteBufFlux;
import reactor.netty.http.client.HttpClient;
import reactor.netty.http.client.HttpClientResponse;

/** The proxy in front of the protected resources: checks the bearer, exchanges it, forwards the call, and audits it. */
final class Gateway {

    private static final Pattern REQUEST_ID = Pattern.compile("[\\x21-\\x7e]{1,128}");
    private static final Pattern ID = Pattern.compile("[A-Za-z0-9._:-]{1,128}");
    /** The methods that Go's client sends without a body if there is none; with any other it sends an empty one. */
    private static final Set<String> BODILESS = Set.of("GET", "HEAD", "DELETE", "OPTIONS", "PROPFIND", "SEARCH");

    private final Zone zone;
    private final Sessions sessions;
    private final Delegations delegations;
    private final TokenService tokens;
    private final HttpClient client;
    private final String defaultUpstream;
    private final Map<String, Instant> spent = new ConcurrentHashMap<>();
    private final AtomicLong spentOnce = new AtomicLong();
    private final AtomicLong replays = new AtomicLong();

    Gateway(
            Zone zone,
            Sessions sessions,
            Delegations delegations,
            TokenService tokens,
            HttpClient client,
            String defaultUpstream) {
        this.zone = zone;
        this.sessions = sessions;
        this.delegations = delegations;
        this.tokens = tokens;
        this.client = client.followRedirect(false).disableRetry(true).responseTimeout(zone.limits.upstreamTimeout);
        this.defaultUpstream = defaultUpstream;
    }

    /** A call that has passed the Gateway's own checks. */
    private record Admitted(Mandate mandate, String bearer, String resourceId, String path) {
        @Override
        public String toString() {
            return resourceId + path;
        }
    }

    Mono<Void> handle(Call call) {
        String requestId = call.header("x-request-id")
                .filter(id -> REQUEST_ID.matcher(id).matches())
                .orElseGet(Ids::random);
        Optional<Answer> own = ownAnswer(call);
        if (own.isPresent()) {
            return call.send(own.get().with("X-Request-Id", requestId));
        }
        AtomicBoolean answering = new AtomicBoolean();
        return Mono.defer(() -> {
                    Admitted admitted = admit(call, requestId);
                    return tokens.exchangeForResource(
                                    admitted.mandate(),
                                    admitted.resourceId(),
                                    call.method(),
                                    admitted.path(),
                                    requestId)
                            .flatMap(token -> forward(call, admitted, token, requestId, answering));
                })
                .onErrorResume(
                        Refusal.class,
                        refusal -> answering.get()
                                ? call.abort()
                                : call.send(Answer.error(refusal, requestId).with("X-Request-Id", requestId)));
    }

    /** The Gateway's own answers: its own routes, and the redirect of a path that is not clean. */
    private static Optional<Answer> ownAnswer(Call call) {
        String path = call.path();
        return switch (path) {
            case "/health", "/ready" -> Optional.of(Answer.empty(200));
            case "/metrics", "/metrics.json" -> Optional.of(Answer.text(401, "Unauthorized\n"));
            case "/internal/revocations/reload" ->
                call.method().equals("POST") ? Optional.of(GoMux.notFound()) : Optional.empty();
            default -> GoMux.redirect(call);
        };
    }

    /** A removed mandate is not counted again: it has expired, and is rejected before it is counted. */
    BearersSeen bearersSeen() {
        return new BearersSeen(spentOnce.get(), replays.get());
    }

    void forgetSpent() {
        Instant now = zone.now();
        spent.values().removeIf(expiry -> now.isAfter(expiry.plusSeconds(60)));
    }

    /** The checks before the exchange, in the platform's order. */
    private Admitted admit(Call call, String requestId) {
        String bearer = call.header("authorization")
                .flatMap(Bearer::of)
                .orElseThrow(() -> refused(401, "invalid_token", "missing bearer token"));
        if (bearer.length() > zone.limits.bearerBytes) {
            throw refused(401, "invalid_token", "bearer token too large");
        }
        Mandate claimed = unverified(bearer);
        Duration left = Duration.between(zone.now(), claimed.expiresAt());
        if (left.compareTo(zone.limits.gatewayRemainingLife) < 0) {
            throw refused(401, "credential_expired_not_renewable", "credential expiring within pre-flight window");
        }
        if (call.header("x-caracal-client-id").filter(id -> !id.isBlank()).isPresent()) {
            throw refused(400, "invalid_token", "client identity derives from the bearer token");
        }
        String resourceId = call.header("x-caracal-resource").orElse("").strip();
        if (resourceId.isEmpty()) {
            throw refused(400, "invalid_token", "missing routing headers");
        }
        if (!ID.matcher(claimed.zoneId()).matches()) {
            throw refused(401, "invalid_token", "missing token zone");
        }
        if (!ID.matcher(claimed.applicationId()).matches()) {
            throw refused(401, "invalid_token", "missing token client");
        }
        if (UpstreamUrl.traverses(call.path())) {
            throw refused(400, "invalid_token", "path traversal not permitted");
        }
        Mandate mandate =
                zone.keys.verify(bearer).orElseThrow(() -> refused(401, "invalid_token", "bearer signature invalid"));
        spend(mandate, bearer, requestId);
        if (isRevoked(mandate)) {
            throw refused(401, "invalid_token", "session revoked");
        }
        return new Admitted(mandate, bearer, resourceId, UpstreamUrl.decoded(call.path()));
    }

    private static Mandate unverified(String bearer) {
        String[] parts = bearer.split("\\.", -1);
        if (parts.length == 3) {
            try {
                Mandate claimed =
                        new Mandate(Json.parseObject(Base64.getUrlDecoder().decode(parts[1])));
                if (claimed.claims().get("exp") instanceof Long) {
                    return claimed;
                }
            } catch (IllegalArgumentException | Json.InvalidJson e) {
                throw refused(401, "invalid_token", "malformed bearer token");
            }
        }
        throw refused(401, "invalid_token", "malformed bearer token");
    }

    /** Consumes a one-shot mandate, with any outcome of its call. */
    private void spend(Mandate mandate, String bearer, String requestId) {
        String id = mandate.text("jti");
        if (mandate.use().equals(Mandate.USE_SESSION) || id.isEmpty()) {
            return;
        }
        if (spent.putIfAbsent(id, mandate.expiresAt()) == null) {
            spentOnce.incrementAndGet();
        } else {
            replays.incrementAndGet();
            Map<String, @Nullable Object> metadata = Json.object();
            metadata.put("client_id", mandate.applicationId());
            metadata.put("request_id", requestId);
            metadata.put("subject_fp", fingerprint(bearer));
            zone.audit("replay_detected", requestId, Policy.DENY, "anomaly", null, metadata);
            throw refused(401, "invalid_token", "token replay detected");
        }
    }

    private boolean isRevoked(Mandate mandate) {
        String session = mandate.text("agent_session_id");
        String delegation = mandate.text("delegation_edge_id");
        return zone.isRevoked(mandate.authorityRecordId())
                || zone.isRevoked(mandate.text("root_sid"))
                || (!session.isEmpty() && sessions.hasEnded(session))
                || (!delegation.isEmpty() && delegations.isRevoked(delegation));
    }

    /** Whether an in-flight answer is truncated; the end of a session alone does not truncate its answers. */
    private boolean isCut(Mandate mandate) {
        return zone.isRevoked(mandate.authorityRecordId())
                || zone.isRevoked(mandate.text("root_sid"))
                || delegations.isWithdrawn(mandate.text("delegation_edge_id"));
    }

    private Mono<Void> forward(
            Call call, Admitted admitted, IssuedToken token, String requestId, AtomicBoolean answering) {
        ProtectedResource resource = zone.resources.get(admitted.resourceId());
        if (resource == null) {
            throw refused(403, "access_denied", "resource upstream not configured");
        }
        String upstream = resource.upstream() == null ? defaultUpstream : resource.upstream();
        HttpHeaders headers = ForwardedHeaders.toUpstream(call, requestId, token.accessToken());
        Outcome outcome = new Outcome(
                call,
                admitted,
                requestId,
                ForwardedHeaders.traceId(headers),
                URI.create(upstream).getRawAuthority());
        if (!UpstreamUrl.isAddressable(upstream)) {
            outcome.failed("upstream_rejected", 502, "upstream_rejected");
            throw refused(502, "internal_error", "upstream not addressable");
        }
        URI target;
        try {
            target = UpstreamUrl.of(upstream, admitted.path(), call.query());
        } catch (IllegalArgumentException e) {
            outcome.failed("build_failed", 400, "build_failed");
            throw refused(400, "internal_error", "upstream request build failed");
        }
        long secondsLeft =
                Duration.between(zone.now(), admitted.mandate().expiresAt()).toSeconds();
        AtomicReference<@Nullable Executor> loop = new AtomicReference<>();
        AtomicBoolean cancelled = new AtomicBoolean();
        boolean asksForGzip = headers.contains("accept-encoding")
                || headers.contains("range")
                || call.method().equals("HEAD");
        return (asksForGzip ? client : client.compress(true))
                .request(HttpMethod.valueOf(call.method()))
                .uri(target)
                .send((request, outbound) -> {
                    outbound.withConnection(
                            connection -> loop.set(connection.channel().eventLoop()));
                    if (cancelled.get()) {
                        return Mono.never(); // the pending cancel closes the connection
                    }
                    request.requestHeaders()
                            .remove("accept")
                            .set("User-Agent", "Go-http-client/1.1")
                            .setAll(headers);
                    if (call.hasBody()) {
                        return outbound.send(limited(call.bodyStream()));
                    }
                    return BODILESS.contains(call.method()) ? outbound : outbound.send(Flux.empty());
                })
                .response((response, content) -> {
                    answering.set(true);
                    return relay(call, admitted.mandate(), response, content, requestId, secondsLeft, outcome);
                })
                .then()
                .doOnCancel(() -> outcome.failed("upstream_error", 499, "client_cancelled"))
                // On another thread a cancel may race with the arrival of the answer, which Reactor Netty would leak.
                .cancelOn(Schedulers.fromExecutor(task -> {
                    cancelled.set(true);
                    Objects.requireNonNullElse(loop.get(), (Executor) Runnable::run)
                            .execute(task);
                }))
                .onErrorMap(failure -> failed(failure, outcome));
    }

    private Flux<ByteBuf> limited(Flux<ByteBuf> body) {
        return Flux.defer(() -> {
            AtomicLong size = new AtomicLong();
            return body.handle((piece, sink) -> {
                if (size.addAndGet(piece.readableBytes()) > zone.limits.gatewayBodyBytes) {
                    sink.error(refused(413, "payload_too_large", "request body too large"));
                } else {
                    sink.next(piece.retain());
                }
            });
        });
    }

    /**
     * Streams the answer until the mandate of its call is revoked. The audit log has the event before the client has the end of
     * the answer.
     */
    private Mono<Void> relay(
            Call call,
            Mandate mandate,
            HttpClientResponse response,
            ByteBufFlux content,
            String requestId,
            long secondsLeft,
            Outcome outcome) {
        int status = response.status().code();
        HttpHeaders headers = ForwardedHeaders.toClient(response.responseHeaders(), requestId, secondsLeft);
        long announced = Long.parseLong(response.responseHeaders().get("content-length", "-1"));
        if (call.method().equals("HEAD") || status == 204 || status == 304 || announced == 0) {
            return content.then().then(Mono.defer(() -> {
                outcome.answered(status, 0, false);
                return call.head(status, headers);
            }));
        }
        AtomicLong size = new AtomicLong();
        AtomicBoolean cut = new AtomicBoolean();
        Flux<ByteBuf> relayed = content.retain()
                .<ByteBuf>handle((piece, sink) -> {
                    if (!isCut(mandate)) {
                        if (size.addAndGet(piece.readableBytes()) == announced) {
                            outcome.answered(status, announced, false);
                        }
                        sink.next(piece);
                        return;
                    }
                    piece.release();
                    cut.set(true);
                    outcome.answered(status, size.get(), true);
                    if (announced < 0) {
                        sink.complete();
                    } else {
                        // With an announced length, only closing the connection can signal the truncation.
                        sink.error(refused(401, "invalid_token", "session revoked"));
                    }
                })
                .doOnComplete(() -> outcome.answered(status, size.get(), false));
        return call.stream(status, headers, relayed, trailers -> {
            if (cut.get()) {
                trailers.set(ForwardedHeaders.REVOKED, "true");
            }
        });
    }

    private static Throwable failed(Throwable failure, Outcome outcome) {
        if (failure instanceof Refusal refusal) {
            outcome.failed("upstream_error", refusal.status, refusal.code);
            return refusal;
        }
        if (failure instanceof ReadTimeoutException) {
            outcome.failed("upstream_error", 504, "upstream_timeout");
            return refused(504, "internal_error", "upstream timeout");
        }
        outcome.failed("upstream_error", 502, "upstream_unreachable");
        return refused(502, "internal_error", "upstream unreachable");
    }

    private static Refusal refused(int status, String code, String description) {
        return new Refusal(status, code, description);
    }

    /** Writes one audit event of a forwarded call, when its outcome is known. */
    private final class Outcome {
        private final Call call;
        private final Admitted admitted;
        private final String requestId;
        private final String traceId;
        private final String upstreamHost;
        private final Instant begun = zone.now();
        private final AtomicBoolean written = new AtomicBoolean();

        Outcome(Call call, Admitted admitted, String requestId, String traceId, String upstreamHost) {
            this.call = call;
            this.admitted = admitted;
            this.requestId = requestId;
            this.traceId = traceId;
            this.upstreamHost = upstreamHost;
        }

        void answered(int status, long bytes, boolean cut) {
            Map<String, @Nullable Object> metadata = metadata(status);
            metadata.put("upstream_status", status);
            metadata.put("result_class", resultClass(status));
            metadata.put("response_bytes", bytes);
            if (cut) {
                metadata.put("revocation_interrupted", true);
            }
            write("executed", metadata);
        }

        void failed(String evaluationStatus, int gatewayStatus, String errorKind) {
            Map<String, @Nullable Object> metadata = metadata(gatewayStatus);
            metadata.put("error_kind", errorKind);
            write(evaluationStatus, metadata);
        }

        private Map<String, @Nullable Object> metadata(int gatewayStatus) {
            Map<String, @Nullable Object> metadata = Json.object();
            metadata.put("application_id", admitted.mandate().applicationId());
            metadata.put("resource", admitted.resourceId());
            metadata.put("subject_fingerprint", fingerprint(admitted.bearer()));
            metadata.put("method", call.method());
            metadata.put("gateway_status", gatewayStatus);
            metadata.put("latency_ms", Duration.between(begun, zone.now()).toMillis());
            metadata.put("trace_id", traceId);
            metadata.put("subject_kind", "application");
            metadata.put("upstream_host", upstreamHost);
            metadata.put("auth_mode", "caracal_jwt");
            metadata.put("provider_id", "provider-local");
            return metadata;
        }

        private void write(String evaluationStatus, Map<String, @Nullable Object> metadata) {
            if (written.compareAndSet(false, true)) {
                zone.audit("gateway_resource_request", requestId, Policy.ALLOW, evaluationStatus, null, metadata);
            }
        }

        private static String resultClass(int status) {
            if (status < 300) {
                return "success";
            }
            if (status < 400) {
                return "redirect";
            }
            return status < 500 ? "client_error" : "server_error";
        }
    }

    private static String fingerprint(String bearer) {
        try {
            byte[] hash = MessageDigest.getInstance("SHA-256").digest(bearer.getBytes(StandardCharsets.UTF_8));
            return HexFormat.of().formatHex(hash, 0, 8);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }
}
