package run.caracal.internal.wire;

import java.net.URI;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import run.caracal.http.HttpRequest;
import run.caracal.internal.Headers;
import run.caracal.internal.UserAgent;
import run.caracal.internal.json.Json;

/**
 * The calls of the Coordinator as HTTP requests. A content type goes with a body only: the platform refuses either without
 * the other.
 */
public final class CoordinatorRequests {
    /** The maximum size of an answer. */
    public static final int MAX_RESPONSE_BYTES = Json.MAX_BYTES;

    private final String base;

    public CoordinatorRequests(URI base) {
        this.base = Urls.base(base);
    }

    public HttpRequest open(OpenSession session, CallHeaders call) {
        Map<String, String> headers = headers(call);
        String key = session.idempotencyKey;
        if (!session.isKeyGenerated()) {
            putKey(headers, key);
        } else if (key != null && !key.isEmpty()) {
            headers.put(Headers.IDEMPOTENCY_KEY, key);
            headers.put(Headers.IDEMPOTENCY_KEY_KIND, "generated");
        }
        return request("POST", agents(session.zoneId), headers, session.body(), call);
    }

    /** Ends a session; a service names the generation of its lease. */
    public HttpRequest terminate(String zoneId, String sessionId, @Nullable Long leaseGeneration, CallHeaders call) {
        Map<String, Object> body = leaseGeneration == null ? null : Map.of("lease_generation", leaseGeneration);
        return request("DELETE", agent(zoneId, sessionId), headers(call), body, call);
    }

    public HttpRequest heartbeat(
            String zoneId, String sessionId, String status, @Nullable Long leaseGeneration, CallHeaders call) {
        Map<String, Object> body = new LinkedHashMap<>();
        body.put("status", status);
        if (leaseGeneration != null) {
            body.put("lease_generation", leaseGeneration);
        }
        return request("POST", agent(zoneId, sessionId) + "/heartbeat", headers(call), body, call);
    }

    /** Takes over a lease, which fences the older holder. */
    public HttpRequest attach(String zoneId, String sessionId, CallHeaders call) {
        return request("POST", agent(zoneId, sessionId) + "/lease", headers(call), null, call);
    }

    public HttpRequest delegate(CreateDelegation delegation, CallHeaders call) {
        Map<String, String> headers = headers(call);
        putKey(headers, delegation.idempotencyKey);
        return request("POST", delegations(delegation.zoneId), headers, delegation.body(), call);
    }

    /** Revokes a delegation and everything derived from it. */
    public HttpRequest revoke(String zoneId, String edgeId, CallHeaders call) {
        String path = delegations(zoneId) + "/" + Urls.segment("delegationEdgeId", edgeId) + "/revoke";
        return request("PATCH", path, headers(call), null, call);
    }

    /** Checks that a delegation is active and addressed to a session of the caller. */
    public HttpRequest inbound(String zoneId, String sessionId, String edgeId, CallHeaders call) {
        String path = delegations(zoneId) + "/inbound/" + Urls.segment("agentSessionId", sessionId) + "/"
                + Urls.segment("delegationEdgeId", edgeId);
        return request("GET", path, headers(call), null, call);
    }

    private static String agents(String zoneId) {
        return "/zones/" + Urls.segment("zoneId", zoneId) + "/agents";
    }

    private static String agent(String zoneId, String sessionId) {
        return agents(zoneId) + "/" + Urls.segment("agentSessionId", sessionId);
    }

    private static String delegations(String zoneId) {
        return "/zones/" + Urls.segment("zoneId", zoneId) + "/delegations";
    }

    private static Map<String, String> headers(CallHeaders call) {
        Map<String, String> headers = new HashMap<>();
        headers.put(Headers.ACCEPT, Headers.JSON);
        headers.put(Headers.AUTHORIZATION, call.authorization());
        headers.put(UserAgent.HEADER, UserAgent.VALUE);
        if (call.traceparent() != null) {
            headers.put(Headers.TRACEPARENT, call.traceparent());
        }
        if (call.tracestate() != null) {
            headers.put(Headers.TRACESTATE, call.tracestate());
        }
        return headers;
    }

    private static void putKey(Map<String, String> headers, @Nullable String key) {
        if (key != null && !key.isEmpty()) {
            headers.put(
                    Headers.IDEMPOTENCY_KEY,
                    IdempotencyKeys.headerValue(IdempotencyKeys.require("idempotencyKey", key)));
        }
    }

    private HttpRequest request(
            String method,
            String path,
            Map<String, String> headers,
            @Nullable Map<String, ? extends @Nullable Object> body,
            CallHeaders call) {
        byte[] bytes = null;
        if (body != null) {
            headers.put(Headers.CONTENT_TYPE, Headers.JSON);
            bytes = Json.write("body", body);
        }
        return new HttpRequest(method, URI.create(base + path), headers, bytes, call.timeout(), MAX_RESPONSE_BYTES);
    }
}
