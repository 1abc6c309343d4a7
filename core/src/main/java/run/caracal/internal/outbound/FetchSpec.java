package run.caracal.internal.outbound;

import java.time.Duration;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import run.caracal.http.TransportOptions;

/**
 * A call of a protected resource that the SDK sends.
 *
 * @param resource the resource
 * @param path the path at the resource, with the query
 * @param method the HTTP method
 * @param headers the headers that the caller has set
 * @param body the body, not changed any more
 * @param transport how it gets its identity
 * @param approvalId the approval that is presented
 * @param requestId the id by which the audit log finds it; {@code null} for a fresh one
 * @param timeout how long the exchange may take
 * @param maxResponseBytes how large the answer may be
 */
@SuppressWarnings("ArrayRecordComponent") // a copy of its own, which nobody changes
public record FetchSpec(
        String resource,
        String path,
        String method,
        Map<String, String> headers,
        byte @Nullable [] body,
        TransportOptions transport,
        @Nullable String approvalId,
        @Nullable String requestId,
        Duration timeout,
        int maxResponseBytes) {}
