package run.caracal.test;

import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import run.caracal.http.OutboundHeaders;

/** The headers of a request that no client sends. */
public record SentHeaders(Map<String, String> all) implements OutboundHeaders {
    public SentHeaders() {
        this(new TreeMap<>(String.CASE_INSENSITIVE_ORDER));
    }

    @Override
    public List<String> getAll(String name) {
        String value = all.get(name);
        return value == null ? List.of() : List.of(value);
    }

    @Override
    public void set(String name, String value) {
        all.put(name, value);
    }

    @Override
    public void remove(String name) {
        all.remove(name);
    }
}
