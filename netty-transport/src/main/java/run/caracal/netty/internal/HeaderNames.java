package run.caracal.netty.internal;

import run.caracal.GatewayRequest;

/** The headers that a decorated client reads and edits. */
public final class HeaderNames {
    /** Names the resource to the Gateway. */
    public static final String RESOURCE = GatewayRequest.RESOURCE_HEADER;

    /** Joins a call and its traces in the audit log. */
    public static final String REQUEST_ID = "X-Request-Id";

    static final String AUTHORIZATION = "Authorization";
    static final String TRACEPARENT = "traceparent";
    static final String TRACESTATE = "tracestate";
    static final String BAGGAGE = "baggage";

    private HeaderNames() {}
}
