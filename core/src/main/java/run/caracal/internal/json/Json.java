package run.caracal.internal.json;

import java.io.ByteArrayOutputStream;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import run.caracal.internal.text.Chars;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonGenerator;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.ObjectWriteContext;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.TokenStreamLocation;
import tools.jackson.core.json.JsonFactory;

/**
 * Reads and writes JSON as plain Java values, on the streaming parser only: no reflection, so that native images work, and no type of the parser leaves this class.
 */
public final class Json {
    /** The maximum size of a document. */
    public static final int MAX_BYTES = 1 << 20;

    private static final int MAX_DEPTH = 200;
    private static final int MAX_WRITE_DEPTH = 64;

    private static final JsonFactory FACTORY = JsonFactory.builder()
            .streamReadConstraints(StreamReadConstraints.builder()
                    .maxNestingDepth(MAX_DEPTH)
                    .maxDocumentLength(MAX_BYTES)
                    .build())
            .build();

    private static final int MAX_STRICT_DEPTH = 16;

    private static final JsonFactory STRICT = JsonFactory.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .streamReadConstraints(StreamReadConstraints.builder()
                    .maxNestingDepth(MAX_STRICT_DEPTH)
                    .maxDocumentLength(MAX_BYTES)
                    .build())
            .build();

    private Json() {}

    /**
     * Reads one document.
     *
     * @return a {@code Map<String, Object>} in the order of the document, {@code List<Object>}, {@link String},
     *     {@link Long}, {@link BigInteger}, {@link Double}, {@link Boolean} or {@code null}
     * @throws JsonException when it is not exactly one JSON document, too large or too deep; nothing else is thrown
     */
    public static @Nullable Object read(byte[] bytes) throws JsonException {
        return read(FACTORY, bytes);
    }

    /**
     * Reads one document on which security rests: as {@link #read(byte[])}, but no object may have a member twice, since
     * others may take another of the two, and it may be nested {@value #MAX_STRICT_DEPTH} levels deep.
     */
    public static @Nullable Object readStrictly(byte[] bytes) throws JsonException {
        return read(STRICT, bytes);
    }

    private static @Nullable Object read(JsonFactory factory, byte[] bytes) throws JsonException {
        if (bytes.length > MAX_BYTES) {
            throw new JsonException("it is larger than " + MAX_BYTES + " bytes");
        }
        try (JsonParser parser = factory.createParser(ObjectReadContext.empty(), bytes)) {
            JsonToken first = parser.nextToken();
            if (first == null) {
                throw new JsonException("it is empty");
            }
            Object value = value(parser, first);
            if (parser.nextToken() != null) {
                throw new JsonException("it has trailing content");
            }
            return value;
        } catch (JacksonException e) {
            TokenStreamLocation at = e.getLocation();
            throw new JsonException("it is not JSON"
                    + (at == null ? "" : " (line " + at.getLineNr() + ", column " + at.getColumnNr() + ")"));
        } catch (RuntimeException e) {
            throw new JsonException("it is not JSON");
        }
    }

    /** Reads one document from text; see {@link #read(byte[])}. */
    public static @Nullable Object read(String text) throws JsonException {
        return read(text.getBytes(StandardCharsets.UTF_8));
    }

    private static @Nullable Object value(JsonParser parser, JsonToken token) throws JsonException {
        return switch (token) {
            case START_OBJECT -> object(parser);
            case START_ARRAY -> array(parser);
            case VALUE_STRING -> parser.getString();
            case VALUE_NUMBER_INT -> integer(parser);
            case VALUE_NUMBER_FLOAT -> parser.getDoubleValue();
            case VALUE_TRUE -> true;
            case VALUE_FALSE -> false;
            case VALUE_NULL -> null;
            default -> throw new JsonException("it is not JSON");
        };
    }

    private static Number integer(JsonParser parser) {
        BigInteger value = parser.getBigIntegerValue();
        return value.bitLength() < Long.SIZE ? (Number) value.longValue() : value;
    }

