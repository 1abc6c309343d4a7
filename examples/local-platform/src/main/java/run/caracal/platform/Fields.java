package run.caracal.platform;

import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Reads the members of a JSON body and collects everything that is wrong with them. */
final class Fields {

    private final Map<String, @Nullable Object> body;
    private final List<Map<String, @Nullable Object>> issues = new ArrayList<>();

    /** Takes any JSON value; what is no object has no members and is an issue itself. */
    @SuppressWarnings("unchecked")
    Fields(@Nullable Object body) {
        if (body instanceof Map<?, ?> map) {
            this.body = (Map<String, @Nullable Object>) map;
        } else {
            this.body = Map.of();
            issues.add(issueAt(List.of(), "expected object"));
        }
    }

    String requiredText(String name, int maxLength) {
        String text = text(name, maxLength);
        if (text == null && !body.containsKey(name)) {
            issue(name, "required");
        }
        return text == null ? "" : text;
    }

    @Nullable
    String text(String name, int maxLength) {
        if (!body.containsKey(name)) {
            return null;
        }
        if (body.get(name) instanceof String text && !text.isEmpty() && text.length() <= maxLength) {
            return text;
        }
        issue(name, "expected string of 1 to " + maxLength + " characters");
        return null;
    }

    /** Like {@link #text}, with null meaning absent. */
    @Nullable
    String nullableText(String name, int maxLength) {
        return body.containsKey(name) && body.get(name) == null ? null : text(name, maxLength);
    }

    String choice(String name, Set<String> values, String absent) {
        if (!body.containsKey(name)) {
            return absent;
        }
        if (body.get(name) instanceof String text && values.contains(text)) {
            return text;
        }
        issue(name, "expected one of " + values.stream().sorted().toList());
        return absent;
    }

    @Nullable
    Long integer(String name, long min, long max) {
        if (!body.containsKey(name)) {
            return null;
        }
        if (body.get(name) instanceof Long number && number >= min && number <= max) {
            return number;
        }
        issue(name, "expected integer from " + min + " to " + max);
        return null;
    }

    List<String> texts(String name, int maxCount, int maxLength) {
        if (!body.containsKey(name)) {
            return List.of();
        }
        if (!(body.get(name) instanceof List<?> list) || list.size() > maxCount) {
            issue(name, "expected array of at most " + maxCount);
            return List.of();
        }
        List<String> texts = new ArrayList<>();
        for (int i = 0; i < list.size(); i++) {
            if (list.get(i) instanceof String text
                    && !text.isBlank()
                    && text.strip().length() <= maxLength) {
                texts.add(text.strip());
            } else {
                issues.add(issueAt(
                        List.of(name, Integer.toString(i)), "expected string of 1 to " + maxLength + " characters"));
            }
        }
        return texts;
    }

    @SuppressWarnings("unchecked")
    Map<String, @Nullable Object> object(String name) {
        if (!body.containsKey(name)) {
            return Map.of();
        }
        if (body.get(name) instanceof Map<?, ?> map) {
            return (Map<String, @Nullable Object>) map;
        }
        issue(name, "expected object");
        return Map.of();
    }

    /** Strings as they are, none of them empty; an absent list is an empty one. */
    List<String> strings(String name) {
        if (!body.containsKey(name)) {
            return List.of();
        }
        if (!(body.get(name) instanceof List<?> list)) {
            issue(name, "expected array");
            return List.of();
        }
        List<String> strings = new ArrayList<>();
        for (int i = 0; i < list.size(); i++) {
            if (list.get(i) instanceof String text && !text.isEmpty()) {
                strings.add(text);
            } else {
                issues.add(issueAt(List.of(name, Integer.toString(i)), "expected string"));
            }
        }
        return strings;
    }

    /** A time that ends in Z. */
    @Nullable
    Instant time(String name) {
        if (!body.containsKey(name)) {
            return null;
        }
        Instant time = Constraints.instant(body.get(name)).orElse(null);
        if (time == null) {
            issue(name, "expected a time in UTC that ends in Z");
        }
        return time;
    }

    boolean has(String name) {
        return body.containsKey(name);
    }

    /** An object, without an issue if it is none. */
    @SuppressWarnings("unchecked")
    Optional<Map<String, @Nullable Object>> plainObject(String name) {
        return body.get(name) instanceof Map<?, ?> map
                ? Optional.of((Map<String, @Nullable Object>) map)
                : Optional.empty();
    }

    void issue(String name, String message) {
        issues.add(issueAt(List.of(name), message));
    }

    List<Map<String, @Nullable Object>> issues() {
        return issues;
    }

    private static Map<String, @Nullable Object> issueAt(List<String> path, String message) {
        Map<String, @Nullable Object> issue = Json.object();
        issue.put("path", path);
        issue.put("message", message);
        return issue;
    }
}
