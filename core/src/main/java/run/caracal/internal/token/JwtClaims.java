package run.caracal.internal.token;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.OptionalDouble;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.core.json.JsonReadFeature;

/**
 * The claims of a token, read without verification: enough to reject a token that is plainly useless. Reading
 * never fails; what is not a JSON Web Token has no claims.
 *
 * @param algorithm the {@code alg} of the header, when there is one
 * @param expiry the {@code exp} of the payload in seconds since the epoch; {@link Double#NaN} or an infinity for one that
 *     is there but is no point in time, such as a boolean
 */
public record JwtClaims(@Nullable String algorithm, OptionalDouble expiry) {

    private static final int PARTS = 3;

    /**
     * The parser is bounded by the length of the token; the factory's own bounds would hide an expiry behind deep nesting
     * or a long number.
     */
    private static final JsonFactory JSON = JsonFactory.builder()
            .enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS)
            .streamReadConstraints(StreamReadConstraints.builder()
                    .maxNestingDepth(Integer.MAX_VALUE)
                    .maxNumberLength(Integer.MAX_VALUE)
                    .maxNameLength(Integer.MAX_VALUE)
                    .maxStringLength(Integer.MAX_VALUE)
                    .build())
            .build();

    /** Reads the claims of a token. */
    public static JwtClaims read(String token) {
        String[] parts = token.split("\\.", PARTS + 1);
        String algorithm = null;
        if (parts.length > 1 && member(parts[0].strip(), "alg") instanceof String text) {
            algorithm = text;
        }
        OptionalDouble expiry = OptionalDouble.empty();
        if (parts.length == PARTS && member(parts[1], "exp") instanceof Double number) {
            expiry = OptionalDouble.of(number);
        }
        return new JwtClaims(algorithm, expiry);
    }

    /** Whether it has what every identity token has: a header that names an algorithm, and an expiry. */
    public boolean isComplete() {
        return algorithm != null && expiry.isPresent();
    }

    /** A claim that is a text, or {@code null}. */
    public static @Nullable String text(String token, String claim) {
        String[] parts = token.split("\\.", PARTS + 1);
        return parts.length == PARTS && member(parts[1], claim) instanceof String text ? text : null;
    }

    /** Whether the header says that nothing signs the token. */
    public boolean isUnsigned() {
        return algorithm != null && algorithm.strip().equalsIgnoreCase("none");
    }

    /** Whether the token is past its expiry, or has one that is no point in time. */
    public boolean isExpiredAt(double epochSeconds) {
        return expiry.isPresent() && !(Double.isFinite(expiry.getAsDouble()) && expiry.getAsDouble() > epochSeconds);
    }

    /** The last member of that name: a String or a Double, NaN for a boolean; {@code null} for none of these. */
    private static @Nullable Object member(String part, String name) {
        String json = decode(part);
        if (json == null) {
            return null;
        }
        try (JsonParser parser = JSON.createParser(ObjectReadContext.empty(), json)) {
            if (parser.nextToken() != JsonToken.START_OBJECT) {
                return null;
            }
            Object found = null;
            while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
                boolean wanted = parser.currentName().equals(name);
                JsonToken value = parser.nextToken();
                if (wanted) {
                    found = scalar(parser, value);
                }
                parser.skipChildren();
            }
            return parser.nextToken() == null ? found : null;
        } catch (JacksonException e) {
            return null;
        }
    }

    private static @Nullable Object scalar(JsonParser parser, JsonToken token) {
        return switch (token) {
            case VALUE_STRING -> parser.getString();
            case VALUE_NUMBER_INT, VALUE_NUMBER_FLOAT -> number(parser.getString());
            case VALUE_TRUE, VALUE_FALSE -> Double.NaN;
            default -> null;
        };
    }

    /** A double of any length of digits; what Java cannot read (JSON's non-numbers) is not a number. */
    private static Double number(String text) {
        try {
            return Double.parseDouble(text);
        } catch (NumberFormatException e) {
            return Double.NaN;
        }
    }

    /**
     * Decodes base64 of either alphabet as the platform's other SDKs do: what is not of the alphabet is skipped, padding may be
     * absent, and the result must be UTF-8.
     */
    private static @Nullable String decode(String part) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(part.length());
        int quantum = 0;
        int bits = 0;
        int pads = 0;
        // The padding that completes the text to a multiple of four counts as being there.
        int length = (part.length() + 3) & ~3;
        for (int i = 0; i < length; i++) {
            char c = i < part.length() ? part.charAt(i) : '=';
            if (c > 0x7f) {
                return null;
            }
            if (c == '=') {
                if (bits >= 2 && bits + ++pads >= 4) {
                    bits = 0;
                    break;
                }
                continue;
            }
            int value = value(c);
            if (value < 0) {
                continue;
            }
            pads = 0;
            quantum = (quantum << 6 | value) & 0xfff;
            if (bits > 0) {
                bytes.write(quantum >> (6 - 2 * bits));
            }
            bits = (bits + 1) & 3;
        }
        if (bits != 0) {
            return null;
        }
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(bytes.toByteArray()))
                    .toString();
        } catch (CharacterCodingException e) {
            return null;
        }
    }

    private static int value(char c) {
        if (c >= 'A' && c <= 'Z') {
            return c - 'A';
        }
        if (c >= 'a' && c <= 'z') {
            return c - 'a' + 26;
        }
        if (c >= '0' && c <= '9') {
            return c - '0' + 52;
        }
        return switch (c) {
            case '+', '-' -> 62;
            case '/', '_' -> 63;
            default -> -1;
        };
    }
}
