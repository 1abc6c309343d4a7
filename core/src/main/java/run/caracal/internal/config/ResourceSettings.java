package run.caracal.internal.config;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.json.JsonFactory;

/**
 * Unites the bindings of all sources: a later source replaces the binding with the same id, which keeps its place. Scopes
 * are kept apart until the end, since they may come from another source than the prefix.
 */
final class ResourceSettings {
    static final String RESOURCES = "CARACAL_RESOURCES";
    static final String RESOURCES_FILE = "CARACAL_RESOURCES_FILE";
    static final String RESOURCE_SCOPES = "CARACAL_RESOURCE_SCOPES";
    static final String APP_RESOURCES = "CARACAL_APP_RESOURCES";

    /** The largest bindings file that is read: 1 MiB. */
    static final int MAX_FILE_BYTES = 1024 * 1024;

    private static final int MAX_DEPTH = 16;
    private static final String RESOURCE_ID = "resource_id";
    private static final String UPSTREAM_PREFIX = "upstream_prefix";
    private static final Set<String> FIELDS = Set.of(RESOURCE_ID, UPSTREAM_PREFIX);
    private static final JsonFactory JSON = JsonFactory.builder()
            .streamReadConstraints(
                    StreamReadConstraints.builder().maxNestingDepth(MAX_DEPTH).build())
            .build();

    private final Problems problems;
    private final Set<String> asked = new LinkedHashSet<>();
    private final Map<String, String> prefixes = new LinkedHashMap<>();
    private final Map<String, List<String>> scopes = new LinkedHashMap<>();

    ResourceSettings(Problems problems) {
        this.problems = problems;
    }

    /** The application token asks for this resource, whether it has a binding or not. */
    void ask(String id) {
        asked.add(id);
    }

    void bind(String id, String prefix) {
        prefixes.put(id, prefix);
    }

    void scopes(String id, List<String> values) {
        scopes.put(id, values);
    }

    /** Reads {@code id=prefix,...}. */
    void variable(String value, String source) {
        entries(value, (name, entry) -> {
            Pair pair = Pair.of(entry);
            if (pair == null) {
                problems.add(RESOURCES, source, name + " must use resource_id=upstream_prefix");
            } else if (pair.id().isEmpty() || pair.value().isEmpty()) {
                problems.add(RESOURCES, source, name + " must contain non-empty resource_id and upstream_prefix");
            } else {
                bindChecked(RESOURCES, source, name, pair.id(), pair.value());
            }
        });
    }

    /** Reads the ids of {@code id,id,...}. */
    void askVariable(String value, String source) {
        entries(value, (name, id) -> {
            if (problems.passes(APP_RESOURCES, source, prefixed(name, Rules.resourceId(id)))) {
                ask(id);
            }
        });
    }

    /** Reads {@code id=scope scope,...}; the scopes that a profile gave stay. */
    void scopesVariable(String value, String source) {
        Map<String, List<String>> read = new LinkedHashMap<>();
        entries(value, (name, entry) -> {
            Pair pair = Pair.of(entry);
            List<String> values = pair == null ? List.of() : words(pair.value());
            if (pair == null || pair.id().isEmpty() || values.isEmpty()) {
                problems.add(RESOURCE_SCOPES, source, name + " must use resource_id=scope scope");
            } else if (!prefixes.containsKey(pair.id()) && !asked.contains(pair.id())) {
                problems.add(
                        RESOURCE_SCOPES,
                        source,
                        name + " is for a resource that is not configured: add it to " + RESOURCES + " or "
                                + APP_RESOURCES + ", or correct the id");
            } else if (problems.passes(RESOURCE_SCOPES, source, prefixed(name, Rules.scopes(values)))) {
                read.put(pair.id(), values);
            }
        });
        read.forEach(scopes::putIfAbsent);
    }

    /** Goes through a list with commas; each entry has a name for messages, and empty ones do not count. */
    private static void entries(String value, BiConsumer<String, String> reader) {
        String[] entries = value.split(",", -1);
        for (int i = 0; i < entries.length; i++) {
            String entry = Text.strip(entries[i]);
            if (!entry.isEmpty()) {
                reader.accept("entry " + (i + 1), entry);
            }
        }
    }

    private record Pair(String id, String value) {
        static @Nullable Pair of(String entry) {
            int equals = entry.indexOf('=');
            return equals <= 0
                    ? null
                    : new Pair(Text.strip(entry.substring(0, equals)), Text.strip(entry.substring(equals + 1)));
        }
    }

