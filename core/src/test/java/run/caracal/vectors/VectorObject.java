package run.caracal.vectors;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A JSON object with typed access. Numbers are {@link Long}, {@link java.math.BigInteger} or {@link Double}; objects are
 * maps in the order of the file.
 *
 * @param map the members
 */
public record VectorObject(Map<String, @Nullable Object> map) {

    /** Whether the member is there, be it {@code null}. */
    public boolean has(String key) {
        return map.containsKey(key);
    }

    /** Whether the member is there and not {@code null}. */
    public boolean hasValue(String key) {
        return map.get(key) != null;
    }

    /** The member as it is, {@code null} when it is absent or null. */
    public @Nullable Object value(String key) {
        return map.get(key);
    }

    /** A member that must be a string. */
    public String string(String key) {
        return as(String.class, key, map.get(key));
    }

    /** A string, or {@code null} when it is absent or null. */
    public @Nullable String stringOrNull(String key) {
        return hasValue(key) ? string(key) : null;
    }

    /** A member that must be a whole number within the range of int; {@code fallback} when it is absent or null. */
    public int intOr(String key, int fallback) {
        return hasValue(key) ? Math.toIntExact(as(Long.class, key, map.get(key))) : fallback;
    }

    /** A member that must be a number. */
    public double number(String key) {
        return as(Number.class, key, map.get(key)).doubleValue();
    }

    /** A member that must be a boolean. */
    public boolean bool(String key) {
        return as(Boolean.class, key, map.get(key));
    }

    /** A member that must be an object. */
    public VectorObject object(String key) {
        return toObject(key, map.get(key));
    }

    /** An object, or {@code null} when it is absent or null. */
    public @Nullable VectorObject objectOrNull(String key) {
        return hasValue(key) ? object(key) : null;
    }

    /** A member that must be a list of objects. */
    public List<VectorObject> objects(String key) {
        List<VectorObject> objects = new ArrayList<>();
        for (Object element : as(List.class, key, map.get(key))) {
            objects.add(toObject(key, element));
        }
        return objects;
    }

    /** A member that must be a list of strings. */
    public List<String> strings(String key) {
        List<String> strings = new ArrayList<>();
        for (Object element : as(List.class, key, map.get(key))) {
            strings.add(as(String.class, key, element));
        }
        return strings;
    }

    @SuppressWarnings("unchecked") // VectorJson makes no other maps
    private static VectorObject toObject(String key, @Nullable Object value) {
        return new VectorObject((Map<String, @Nullable Object>) as(Map.class, key, value));
    }

    private static <T> T as(Class<T> type, String key, @Nullable Object value) {
        if (!type.isInstance(value)) {
            throw new AssertionError(key + " is not a " + type.getSimpleName() + ": " + value);
        }
        return type.cast(value);
    }
}
