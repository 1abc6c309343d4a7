package run.caracal.internal.wire;

import java.net.URI;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import run.caracal.http.HttpRequest;
import run.caracal.internal.Headers;
import run.caracal.internal.UserAgent;

/** The calls of the STS as HTTP requests. */
public final class StsRequests {
    private final String base;
    private final URI token;

    public StsRequests(URI base) {
        this.base = Urls.base(base);
        this.token = URI.create(this.base + "/oauth/2/token");
    }

    /**
     * Exchanges credentials for a token.
     *
     * @param requestId the id to find the call by in the platform's audit, or {@code null} to let the STS make one
     * @param traceparent the trace to which the call belongs, or {@code null} for one that many wait for
     */
    public HttpRequest token(
            TokenForm form, @Nullable String requestId, @Nullable String traceparent, Duration timeout) {
        Map<String, String> headers = new LinkedHashMap<>();
        headers.put(Headers.ACCEPT, Headers.JSON);
        headers.put(UserAgent.HEADER, UserAgent.VALUE);
        headers.put(Headers.CONTENT_TYPE, "application/x-www-form-urlencoded");
        if (requestId != null && CallHeaders.isToken(requestId)) {
            headers.put(Headers.REQUEST_ID, requestId);
        }
        if (traceparent != null) {
            headers.put(Headers.TRACEPARENT, traceparent);
        }
        return new HttpRequest("POST", token, headers, form.encode(), timeout, CoordinatorRequests.MAX_RESPONSE_BYTES);
    }

    /**
     * Asks for the state of an approval, waiting for a change.
     *
     * @param wait how long the STS shall wait; it cuts this to 25 s
     * @param timeout how long the call may take, longer than {@code wait}
     */
    public HttpRequest approval(String approvalId, Duration wait, Duration timeout) {
        String path = "/approvals/" + Urls.segment("approvalId", approvalId) + "?wait=" + wait.toSeconds();
        return new HttpRequest(
                "GET",
                URI.create(base + path),
                Map.of(Headers.ACCEPT, Headers.JSON, UserAgent.HEADER, UserAgent.VALUE),
                null,
                timeout,
                CoordinatorRequests.MAX_RESPONSE_BYTES);
    }

    /** Where the public keys of a zone are. */
    public URI jwks(String zoneId) {
        return URI.create(base + "/.well-known/jwks.json?zone_id=" + Urls.segment("zoneId", zoneId));
    }
}
