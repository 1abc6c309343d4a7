package run.caracal.vectors;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.json.JsonFactory;

/** A small reader of whole JSON documents, for tests: maps, lists, strings, numbers, booleans and nulls. */
public final class VectorJson {
    private static final JsonFactory FACTORY = new JsonFactory();

    private VectorJson() {}

    /** Reads a document whose root is an object. */
    public static VectorObject parseObject(byte[] json) {
        if (parse(json) instanceof Map<?, ?> map) {
            @SuppressWarnings("unchecked") // read() makes no other maps
            Map<String, @Nullable Object> members = (Map<String, @Nullable Object>) map;
            return new VectorObject(members);
        }
        throw new AssertionError("the document is not an object");
    }

    /** Reads a document. */
    public static @Nullable Object parse(byte[] json) {
        try (JsonParser parser = FACTORY.createParser(ObjectReadContext.empty(), json)) {
            return read(parser, parser.nextToken());
        }
    }

    private static @Nullable Object read(JsonParser parser, @Nullable JsonToken token) {
        return switch (Objects.requireNonNull(token, "the document ends early")) {
            case START_OBJECT -> {
                Map<String, @Nullable Object> map = new LinkedHashMap<>();
                while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
                    String name = parser.currentName();
                    map.put(name, read(parser, parser.nextToken()));
                }
                yield map;
            }
            case START_ARRAY -> {
                List<@Nullable Object> list = new ArrayList<>();
                JsonToken next;
                while ((next = parser.nextToken()) != JsonToken.END_ARRAY) {
                    list.add(read(parser, next));
                }
                yield list;
            }
            case VALUE_STRING -> parser.getString();
            case VALUE_NUMBER_INT -> {
                Number number = parser.getNumberValue();
                yield number instanceof Integer ? (Object) number.longValue() : number;
            }
            case VALUE_NUMBER_FLOAT -> parser.getDoubleValue();
            case VALUE_TRUE -> true;
            case VALUE_FALSE -> false;
            case VALUE_NULL -> null;
            default -> throw new AssertionError("unexpected " + token);
        };
    }
}
