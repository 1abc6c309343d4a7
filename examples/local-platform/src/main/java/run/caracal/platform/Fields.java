package run.caracal.platform;

import java.math.BigInteger;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** Reads the members of a JSON body and collects their faults, in the words of the platform's validator. */
final class Fields {

    /** The value of an absent body or member. */
    static final Object ABSENT = new Object();

    private final Map<String, @Nullable Object> body;
    private final List<Map<String, @Nullable Object>> issues = new ArrayList<>();
    private final boolean isObject;

    /** Takes any JSON value; a value other than an object is the only issue. */
    @SuppressWarnings("unchecked")
    Fields(@Nullable Object body) {
        this.isObject = body instanceof Map<?, ?>;
        if (body instanceof Map<?, ?> map) {
            this.body = (Map<String, @Nullable Object>) map;
        } else {
            this.body = Map.of();
            issues.add(issueAt(List.of(), expected("object", body)));
        }
    }

    String requiredText(String name, int maxLength) {
        String text = text(name, maxLength);
        if (!has(name)) {
            issue(name, expected("string", ABSENT));
        }
        return text == null ? "" : text;
    }

    @Nullable
    String text(String name, int maxLength) {
        return has(name) ? text(List.of(name), body.get(name), maxLength) : null;
    }

    private @Nullable String text(List<String> path, @Nullable Object value, int maxLength) {
        if (!(value instanceof String text)) {
            issue(path, expected("string", value));
        } else if (text.isEmpty()) {
            issue(path, "Too small: expected string to have >=1 characters");
        } else if (text.length() > maxLength) {
            issue(path, "Too big: expected string to have <=" + maxLength + " characters");
        } else {
            return text;
        }
        return null;
    }

    /** As {@link #text}; null counts as absent. */
    @Nullable
    String nullableText(String name, int maxLength) {
        return has(name) && body.get(name) == null ? null : text(name, maxLength);
    }

    String choice(String name, List<String> values, String absent) {
        if (!has(name)) {
            return absent;
        }
        if (body.get(name) instanceof String text && values.contains(text)) {
            return text;
        }
        issue(
                name,
                values.stream()
                        .map(value -> '"' + value + '"')
                        .collect(Collectors.joining("|", "Invalid option: expected one of ", "")));
        return absent;
    }

    boolean flag(String name) {
        if (!has(name)) {
            return false;
        }
        if (body.get(name) instanceof Boolean flag) {
            return flag;
        }
        issue(name, expected("boolean", body.get(name)));
        return false;
    }

    long requiredInteger(String name, long min, long max) {
        Long number = integer(name, min, max);
        if (!has(name)) {
            issue(name, expected("number", ABSENT));
        }
        return number == null ? 0 : number;
    }

    @Nullable
    Long integer(String name, long min, long max) {
        if (!has(name)) {
            return null;
        }
        Object value = body.get(name);
        if (!(value instanceof Number number)) {
            issue(name, expected("number", value));
        } else if (number instanceof Double real && real != Math.rint(real)) {
            issue(name, "Invalid input: expected int, received number");
        } else if (number.longValue() < min || (number instanceof BigInteger big && big.signum() < 0)) {
            issue(name, "Too small: expected number to be >=" + min);
        } else if (number.longValue() > max || number instanceof BigInteger) {
            issue(name, "Too big: expected number to be <=" + max);
        } else {
            return number.longValue();
        }
        return null;
    }

    /** Trimmed texts. */
    List<String> texts(String name, int maxCount, int maxLength) {
        List<String> texts = new ArrayList<>();
        List<?> list = list(name);
        if (list.size() > maxCount) {
            issue(name, "Too big: expected array to have <=" + maxCount + " items");
            return List.of();
        }
        for (int i = 0; i < list.size(); i++) {
            Object value = list.get(i) instanceof String text ? text.strip() : list.get(i);
            String text = text(List.of(name, Integer.toString(i)), value, maxLength);
            if (text != null) {
                texts.add(text);
            }
        }
        return texts;
    }

    /** Untrimmed, non-empty strings; none if the list is absent. */
    List<String> strings(String name) {
        List<String> strings = new ArrayList<>();
        List<?> list = list(name);
        for (int i = 0; i < list.size(); i++) {
            String text = text(List.of(name, Integer.toString(i)), list.get(i), Integer.MAX_VALUE);
            if (text != null) {
                strings.add(text);
            }
        }
        return strings;
    }

    private List<?> list(String name) {
        if (!has(name)) {
            return List.of();
        }
        if (body.get(name) instanceof List<?> list) {
            return list;
        }
        issue(name, expected("array", body.get(name)));
        return List.of();
    }

    Map<String, @Nullable Object> object(String name) {
        if (!has(name)) {
            return Map.of();
        }
        Optional<Map<String, @Nullable Object>> object = plainObject(name);
        if (object.isEmpty()) {
            issue(name, expected("record", body.get(name)));
        }
        return object.orElse(Map.of());
    }

    /** A time in UTC with the suffix Z. */
    @Nullable
    Instant time(String name) {
        if (!has(name)) {
            return null;
        }
        Instant time = Constraints.instant(body.get(name)).orElse(null);
        if (time == null) {
            issue(name, body.get(name) instanceof String ? "Invalid ISO datetime" : expected("string", body.get(name)));
        }
        return time;
    }

    boolean has(String name) {
        return body.containsKey(name);
    }

    /** Whether it has only these members. */
    boolean hasOnly(Set<String> names) {
        return names.containsAll(body.keySet());
    }

    /** An object; any other value is no issue. */
    @SuppressWarnings("unchecked")
    Optional<Map<String, @Nullable Object>> plainObject(String name) {
        return body.get(name) instanceof Map<?, ?> map
                ? Optional.of((Map<String, @Nullable Object>) map)
                : Optional.empty();
    }

    void issue(String name, String message) {
        issue(List.of(name), message);
    }

    private void issue(List<String> path, String message) {
        if (isObject) {
            issues.add(issueAt(path, message));
        }
    }

    List<Map<String, @Nullable Object>> issues() {
        return issues;
    }

    private static String expected(String type, @Nullable Object value) {
        return "Invalid input: expected " + type + ", received " + typeOf(value);
    }

    private static String typeOf(@Nullable Object value) {
        if (value == null) {
            return "null";
        }
        if (value == ABSENT) {
            return "undefined";
        }
        if (value instanceof String) {
            return "string";
        }
        if (value instanceof Boolean) {
            return "boolean";
        }
        if (value instanceof Number) {
            return "number";
        }
        return value instanceof List<?> ? "array" : "object";
    }

    private static Map<String, @Nullable Object> issueAt(List<String> path, String message) {
        Map<String, @Nullable Object> issue = Json.object();
        issue.put("path", path);
        issue.put("message", message);
        return issue;
    }
}