    private static Map<String, @Nullable Object> object(JsonParser parser) throws JsonException {
        Map<String, @Nullable Object> map = new LinkedHashMap<>();
        for (JsonToken token = next(parser); token != JsonToken.END_OBJECT; token = next(parser)) {
            String name = parser.currentName();
            map.put(name, value(parser, next(parser)));
        }
        return map;
    }

    private static List<@Nullable Object> array(JsonParser parser) throws JsonException {
        List<@Nullable Object> list = new ArrayList<>();
        for (JsonToken token = next(parser); token != JsonToken.END_ARRAY; token = next(parser)) {
            list.add(value(parser, token));
        }
        return list;
    }

    private static JsonToken next(JsonParser parser) throws JsonException {
        JsonToken token = parser.nextToken();
        if (token == null) {
            throw new JsonException("it ends too early");
        }
        return token;
    }

    /**
     * Writes a document.
     *
     * @param value maps with string keys, iterables, strings, numbers, booleans and {@code null}
     * @throws IllegalArgumentException when a value cannot be written; the message names its place, not the value
     */
    public static byte[] write(String name, @Nullable Object value) {
        // The generator hands over a short text in one piece, which then sizes the array.
        ByteArrayOutputStream out = new ByteArrayOutputStream(0);
        try (JsonGenerator generator = FACTORY.createGenerator(ObjectWriteContext.empty(), out)) {
            write(generator, name, value, 0);
        } catch (JacksonException e) {
            // Without the cause: its message may quote the value.
            throw new IllegalArgumentException(name + " cannot be written as JSON");
        }
        return out.toByteArray();
    }

    private static void write(JsonGenerator out, String name, @Nullable Object value, int depth) {
        if (depth > MAX_WRITE_DEPTH) {
            throw new IllegalArgumentException(
                    "A value is nested more than " + MAX_WRITE_DEPTH + " levels deep, or contains itself");
        }
        if (value == null) {
            out.writeNull();
        } else if (value instanceof CharSequence text) {
            out.writeString(wellFormed(name, text.toString()));
        } else if (value instanceof Boolean flag) {
            out.writeBoolean(flag);
        } else if (value instanceof Number number) {
            writeNumber(out, name, number);
        } else if (value instanceof Map<?, ?> map) {
            out.writeStartObject();
            for (Map.Entry<?, ?> entry : map.entrySet()) {
                if (!(entry.getKey() instanceof String key)) {
                    throw new IllegalArgumentException(name + " has a key that is not a string");
                }
                out.writeName(wellFormed(name, key));
                write(out, name + "." + key, entry.getValue(), depth + 1);
            }
            out.writeEndObject();
        } else if (value instanceof Iterable<?> items) {
            out.writeStartArray();
            int index = 0;
            for (Object item : items) {
                write(out, name + "[" + index + "]", item, depth + 1);
                index++;
            }
            out.writeEndArray();
        } else {
            throw new IllegalArgumentException(name + " is a "
                    + value.getClass().getName() + "; JSON takes maps, iterables, strings, numbers, booleans and null");
        }
    }

    private static void writeNumber(JsonGenerator out, String name, Number number) {
        if (number instanceof BigInteger integer) {
            out.writeNumber(integer);
        } else if (number instanceof BigDecimal decimal) {
            out.writeNumber(decimal);
        } else if (number instanceof Double || number instanceof Float) {
            if (!Double.isFinite(number.doubleValue())) {
                throw new IllegalArgumentException(name + " is not a finite number");
            }
            out.writeNumber(new BigDecimal(number.toString()));
        } else {
            out.writeNumber(number.longValue());
        }
    }

    private static String wellFormed(String name, String text) {
        if (!Chars.isWellFormed(text)) {
            throw new IllegalArgumentException(name + " holds half of a surrogate pair");
        }
        return text;
    }
}
