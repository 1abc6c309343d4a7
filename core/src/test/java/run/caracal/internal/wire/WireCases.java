package run.caracal.internal.wire;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigDecimal;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import run.caracal.http.HttpRequest;
import run.caracal.http.HttpResponse;
import run.caracal.vectors.VectorCase;
import run.caracal.vectors.VectorJson;
import run.caracal.vectors.VectorObject;

/** Helpers of the wire tests: the conversion of cases to requests and answers, and the comparison of requests. */
final class WireCases {
    static final Duration TIMEOUT = Duration.ofSeconds(10);
    static final long CLOCK = 1_767_225_600L;

    private static final List<String> RECORDED_HEADERS =
            List.of("authorization", "idempotency-key", "idempotency-key-kind", "tracestate");
    private static final Pattern TRACE_ID = Pattern.compile("(?!0{32})[0-9a-f]{32}");
    private static final Pattern FLAGS = Pattern.compile("[0-9a-f]{2}");

    private WireCases() {}

    static HttpRequest request(String method, String path) {
        URI uri = URI.create("http://service.test" + path);
        return new HttpRequest(method, uri, Map.of(), new byte[0], TIMEOUT, CoordinatorRequests.MAX_RESPONSE_BYTES);
    }

    static HttpResponse response(int status, String body) {
        return response(status, Map.of(), body);
    }

    static HttpResponse response(int status, Map<String, String> headers, String body) {
        return new HttpResponse(status, headers, body.getBytes(StandardCharsets.UTF_8));
    }

    /** The answer of an error case. */
    static HttpResponse response(VectorObject input) {
        Map<String, String> headers = new HashMap<>();
        VectorObject given = input.objectOrNull("headers");
        if (given != null) {
            given.map().forEach((name, value) -> headers.put(name, String.valueOf(value)));
        }
        return new HttpResponse(input.intOr("status", 0), headers, body(input));
    }

    private static byte[] body(VectorObject input) {
        if (input.hasValue("body_hex")) {
            return HexFormat.of().parseHex(input.string("body_hex"));
        }
        VectorObject repeat = input.objectOrNull("body_repeat");
        String text = repeat != null
                ? repeat.string("char").repeat(repeat.intOr("count", 0))
                : input.hasValue("body") ? input.string("body") : "";
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static Instant clock(VectorObject input) {
        return Instant.ofEpochSecond(
                input.hasValue("now_epoch_seconds") ? (long) input.number("now_epoch_seconds") : CLOCK);
    }

    /** The call of a request case: the traceparent is made from its parts as the code above this layer does it. */
    static CallHeaders call(VectorObject fields) {
        String traceId = fields.stringOrNull("trace_id");
        String flags = fields.stringOrNull("trace_flags");
        String traceparent = traceId == null || !TRACE_ID.matcher(traceId).matches()
                ? null
                : "00-" + traceId + "-00f067aa0ba902b7-"
                        + (flags != null && FLAGS.matcher(flags).matches() ? flags : "01");
        return new CallHeaders("Bearer tok-1", traceparent, fields.stringOrNull("trace_state"), TIMEOUT);
    }

    static URI base(VectorObject input) {
        String base = input.stringOrNull("base_url");
        return URI.create(base == null ? "http://coordinator.test" : base);
    }

    /** Whether an id among the fields can be no segment of a path, so that the call is refused (vectors/README.md). */
    static boolean hasUnsafeId(VectorObject fields, String... names) {
        for (String name : names) {
            String id = fields.stringOrNull(name);
            if (id != null && (id.isEmpty() || id.equals(".") || id.equals(".."))) {
                return true;
            }
        }
        return false;
    }

    /** Compares a request with the one that the peer sent. */
    static void assertSame(HttpRequest actual, VectorObject expected, Map<String, String> ourHeaders) {
        assertThat(actual.method()).isEqualTo(expected.string("method"));
        assertThat(actual.uri().getRawPath()).isEqualTo(expected.string("path"));

        Map<String, String> headers = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
        headers.putAll(actual.headers());
        VectorObject theirs = expected.object("headers");
        for (String name : RECORDED_HEADERS) {
            String ours = ourHeaders.get(name);
            assertThat(headers.get(name)).as(name).isEqualTo(ours == null ? theirs.stringOrNull(name) : ours);
        }
        String pattern = theirs.stringOrNull("traceparent_pattern");
        if (pattern == null) {
            assertThat(headers).doesNotContainKey("traceparent");
        } else {
            assertThat(headers.get("traceparent")).matches(pattern);
        }

        byte[] body = actual.body();
        // The platform refuses a content type without a body, and a body without one.
        assertThat(headers.get("Content-Type")).isEqualTo(body == null ? null : "application/json");
        assertThat(body == null ? null : byValue(VectorJson.parse(body))).isEqualTo(byValue(expected.value("body")));
        assertThat(actual.timeout()).isEqualTo(TIMEOUT);
        assertThat(actual.maxResponseBytes()).isEqualTo(CoordinatorRequests.MAX_RESPONSE_BYTES);
    }

    /** Numbers by value: 30 equals 30.0. */
    static @Nullable Object byValue(@Nullable Object json) {
        if (json instanceof Number number) {
            return new BigDecimal(number.toString()).stripTrailingZeros();
        }
        if (json instanceof Map<?, ?> map) {
            Map<String, @Nullable Object> copy = new TreeMap<>();
            map.forEach((key, value) -> copy.put((String) key, byValue(value)));
            return copy;
        }
        if (json instanceof List<?> list) {
            List<@Nullable Object> copy = new ArrayList<>();
            list.forEach(item -> copy.add(byValue(item)));
            return copy;
        }
        return json;
    }

    /** A timestamp as this SDK reads it: an invalid one counts as unknown. */
    static @Nullable Instant instant(@Nullable Object value) {
        try {
            return value instanceof String text ? OffsetDateTime.parse(text).toInstant() : null;
        } catch (DateTimeException e) {
            return null;
        }
    }

    static long wholeNumber(VectorCase vector, VectorObject fields, String name) {
        Object value = fields.value(name);
        if (value == null) {
            return 0;
        }
        if (value instanceof Long number) {
            return number;
        }
        throw vector.leaveOut(name + " is a number in Java");
    }

    static List<String> texts(VectorCase vector, VectorObject fields, String name) {
        Object value = fields.value(name);
        if (value == null) {
            return List.of();
        }
        if (value instanceof List<?> list && list.stream().allMatch(String.class::isInstance)) {
            return fields.strings(name);
        }
        throw vector.leaveOut(name + " is a list of strings in Java");
    }

    /** Whether only Python takes it for a number: separators, digits of other scripts, {@code inf} and {@code nan}. */
    static boolean isPythonNumber(String text) {
        String lower = text.toLowerCase(Locale.ROOT);
        return lower.contains("_")
                || lower.contains("inf")
                || lower.contains("nan")
                || lower.chars().anyMatch(c -> c >= 0x80);
    }
}
