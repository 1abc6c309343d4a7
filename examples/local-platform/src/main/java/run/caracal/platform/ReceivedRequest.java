package run.caracal.platform;

import java.time.Instant;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * A request as it arrived at one of the servers.
 *
 * @param service the server
 * @param uri path and query as they were sent
 * @param headers the headers, names in lower case, values in the order of arrival
 * @param body the body as text; empty at the Gateway, which streams it
 * @param receivedAt when it arrived
 */
public record ReceivedRequest(
        Service service,
        String method,
        String uri,
        Map<String, List<String>> headers,
        String body,
        Instant receivedAt) {

    /** {@return the path without the query} */
    public String path() {
        int query = uri.indexOf('?');
        return query < 0 ? uri : uri.substring(0, query);
    }

    /**
     * {@return the first value of a header}
     *
     * @param name the header's name, in any case
     */
    public Optional<String> header(String name) {
        return headers(name).stream().findFirst();
    }

    /**
     * {@return all values of a header, in the order of arrival}
     *
     * @param name the header's name, in any case
     */
    public List<String> headers(String name) {
        return headers.getOrDefault(name.toLowerCase(Locale.ROOT), List.of());
    }

    /** {@return the bearer token the request carried} */
    public Optional<String> bearer() {
        return header("authorization").flatMap(Bearer::of);
    }

    /** Names the request without its headers and body, which may hold secrets. */
    @Override
    public String toString() {
        return service + " " + method + " " + path();
    }
}
