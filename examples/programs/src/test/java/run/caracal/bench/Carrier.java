package run.caracal.bench;

import io.opentelemetry.context.propagation.TextMapGetter;
import io.opentelemetry.context.propagation.TextMapSetter;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import run.caracal.http.OutboundHeaders;

/** A few headers in arrays: the carrier should cost nothing beside the codecs that are compared on it. */
public final class Carrier implements OutboundHeaders {
    static final TextMapSetter<Carrier> SETTER = (carrier, name, value) -> {
        if (carrier != null) {
            carrier.set(name, value);
        }
    };

    static final TextMapGetter<Carrier> GETTER = new TextMapGetter<>() {
        @Override
        public Iterable<String> keys(Carrier carrier) {
            return carrier.names();
        }

        @Override
        public @Nullable String get(@Nullable Carrier carrier, String name) {
            List<String> values = carrier == null ? List.of() : carrier.getAll(name);
            return values.isEmpty() ? null : values.get(0);
        }
    };

    private final String[] names = new String[8];
    private final String[] values = new String[8];
    private List<List<String>> lists = List.of();
    private int size;

    /** The same headers, ready to be read without allocating. */
    Carrier received() {
        lists = new ArrayList<>();
        for (int i = 0; i < size; i++) {
            lists.add(List.of(values[i]));
        }
        return this;
    }

    private List<String> names() {
        List<String> all = new ArrayList<>();
        for (int i = 0; i < size; i++) {
            all.add(names[i]);
        }
        return all;
    }

    private int find(String name) {
        for (int i = 0; i < size; i++) {
            if (names[i].equals(name)) {
                return i;
            }
        }
        return -1;
    }

    @Override
    public List<String> getAll(String name) {
        int at = find(name);
        if (at < 0) {
            return List.of();
        }
        return at < lists.size() ? lists.get(at) : List.of(values[at]);
    }

    @Override
    public void set(String name, String value) {
        int at = find(name);
        if (at < 0) {
            at = size++;
            names[at] = name;
        }
        values[at] = value;
    }

    @Override
    public void remove(String name) {
        int at = find(name);
        if (at >= 0) {
            size--;
            names[at] = names[size];
            values[at] = values[size];
        }
    }
}
