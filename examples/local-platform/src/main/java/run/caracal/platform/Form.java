package run.caracal.platform;

import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/** Name and value pairs of a query or a form body, each name with all of its values. */
record Form(Map<String, List<String>> fields) {

    private static final Pattern BAD_ESCAPE = Pattern.compile("%(?![0-9A-Fa-f]{2})");

    /**
     * Decodes {@code a=b&c=d}.
     *
     * @throws IllegalArgumentException if an escape is malformed or a semicolon separates pairs
     */
    static Form parse(String text) {
        Map<String, List<String>> fields = new LinkedHashMap<>();
        for (String pair : text.split("&", -1)) {
            if (pair.isEmpty()) {
                continue;
            }
            if (pair.indexOf(';') >= 0) {
                throw new IllegalArgumentException("a semicolon separates pairs");
            }
            int equals = pair.indexOf('=');
            String name = equals < 0 ? pair : pair.substring(0, equals);
            String value = equals < 0 ? "" : pair.substring(equals + 1);
            fields.computeIfAbsent(decode(name), key -> new ArrayList<>()).add(decode(value));
        }
        return new Form(fields);
    }

    /** The first value of a field; empty if absent. */
    String first(String name) {
        List<String> values = fields.get(name);
        return values == null ? "" : values.get(0);
    }

    List<String> all(String name) {
        return fields.getOrDefault(name, List.of());
    }

    boolean has(String name) {
        return fields.containsKey(name);
    }

    private static String decode(String text) {
        if (BAD_ESCAPE.matcher(text).find()) {
            throw new IllegalArgumentException("a malformed escape");
        }
        return URLDecoder.decode(text, StandardCharsets.UTF_8);
    }
}
