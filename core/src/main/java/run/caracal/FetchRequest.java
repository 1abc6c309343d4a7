package run.caracal;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import run.caracal.http.TransportOptions;
import run.caracal.internal.options.Arguments;
import run.caracal.internal.outbound.FetchSpec;
import run.caracal.internal.text.Chars;

/**
 * One call of a protected resource; see {@link Caracal#fetch(FetchRequest)}. Immutable: every {@code with} method gives a
 * new request.
 *
 * <pre>{@code
 * FetchRequest.of("resource://billing-api", "/charge").withJson("{\"amount\": 1200}").withScopes("billing:charge")
 * }</pre>
 */
public final class FetchRequest {
    /** How long an exchange may take by default. */
    public static final Duration DEFAULT_TIMEOUT = Duration.ofSeconds(30);

    /** How long an exchange may take at most. */
    public static final Duration MAX_TIMEOUT = Duration.ofHours(1);

    /** How large an answer may be by default: 1 MiB. */
    public static final int DEFAULT_MAX_RESPONSE_BYTES = 1 << 20;

    /** How large an answer may be at most, since it is collected in memory: 64 MiB. Stream larger ones. */
    public static final int MAX_RESPONSE_BYTES = 1 << 26;

    private static final Pattern TOKEN = Pattern.compile("[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}");

    /** Methods that address a proxy, or have it repeat the bearer. */
    private static final Set<String> REFUSED_METHODS = Set.of("CONNECT", "TRACE");

    /** What the SDK or the transport sets. */
    private static final Set<String> REFUSED_HEADERS = Set.of(
            "authorization",
            "connection",
            "content-length",
            "expect",
            "host",
            "keep-alive",
            "proxy-authorization",
            "proxy-connection",
            "te",
            "trailer",
            "transfer-encoding",
            "upgrade",
            "x-request-id");

    private static final String OWN_HEADERS = "x-caracal-";

    private final String resource;
    private final String path;
    private final Parts parts;

    /** What can be chosen; not changed any more once a request holds it. */
    private static final class Parts {
        private @Nullable String method;
        private Map<String, String> headers = Map.of();
        private byte @Nullable [] body;
        private TransportOptions transport = TransportOptions.defaults();
        private @Nullable String approvalId;
        private @Nullable String requestId;
        private Duration timeout = DEFAULT_TIMEOUT;
        private int maxResponseBytes = DEFAULT_MAX_RESPONSE_BYTES;

        private Parts copy() {
            Parts copy = new Parts();
            copy.method = method;
            copy.headers = headers;
            copy.body = body;
            copy.transport = transport;
            copy.approvalId = approvalId;
            copy.requestId = requestId;
            copy.timeout = timeout;
            copy.maxResponseBytes = maxResponseBytes;
            return copy;
        }
    }

    private FetchRequest(String resource, String path, Parts parts) {
        this.resource = resource;
        this.path = path;
        this.parts = parts;
    }

    private FetchRequest with(Consumer<Parts> change) {
        Parts changed = parts.copy();
        change.accept(changed);
        return new FetchRequest(resource, path, changed);
    }

    /**
     * A GET request.
     *
     * @param resource the resource identifier, for instance {@code resource://billing-api}
     * @param path the path at the resource, percent-encoded, with a query if wanted
     * @return a new request with every default
     * @throws IllegalArgumentException if the resource is none
     */
    public static FetchRequest of(String resource, String path) {
        return new FetchRequest(
                Arguments.resource(resource, "resource"), Objects.requireNonNull(path, "path"), new Parts());
    }

    /**
     * Sets the method.
     *
     * @param method the HTTP method, in any case; not {@code CONNECT} or {@code TRACE}
     * @return a request with this method
     * @throws IllegalArgumentException if it is none, or one of these
     */
    public FetchRequest withMethod(String method) {
        String upper = method.toUpperCase(Locale.ROOT);
        if (!TOKEN.matcher(upper).matches() || REFUSED_METHODS.contains(upper)) {
            throw new IllegalArgumentException(
                    "method must be an HTTP method such as GET or POST, and neither CONNECT nor TRACE");
        }
        return with(copy -> copy.method = upper);
    }

