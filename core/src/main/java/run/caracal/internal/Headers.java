package run.caracal.internal;

import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** The headers of the platform and of its calls. */
public final class Headers {
    /** Carries the bearer. */
    public static final String AUTHORIZATION = "Authorization";

    /** Stands before the token in {@link #AUTHORIZATION}. */
    public static final String BEARER = "Bearer ";

    /** Names the resource to the Gateway. */
    public static final String RESOURCE = "X-Caracal-Resource";

    /** The Gateway adds it exactly when the upstream answered. */
    public static final String UPSTREAM_ANSWERED = "X-Caracal-Token-Expires-In";

    /** Joins a call and its traces in the audit log. */
    public static final String REQUEST_ID = "X-Request-Id";

    /** The trailer of an answer that the Gateway cut off. */
    public static final String REVOKED = "X-Caracal-Revoked";

    public static final String ACCEPT = "Accept";

    public static final String CONTENT_TYPE = "Content-Type";

    /** The media type of the platform's bodies, but for the forms of the STS. */
    public static final String JSON = "application/json";

    public static final String RETRY_AFTER = "Retry-After";

    /** Makes the repetition of a request have no second effect. */
    public static final String IDEMPOTENCY_KEY = "Idempotency-Key";

    /** Says that the key is generated, and so remembered for a shorter time. */
    public static final String IDEMPOTENCY_KEY_KIND = "Idempotency-Key-Kind";

    /** The trace, of W3C Trace Context. */
    public static final String TRACEPARENT = "traceparent";

    /** Vendor state of the trace (W3C Trace Context). */
    public static final String TRACESTATE = "tracestate";

    /** The form of a request id at the Gateway, which replaces any other. */
    private static final Pattern REQUEST_IDS = Pattern.compile("[\\x21-\\x7e]{1,128}");

    private Headers() {}

    /** Whether the platform takes the value as a request id. */
    public static boolean isRequestId(@Nullable String value) {
        return value != null && REQUEST_IDS.matcher(value).matches();
    }
}
