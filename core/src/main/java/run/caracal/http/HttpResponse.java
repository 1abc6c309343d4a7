package run.caracal.http;

import java.util.Map;
import java.util.Optional;
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
     * @param status the HTTP status
     * @param headers the headers by name, in any case; where a header was repeated, its first value
     * @param body the body, empty when there was none; not copied
     */
    public HttpResponse(int status, Map<String, String> headers, byte[] body) {
        this(status, headers, body, Map.of());
    }

    /**
     * Creates an answer.
     *
     * @param status the HTTP status
     * @param headers the headers by name, in any case; where a header was repeated, its first value
     * @param body the body, empty when there was none; not copied
     * @param trailers the headers that came after the body, as the headers
     */
    public HttpResponse(int status, Map<String, String> headers, byte[] body, Map<String, String> trailers) {
        this.status = status;
        this.headers = byName(headers);
        this.body = body;
        this.trailers = byName(trailers);
    }

    private static Map<String, String> byName(Map<String, String> values) {
        Map<String, String> byName = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
        byName.putAll(values);
        return byName;
    }

    /** {@return the HTTP status} */
    public int status() {
        return status;
    }

    /**
     * {@return the first value of a header; empty when it is absent}
     *
     * @param name the name, in any case
     */
    public Optional<String> header(String name) {
        return Optional.ofNullable(headers.get(name));
    }

    /**
     * {@return the first value of a header that came after the body; empty when it is absent}
     *
     * @param name the name, in any case
     */
    public Optional<String> trailer(String name) {
        return Optional.ofNullable(trailers.get(name));
    }

    /** {@return the body; the bytes, empty when there was none; not a copy} */
    public byte[] body() {
        return body;
    }

    /** Names the status and the size only: the body may carry a token. */
    @Override
    public String toString() {
        return "HttpResponse[status=" + status + ", bytes=" + body.length + "]";
    }
}