    /**
     * Sets a header, in place of an earlier one of the same name.
     *
     * @param name the name; not {@code Authorization} and {@code X-Caracal-*}, which are the SDK's, not {@code X-Request-Id}
     *     (see {@link #withRequestId}), and none that describes the connection or the length
     * @param value the value, printable ASCII
     * @return a request with this header
     * @throws IllegalArgumentException if the name is none or one of these, or the value cannot be sent; the message never
     *     holds the value
     */
    public FetchRequest withHeader(String name, String value) {
        String lower = name.toLowerCase(Locale.ROOT);
        if (!TOKEN.matcher(name).matches()) {
            throw new IllegalArgumentException("header: the name must be an HTTP token, such as Accept");
        }
        if (lower.startsWith(OWN_HEADERS) || REFUSED_HEADERS.contains(lower)) {
            throw new IllegalArgumentException("header: " + name + " is set by the SDK"
                    + (lower.equals("x-request-id") ? "; give the id with withRequestId(...)" : ""));
        }
        if (value.chars().anyMatch(c -> c != '\t' && (c < 0x20 || c > 0x7e))) {
            throw new IllegalArgumentException("header: the value of " + name
                    + " holds a line break or another character that is not printable ASCII");
        }
        return with(copy -> {
            Map<String, String> more = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
            more.putAll(copy.headers);
            more.put(name, value);
            copy.headers = Collections.unmodifiableMap(more);
        });
    }

    /**
     * Sets the body. Without a method of its own the request is a POST then.
     *
     * @param body the bytes, copied
     * @param contentType what they are, for instance {@code application/octet-stream}
     * @return a request with this body
     * @throws IllegalArgumentException if the content type cannot be sent
     */
    public FetchRequest withBody(byte[] body, String contentType) {
        byte[] bytes = body.clone();
        return withHeader("Content-Type", contentType).with(copy -> copy.body = bytes);
    }

    /**
     * Sets a text as the body, in UTF-8. Without a method of its own the request is a POST then.
     *
     * @param body the text
     * @param contentType what it is, for instance {@code text/plain; charset=utf-8}
     * @return a request with this body
     * @throws IllegalArgumentException if the content type cannot be sent
     */
    public FetchRequest withBody(String body, String contentType) {
        return withBody(body.getBytes(StandardCharsets.UTF_8), contentType);
    }

    /**
     * Sets a JSON document as the body. Without a method of its own the request is a POST then.
     *
     * @param json the document, sent as it is
     * @return a request with this body
     */
    public FetchRequest withJson(String json) {
        return withBody(json, "application/json");
    }

    /**
     * Says which scopes the call needs, whatever the grant and the configuration say.
     *
     * @param scopes the scopes, at least one
     * @return a request with these scopes
     * @throws IllegalArgumentException if there is none, or one that no call can have
     */
    public FetchRequest withScopes(String... scopes) {
        return with(copy -> copy.transport = copy.transport.withScopes(scopes));
    }

    /**
     * Sets the labels of a session that is opened to hold the authority; see {@link TransportOptions#withLabels}.
     *
     * @param labels the labels; none for the application id
     * @return a request with these labels
     * @throws IllegalArgumentException if one is no label
     */
    public FetchRequest withLabels(String... labels) {
        return with(copy -> copy.transport = copy.transport.withLabels(labels));
    }

    /**
     * Lets the call act as the application itself outside every session, instead of failing; inside a session the session
     * acts all the same. See {@link TransportOptions#withAsApplication}.
     *
     * @return a request that allows it
     */
    public FetchRequest withAsApplication() {
        return with(copy -> copy.transport = copy.transport.withAsApplication());
    }

    /**
     * Presents an approval that a person gave for the same call; see {@link Caracal#withApproval}.
     *
     * @param approvalId the id of the approval
     * @return a request with the approval
     * @throws IllegalArgumentException if it is no id
     */
    public FetchRequest withApprovalId(String approvalId) {
        String id = Arguments.id(approvalId, "approvalId");
        return with(copy -> copy.approvalId = id);
    }

