package run.caracal;

import java.nio.ByteBuffer;
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
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import run.caracal.http.TransportOptions;
import run.caracal.internal.Headers;
import run.caracal.internal.options.Arguments;
import run.caracal.internal.outbound.FetchSpec;
import run.caracal.internal.text.Chars;

/**
 * One call of a protected resource; see {@link Caracal#fetch(FetchRequest)}. Immutable; each option is checked when it
 * is set.
 *
 * <pre>{@code
 * FetchRequest.builder("resource://billing-api", "/charge")
 *         .json("{\"amount\": 1200}")
 *         .scopes("billing:charge")
 *         .build()
 * }</pre>
 */
public final class FetchRequest {
    /** The default timeout of an exchange. */
    public static final Duration DEFAULT_TIMEOUT = FetchSpec.DEFAULT_TIMEOUT;

    /** The maximum timeout of an exchange. */
    public static final Duration MAX_TIMEOUT = Duration.ofHours(1);

    /** The default maximum size of an answer: 1 MiB. */
    public static final int DEFAULT_MAX_RESPONSE_BYTES = FetchSpec.DEFAULT_MAX_RESPONSE_BYTES;

    /** The largest maximum size of an answer, which is collected in memory: 64 MiB. Stream larger ones. */
    public static final int MAX_RESPONSE_BYTES = 1 << 26;

    private static final Pattern TOKEN = Pattern.compile("[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}");

    /** Methods that address a proxy, or make it echo the bearer. */
    private static final Set<String> REFUSED_METHODS = Set.of("CONNECT", "TRACE");

    /** The headers that the SDK or the transport sets. */
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

    private final FetchSpec spec;

    private FetchRequest(FetchSpec spec) {
        this.spec = spec;
    }

    /**
     * {@return a GET request with default options; see {@link #builder}}
     *
     * @throws IllegalArgumentException if the resource is malformed
     */
    public static FetchRequest of(String resource, String path) {
        return builder(resource, path).build();
    }

    /**
     * {@return a builder of a request}
     *
     * @param resource the resource id, for instance {@code resource://billing-api}
     * @param path the path at the resource, percent-encoded, with an optional query
     * @throws IllegalArgumentException if the resource is malformed
     */
    public static Builder builder(String resource, String path) {
        return new Builder(
                FetchSpec.get(Arguments.resource(resource, "resource"), Objects.requireNonNull(path, "path")));
    }

    /** {@return a builder with the same values} */
    public Builder mutate() {
        return new Builder(spec);
    }

    /** {@return the resource id} */
    public String resource() {
        return spec.resource();
    }

    /** {@return the path at the resource, with the query} */
    public String path() {
        return spec.path();
    }

    /** {@return the method; by default {@code GET} without a body, and {@code POST} with one} */
    public String method() {
        return spec.method();
    }

    /** {@return the headers that were set; an immutable map, whose names match in any case} */
    public Map<String, String> headers() {
        return spec.headers();
    }

    /**
     * {@return the scopes of the call; an immutable list, empty for those of the session's grant, else the configured
     * ones}
     */
    public List<String> scopes() {
        return spec.transport().scopes();
    }

    /** {@return the labels of a session opened on demand; an immutable list, empty for the application id} */
    public List<String> labels() {
        return spec.transport().labels();
    }

    /** {@return whether the call acts as the application outside a session; {@code false} by default: it fails} */
    public boolean asApplication() {
        return spec.transport().asApplication();
    }

    /** {@return the id of the presented approval, if any} */
    public Optional<String> approvalId() {
        return Optional.ofNullable(spec.approvalId());
    }

    /** {@return the request id in the audit log; empty for one generated per subscription} */
    public Optional<String> requestId() {
        return Optional.ofNullable(spec.requestId());
    }

    /** {@return the timeout of the exchange} */
    public Duration timeout() {
        return spec.timeout();
    }

    /** {@return the maximum size of the answer} */
    public int maxResponseBytes() {
        return spec.maxResponseBytes();
    }

    FetchSpec spec() {
        return spec;
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof FetchRequest that && spec.equals(that.spec);
    }

    @Override
    public int hashCode() {
        return spec.hashCode();
    }

    /** Omits query, headers and body, which may contain secrets. */
    @Override
    public String toString() {
        String path = path();
        int query = path.indexOf('?');
        String shown = query < 0 ? path : path.substring(0, query);
        return "FetchRequest[" + method() + " " + (Chars.hasControl(shown) ? "(a path with control characters)" : shown)
                + " of " + resource() + "]";
    }

    /** Builds a {@link FetchRequest}. Not for use by several threads at once. */
    public static final class Builder {
        private final String resource;
        private final String path;
        private final Map<String, String> headers = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
        private @Nullable String method;
        private @Nullable ByteBuffer body;
        private TransportOptions transport;
        private @Nullable String approvalId;
        private @Nullable String requestId;
        private Duration timeout;
        private int maxResponseBytes;

        private Builder(FetchSpec spec) {
            this.resource = spec.resource();
            this.path = spec.path();
            this.headers.putAll(spec.headers());
            this.method = spec.chosenMethod();
            this.body = spec.body();
            this.transport = spec.transport();
            this.approvalId = spec.approvalId();
            this.requestId = spec.requestId();
            this.timeout = spec.timeout();
            this.maxResponseBytes = spec.maxResponseBytes();
        }

