package run.caracal.internal.propagation;

import java.util.List;
import java.util.Map;
import run.caracal.http.OutboundHeaders;

/**
 * Headers with one value each.
 *
 * @param headers the headers, changed in place; its names match as it has them match
 */
public record HeaderMap(Map<String, String> headers) implements OutboundHeaders {
    @Override
    public List<String> getAll(String name) {
        String value = headers.get(name);
        return value == null ? List.of() : List.of(value);
    }

    @Override
    public void set(String name, String value) {
        headers.put(name, value);
    }

    @Override
    public void remove(String name) {
        headers.remove(name);
    }

    /** Headers carry tokens. */
    @Override
    public String toString() {
        return "HeaderMap";
    }
}
