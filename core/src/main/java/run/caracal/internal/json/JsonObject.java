package run.caracal.internal.json;

import java.math.BigInteger;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A JSON object as a service may answer it. Reading is lenient: fields that are not asked for do no harm, and a field of
 * an unexpected kind reads as absent; only {@link #integer} is strict, because what it reads decides.
 */
public final class JsonObject {
    /** The object without fields. */
    public static final JsonObject EMPTY = new JsonObject(Map.of());

    private static final Pattern INTEGER = Pattern.compile("-?[0-9]{1,18}");

    private final Map<?, ?> fields;

    private JsonObject(Map<?, ?> fields) {
        this.fields = fields;
    }

    /** Reads a document that has to be an object. */
    public static JsonObject parse(byte[] bytes) throws JsonException {
        if (Json.read(bytes) instanceof Map<?, ?> map) {
            return new JsonObject(map);
        }
        throw new JsonException("it is not a JSON object");
    }

    /** Reads a document leniently: any other than an object reads as an empty one. */
    public static JsonObject parseLeniently(byte[] bytes) {
        try {
            return parse(bytes);
        } catch (JsonException e) {
            return EMPTY;
        }
    }

    /** Whether the field is there and not null. */
    public boolean has(String name) {
        return fields.get(name) != null;
    }

    /** A text that is not empty, or {@code null}. */
    public @Nullable String string(String name) {
        return fields.get(name) instanceof String text && !text.isEmpty() ? text : null;
    }

    /**
     * A whole number, written as a number or as its digits in a string.
     *
     * @return the number, or {@code null} when the field is absent or null
     * @throws JsonException when it is anything else; a number with a fraction or an exponent is not whole
     */
    public @Nullable Long integer(String name) throws JsonException {
        Object value = fields.get(name);
        if (value == null) {
            return null;
        }
        if (value instanceof Long number) {
            return number;
        }
        if (value instanceof BigInteger number) {
            return number.signum() > 0 ? Long.MAX_VALUE : Long.MIN_VALUE;
        }
        if (value instanceof String text && INTEGER.matcher(text).matches()) {
            return Long.parseLong(text);
        }
        throw new JsonException("its " + name + " is not a whole number");
    }

    /** A number, also one written as a string, without its fraction; {@code null} when absent or null. */
    public @Nullable Long seconds(String name) throws JsonException {
        return fields.get(name) instanceof Double number ? (Long) number.longValue() : integer(name);
    }

    /** A point in time in the form of RFC 3339, or {@code null}. */
    public @Nullable Instant instant(String name) {
        String text = string(name);
        if (text == null) {
            return null;
        }
        try {
            return OffsetDateTime.parse(text).toInstant();
        } catch (DateTimeException e) {
            return null;
        }
    }

    /** The strings of a list, or {@code null} when the field is not a list; its other elements are left out. */
    public @Nullable List<String> strings(String name) {
        if (!(fields.get(name) instanceof List<?> list)) {
            return null;
        }
        return list.stream()
                .filter(String.class::isInstance)
                .map(String.class::cast)
                .toList();
    }

    /** An object inside this one, empty when the field is not an object. */
    public JsonObject object(String name) {
        return fields.get(name) instanceof Map<?, ?> map ? new JsonObject(map) : EMPTY;
    }

    /** The objects of a list, empty when the field is not a list; its other elements are left out. */
    public List<JsonObject> objects(String name) {
        List<JsonObject> objects = new ArrayList<>();
        if (fields.get(name) instanceof List<?> list) {
            for (Object item : list) {
                if (item instanceof Map<?, ?> map) {
                    objects.add(new JsonObject(map));
                }
            }
        }
        return Collections.unmodifiableList(objects);
    }

    /** Names the fields only: the values may be secret. */
    @Override
    public String toString() {
        return "JsonObject"
                + fields.keySet().stream().map(Objects::toString).sorted().toList();
    }
}
