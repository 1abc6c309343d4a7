package run.caracal;

import java.util.List;
import java.util.Map;
import run.caracal.http.OutboundHeaders;

/** A map, empty at first, into which headers are written. */
record MapHeaders(Map<String, String> headers) implements OutboundHeaders {
    @Override
    public List<String> getAll(String name) {
        return List.of();
    }

    @Override
    public void set(String name, String value) {
        headers.put(name, value);
    }

    @Override
    public void remove(String name) {
        headers.remove(name);
    }
}
