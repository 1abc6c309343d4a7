package run.caracal.http;

import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/** The complete answer to an {@link HttpRequest}. */
public final class HttpResponse {
    private final int status;
    private final Map<String, String> headers;
    private final byte[] body;

    /**
     * Creates an answer.
     *
     * @param status the HTTP status
     * @param headers the headers by name, in any case; where a header was repeated, its first value
     * @param body the body, empty when there was none; not copied
     */
    public HttpResponse(int status, Map<String, String> headers, byte[] body) {
        this.status = status;
        this.headers = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
        this.headers.putAll(headers);
        this.body = body;
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