    /** Reads a bindings file: an object of ids and prefixes, or a list of objects. */
    void file(Path file, String source) {
        try {
            String where = "the bindings file " + file;
            Object document = parse(ConfigFiles.read(file, MAX_FILE_BYTES), where);
            if (document instanceof Map<?, ?> map) {
                map.forEach((id, prefix) ->
                        entry(where + ": entry '" + printable(String.valueOf(id)) + "':", id, prefix, source));
            } else if (document instanceof List<?> list) {
                for (int i = 0; i < list.size(); i++) {
                    element(where + '[' + i + "]:", list.get(i), source);
                }
            } else {
                throw new Fault(where + " must hold an object of ids and prefixes, or an array of {resource_id,"
                        + " upstream_prefix}");
            }
        } catch (Fault e) {
            problems.add(RESOURCES_FILE, source, e.text());
        }
    }

    private void element(String where, @Nullable Object element, String source) {
        if (!(element instanceof Map<?, ?> map)) {
            problems.add(RESOURCES_FILE, source, where + " entry must be an object");
            return;
        }
        Set<String> unknown = new TreeSet<>();
        map.keySet().forEach(key -> {
            if (!FIELDS.contains(key)) {
                unknown.add(printable(String.valueOf(key)));
            }
        });
        Set<String> missing = new TreeSet<>(FIELDS);
        missing.removeAll(map.keySet());
        if (!unknown.isEmpty()) {
            problems.add(
                    RESOURCES_FILE,
                    source,
                    where + " unknown fields " + unknown + "; expected exactly " + new TreeSet<>(FIELDS));
        } else if (!missing.isEmpty()) {
            problems.add(RESOURCES_FILE, source, where + " missing fields " + missing);
        } else {
            entry(where, map.get(RESOURCE_ID), map.get(UPSTREAM_PREFIX), source);
        }
    }

    private void entry(String where, @Nullable Object id, @Nullable Object prefix, String source) {
        String idText = id instanceof String text ? text : "";
        String prefixText = prefix instanceof String text ? text : "";
        bindChecked(RESOURCES_FILE, source, where, idText, prefixText);
    }

    private void bindChecked(String setting, String source, String where, String id, String prefix) {
        boolean goodId = problems.passes(setting, source, prefixed(where + ' ' + RESOURCE_ID, Rules.resourceId(id)));
        boolean goodPrefix =
                problems.passes(setting, source, prefixed(where + ' ' + UPSTREAM_PREFIX, Rules.upstreamPrefix(prefix)));
        if (goodId && goodPrefix) {
            bind(id, prefix);
        }
    }

    /** Ids that were asked for, in the order of the sources. */
    List<String> asked() {
        return List.copyOf(asked);
    }

    /** The prefixes by resource, in the order of the sources. */
    Map<String, String> prefixes() {
        return Collections.unmodifiableMap(prefixes);
    }

    Map<String, List<String>> scopes() {
        return Collections.unmodifiableMap(scopes);
    }

    static List<String> words(String text) {
        String stripped = Text.strip(text);
        return stripped.isEmpty() ? List.of() : List.of(stripped.split("\\s+"));
    }

    static @Nullable String prefixed(String prefix, @Nullable String fault) {
        return fault == null ? null : prefix + ' ' + fault;
    }

    /** A key of a file, short and on one line. */
    static String printable(String key) {
        StringBuilder shown = new StringBuilder();
        key.codePoints().limit(64).forEach(c -> shown.appendCodePoint(Character.isISOControl(c) ? '?' : c));
        return shown.length() < key.length() ? shown + "..." : shown.toString();
    }

    private static @Nullable Object parse(String json, String where) throws Fault {
        try (JsonParser parser = JSON.createParser(ObjectReadContext.empty(), json)) {
            Object document = value(parser, parser.nextToken());
            if (parser.nextToken() != null) {
                throw new Fault(where + " holds more than one JSON value");
            }
            return document;
        } catch (JacksonException e) {
            // The parser's own message may quote the content.
            String position = e.getLocation() == null
                    ? ""
                    : " at line " + e.getLocation().getLineNr() + ", column "
                            + e.getLocation().getColumnNr();
            throw new Fault(where + " is not valid JSON" + position);
        }
    }

    private static @Nullable Object value(JsonParser parser, @Nullable JsonToken token) throws Fault {
        if (token == null) {
            return null;
        }
        return switch (token) {
            case START_OBJECT -> {
                Map<String, @Nullable Object> map = new LinkedHashMap<>();
                while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
                    String name = parser.currentName();
                    map.put(name, value(parser, parser.nextToken()));
                }
                yield map;
            }
            case START_ARRAY -> {
                List<@Nullable Object> list = new ArrayList<>();
                for (JsonToken next = parser.nextToken(); next != JsonToken.END_ARRAY; next = parser.nextToken()) {
                    list.add(value(parser, next));
                }
                yield list;
            }
            case VALUE_STRING -> parser.getString();
            default -> null;
        };
    }
}
