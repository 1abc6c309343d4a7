package run.caracal.http;

import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;

/** The complete answer to an {@link HttpRequest}. */
public final class HttpResponse {
    private final int status;
    private final Map<String, String> headers;
    private final Map<String, String> trailers;
    private final byte[] body;

    /**
     * Creates an answer without trailers.
     *
     * @param headers the headers by name, in any case; the first value of a repeated header
     * @param body the body, may be empty; not copied
     */
    public HttpResponse(int status, Map<String, String> headers, byte[] body) {
        this(status, headers, body, Map.of());
    }

    /**
     * Creates an answer.
     *
     * @param headers the headers by name, in any case; the first value of a repeated header; not copied when ordered by
     *     {@link String#CASE_INSENSITIVE_ORDER}
     * @param body the body, may be empty; not copied
     * @param trailers the headers after the body
     */
    public HttpResponse(int status, Map<String, String> headers, byte[] body, Map<String, String> trailers) {
        this.status = status;
        this.headers = byName(headers);
        this.body = body;
        this.trailers = byName(trailers);
    }

    private static Map<String, String> byName(Map<String, String> values) {
        if (values.isEmpty()) {
            return Map.of();
        }
        if (values instanceof SortedMap<String, String> sorted
                && sorted.comparator() == String.CASE_INSENSITIVE_ORDER) {
            return values;
        }
        Map<String, String> byName = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
        byName.putAll(values);
        return byName;
    }

    /** {@return the HTTP status} */
    public int status() {
        return status;
    }

    /** {@return the first value of a header, if present; names match in any case} */
    public Optional<String> header(String name) {
        return Optional.ofNullable(headers.get(name));
    }

    /** {@return the first value of a header after the body, if present; names match in any case} */
    public Optional<String> trailer(String name) {
        return Optional.ofNullable(trailers.get(name));
    }

    /** {@return the body, may be empty; not a copy} */
    public byte[] body() {
        return body;
    }

    /** Contains status and size only: the body may carry a token. */
    @Override
    public String toString() {
        return "HttpResponse[status=" + status + ", bytes=" + body.length + "]";
    }
}
