package run.caracal.internal.propagation;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import run.caracal.http.OutboundHeaders;

/** Outgoing headers in a map, which record the written names. */
final class MapHeaders implements OutboundHeaders {
    private final Map<String, List<String>> values = new LinkedHashMap<>();
    private final Set<String> written = new TreeSet<>();

    MapHeaders with(String name, String... lines) {
        put(name, lines);
        return this;
    }

    /** Puts a header of the caller's own. */
    void put(String name, String... lines) {
        values.put(name.toLowerCase(Locale.ROOT), List.of(lines));
    }

    /** The lower-case names of the headers that were set. */
    Set<String> written() {
        return written;
    }

    @Override
    public List<String> getAll(String name) {
        return values.getOrDefault(name.toLowerCase(Locale.ROOT), List.of());
    }

    @Override
    public void set(String name, String value) {
        written.add(name.toLowerCase(Locale.ROOT));
        values.put(name.toLowerCase(Locale.ROOT), List.of(value));
    }

    @Override
    public void remove(String name) {
        values.remove(name.toLowerCase(Locale.ROOT));
    }
}