    /**
     * Sets the id by which the audit log finds the call.
     *
     * @param requestId 1 to 128 printable ASCII characters without blanks; use one only once
     * @return a request with this id
     * @throws IllegalArgumentException if it is none
     */
    public FetchRequest withRequestId(String requestId) {
        String id = Arguments.requestId(requestId);
        return with(copy -> copy.requestId = id);
    }

    /**
     * Sets how long the exchange with the Gateway may take, from the connection to the last byte of the answer. What is
     * needed before it, a mandate for instance, has the limits of the configuration.
     *
     * @param timeout more than zero, at most {@link #MAX_TIMEOUT}
     * @return a request with this limit
     * @throws IllegalArgumentException if it is outside
     */
    public FetchRequest withTimeout(Duration timeout) {
        if (timeout.isZero() || timeout.isNegative() || timeout.compareTo(MAX_TIMEOUT) > 0) {
            throw new IllegalArgumentException(
                    "timeout must be more than zero and at most " + MAX_TIMEOUT + ", not " + timeout);
        }
        return with(copy -> copy.timeout = timeout);
    }

    /**
     * Sets how large the answer may be. A larger success is an error; of a larger error answer the beginning is kept.
     *
     * @param maxResponseBytes 0 to {@link #MAX_RESPONSE_BYTES}
     * @return a request with this limit
     * @throws IllegalArgumentException if it is outside
     */
    public FetchRequest withMaxResponseBytes(int maxResponseBytes) {
        if (maxResponseBytes < 0 || maxResponseBytes > MAX_RESPONSE_BYTES) {
            throw new IllegalArgumentException("maxResponseBytes must be from 0 to " + MAX_RESPONSE_BYTES + ", not "
                    + maxResponseBytes + "; stream larger answers with a decorated client");
        }
        return with(copy -> copy.maxResponseBytes = maxResponseBytes);
    }

    /** {@return the identifier of the resource} */
    public String resource() {
        return resource;
    }

    /** {@return the path at the resource, with the query} */
    public String path() {
        return path;
    }

    /** {@return the method; where none was set, {@code GET} without a body and {@code POST} with one} */
    public String method() {
        return parts.method != null ? parts.method : parts.body == null ? "GET" : "POST";
    }

    /** {@return the headers that the caller has set; an immutable map, whose names match in any case} */
    public Map<String, String> headers() {
        return parts.headers;
    }

    /**
     * {@return the scopes that the call needs; an immutable list; empty for those of the session's grant, else those of
     * the configuration}
     */
    public List<String> scopes() {
        return parts.transport.scopes();
    }

    /**
     * {@return the labels of a session that is opened to hold the authority; an immutable list, empty for the
     * application id}
     */
    public List<String> labels() {
        return parts.transport.labels();
    }

    /**
     * {@return whether the call acts as the application outside every session; {@code false} by default: then it fails
     * and is not sent}
     */
    public boolean asApplication() {
        return parts.transport.asApplication();
    }

    /** {@return the id of the approval that is presented; empty when there is none} */
    public Optional<String> approvalId() {
        return Optional.ofNullable(parts.approvalId);
    }

    /** {@return the id by which the audit log finds the call; empty for one that is made for each subscription} */
    public Optional<String> requestId() {
        return Optional.ofNullable(parts.requestId);
    }

    /** {@return how long the exchange may take} */
    public Duration timeout() {
        return parts.timeout;
    }

    /** {@return how large the answer may be} */
    public int maxResponseBytes() {
        return parts.maxResponseBytes;
    }

    FetchSpec spec() {
        return new FetchSpec(
                resource,
                path,
                method(),
                parts.headers,
                parts.body,
                parts.transport,
                parts.approvalId,
                parts.requestId,
                parts.timeout,
                parts.maxResponseBytes);
    }

    /** Names the resource, the method and the path without its query; headers and body may hold secrets. */
    @Override
    public String toString() {
        int query = path.indexOf('?');
        String shown = query < 0 ? path : path.substring(0, query);
        return "FetchRequest[" + method() + " " + (Chars.hasControl(shown) ? "(a path with control characters)" : shown)
                + " of " + resource + "]";
    }
}