        /**
         * Sets the method, in any case.
         *
         * @throws IllegalArgumentException if it is not an HTTP method, or {@code CONNECT} or {@code TRACE}
         */
        public Builder method(String method) {
            String upper = method.toUpperCase(Locale.ROOT);
            if (!TOKEN.matcher(upper).matches() || REFUSED_METHODS.contains(upper)) {
                throw new IllegalArgumentException(
                        "method must be an HTTP method such as GET or POST, and neither CONNECT nor TRACE");
            }
            this.method = upper;
            return this;
        }

        /**
         * Sets a header, replacing an earlier one of the same name.
         *
         * @param name not {@code Authorization} or {@code X-Caracal-*}, which the SDK sets, not {@code X-Request-Id}
         *     (see {@link #requestId}), and no header of the connection or the length
         * @param value printable ASCII
         * @throws IllegalArgumentException if the name is malformed or one of these, or the value is malformed; the
         *     message never contains the value
         */
        public Builder header(String name, String value) {
            String lower = name.toLowerCase(Locale.ROOT);
            if (!TOKEN.matcher(name).matches()) {
                throw new IllegalArgumentException("header: the name must be an HTTP token, such as Accept");
            }
            if (lower.startsWith(OWN_HEADERS) || REFUSED_HEADERS.contains(lower)) {
                throw new IllegalArgumentException("header: " + name + " is set by the SDK"
                        + (lower.equals("x-request-id") ? "; give the id with requestId(...)" : ""));
            }
            if (value.chars().anyMatch(c -> c != '\t' && (c < 0x20 || c > 0x7e))) {
                throw new IllegalArgumentException("header: the value of " + name
                        + " holds a line break or another character that is not printable ASCII");
            }
            headers.remove(name);
            headers.put(name, value);
            return this;
        }

        /**
         * Sets the body; the default method is then POST.
         *
         * @throws IllegalArgumentException if the content type is malformed
         */
        public Builder body(byte[] body, String contentType) {
            this.body = ByteBuffer.wrap(body.clone()).asReadOnlyBuffer();
            return header(Headers.CONTENT_TYPE, contentType);
        }

        /**
         * Sets a text as the body, in UTF-8; the default method is then POST.
         *
         * @param contentType for instance {@code text/plain; charset=utf-8}
         * @throws IllegalArgumentException if the content type is malformed
         */
        public Builder body(String body, String contentType) {
            return body(body.getBytes(StandardCharsets.UTF_8), contentType);
        }

        /** Sets a JSON document as the body, sent unchanged; the default method is then POST. */
        public Builder json(String json) {
            return body(json, "application/json");
        }

        /**
         * Sets the scopes of the call, overriding the grant and the configuration.
         *
         * @param scopes at least one
         * @throws IllegalArgumentException if there is none, or one is malformed
         */
        public Builder scopes(String... scopes) {
            transport = transport.withScopes(scopes);
            return this;
        }

        /**
         * Sets the labels of a session opened on demand; see {@link TransportOptions#withLabels}.
         *
         * @throws IllegalArgumentException if a label is malformed
         */
        public Builder labels(String... labels) {
            transport = transport.withLabels(labels);
            return this;
        }

        /**
         * Lets the call act as the application itself outside a session, instead of failing; inside a session the
         * session acts. See {@link TransportOptions#withAsApplication}.
         */
        public Builder asApplication() {
            transport = transport.withAsApplication();
            return this;
        }

        /**
         * Presents an approval for the same call; see {@link Caracal#withApproval}.
         *
         * @throws IllegalArgumentException if the id is malformed
         */
        public Builder approvalId(String approvalId) {
            this.approvalId = Arguments.id(approvalId, "approvalId");
            return this;
        }

        /**
         * Sets the request id in the audit log.
         *
         * @param requestId 1 to 128 printable ASCII characters without blanks; use each id once
         * @throws IllegalArgumentException if it is malformed
         */
        public Builder requestId(String requestId) {
            this.requestId = Arguments.requestId(requestId);
            return this;
        }

        /**
         * Sets the timeout of the exchange with the Gateway, from the connection to the last byte of the answer.
         * Earlier steps, such as the mint of a mandate, have the timeouts of the configuration.
         *
         * @param timeout positive, at most {@link #MAX_TIMEOUT}
         * @throws IllegalArgumentException if it is out of range
         */
        public Builder timeout(Duration timeout) {
            if (timeout.isZero() || timeout.isNegative() || timeout.compareTo(MAX_TIMEOUT) > 0) {
                throw new IllegalArgumentException(
                        "timeout must be more than zero and at most " + MAX_TIMEOUT + ", not " + timeout);
            }
            this.timeout = timeout;
            return this;
        }

        /**
         * Sets the maximum size of the answer. A larger success is an error; a larger error answer is truncated.
         *
         * @param maxResponseBytes 0 to {@link #MAX_RESPONSE_BYTES}
         * @throws IllegalArgumentException if it is out of range
         */
        public Builder maxResponseBytes(int maxResponseBytes) {
            if (maxResponseBytes < 0 || maxResponseBytes > MAX_RESPONSE_BYTES) {
                throw new IllegalArgumentException("maxResponseBytes must be from 0 to " + MAX_RESPONSE_BYTES + ", not "
                        + maxResponseBytes + "; stream larger answers with a decorated client");
            }
            this.maxResponseBytes = maxResponseBytes;
            return this;
        }

        /** {@return the request} */
        public FetchRequest build() {
            Map<String, String> copy = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
            copy.putAll(headers);
            return new FetchRequest(new FetchSpec(
                    resource,
                    path,
                    method,
                    Collections.unmodifiableMap(copy),
                    body,
                    transport,
                    approvalId,
                    requestId,
                    timeout,
                    maxResponseBytes));
        }
    }
}
