package run.caracal.platform;

import java.io.ByteArrayOutputStream;
import java.math.BigInteger;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonGenerator;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.ObjectWriteContext;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.json.JsonFactory;

/** JSON text to and from maps, lists, strings, numbers and booleans. */
final class Json {

    /** The text is not JSON, or is nested too deeply. */
    static final class InvalidJson extends Exception {
        private static final long serialVersionUID = 1L;

        InvalidJson(String message) {
            super(message);
        }
    }

    private static final int MAX_DEPTH = 64;

    private static final JsonFactory FACTORY = JsonFactory.builder()
            .streamReadConstraints(
                    StreamReadConstraints.builder().maxNestingDepth(MAX_DEPTH).build())
            .build();

    private static final DateTimeFormatter TIMESTAMP =
            DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSS'Z'").withZone(ZoneOffset.UTC);

    private Json() {}

    /** An empty object that keeps insertion order. */
    static Map<String, @Nullable Object> object() {
        return new LinkedHashMap<>();
    }

    /** A time as the platform writes it: UTC, with milliseconds. */
    static String timestamp(Instant instant) {
        return TIMESTAMP.format(instant);
    }

    /** Reads one value; whole numbers become {@code Long}, or {@code BigInteger} beyond its range. */
    static @Nullable Object parse(byte[] utf8) throws InvalidJson {
        try (JsonParser parser = FACTORY.createParser(ObjectReadContext.empty(), utf8)) {
            JsonToken first = parser.nextToken();
            if (first == null) {
                throw new InvalidJson("no JSON value");
            }
            Object value = read(parser, first);
            if (parser.nextToken() != null) {
                throw new InvalidJson("more than one JSON value");
            }
            return value;
        } catch (JacksonException e) {
            throw new InvalidJson("not valid JSON");
        }
    }

    /** Reads an object. */
    static Map<String, @Nullable Object> parseObject(byte[] utf8) throws InvalidJson {
        return asObject(parse(utf8));
    }

    @SuppressWarnings("unchecked")
    private static Map<String, @Nullable Object> asObject(@Nullable Object value) throws InvalidJson {
        if (value instanceof Map<?, ?> map) {
            return (Map<String, @Nullable Object>) map;
        }
        throw new InvalidJson("not a JSON object");
    }

    static byte[] write(@Nullable Object value) {
        ByteArrayOutputStream out = new ByteArrayOutputStream(256);
        try (JsonGenerator generator = FACTORY.createGenerator(ObjectWriteContext.empty(), out)) {
            write(generator, value);
        }
        return out.toByteArray();
    }

    private static @Nullable Object read(JsonParser parser, @Nullable JsonToken token) throws InvalidJson {
        if (token == null) {
            throw new InvalidJson("JSON ends early");
        }
        return switch (token) {
            case START_OBJECT -> readObject(parser);
            case START_ARRAY -> readArray(parser);
            case VALUE_STRING -> parser.getString();
            case VALUE_NUMBER_INT -> {
                Number number = parser.getNumberValue();
                yield number instanceof BigInteger ? number : (Object) number.longValue();
            }
            case VALUE_NUMBER_FLOAT -> parser.getDoubleValue();
            case VALUE_TRUE -> true;
            case VALUE_FALSE -> false;
            case VALUE_NULL -> null;
            default -> throw new InvalidJson("not valid JSON");
        };
    }

    private static Map<String, @Nullable Object> readObject(JsonParser parser) throws InvalidJson {
        Map<String, @Nullable Object> object = object();
        while (parser.nextToken() != JsonToken.END_OBJECT) {
            String name = parser.currentName();
            if ("__proto__".equals(name)) {
                throw new InvalidJson("forbidden key");
            }
            object.put(name, read(parser, parser.nextToken()));
        }
        return object;
    }

    private static List<@Nullable Object> readArray(JsonParser parser) throws InvalidJson {
        List<@Nullable Object> array = new ArrayList<>();
        JsonToken token = parser.nextToken();
        while (token != JsonToken.END_ARRAY) {
            array.add(read(parser, token));
            token = parser.nextToken();
        }
        return array;
    }

    private static void write(JsonGenerator out, @Nullable Object value) {
        if (value == null) {
            out.writeNull();
        } else if (value instanceof Map<?, ?> map) {
            out.writeStartObject();
            map.forEach((name, member) -> {
                out.writeName(String.valueOf(name));
                write(out, member);
            });
            out.writeEndObject();
        } else if (value instanceof Iterable<?> list) {
            out.writeStartArray();
            list.forEach(member -> write(out, member));
            out.writeEndArray();
        } else if (value instanceof Boolean flag) {
            out.writeBoolean(flag);
        } else if (value instanceof BigInteger number) {
            out.writeNumber(number);
        } else if (value instanceof Integer || value instanceof Long) {
            out.writeNumber(((Number) value).longValue());
        } else if (value instanceof Double number) {
            out.writeNumber(number);
        } else if (value instanceof String text) {
            out.writeString(text);
        } else {
            throw new IllegalArgumentException("no JSON for " + value.getClass());
        }
    }
}
