package run.caracal.platform;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Sends requests, and records the parts of each answer that are the same on every platform: its status, its headers, the names
 * and types of its body's members, and the values of some. Ids, times and tokens are not recorded.
 */
final class Recorder {

    private static final Set<String> UNSTABLE = Set.of("date", "content-length", "connection", "keep-alive");
    private static final Set<String> HEADERS_WITH_VALUE = Set.of(
            "content-type",
            "cache-control",
            "www-authenticate",
            "trailer",
            "x-content-type-options",
            "idempotency-replayed",
            "allow",
            "transfer-encoding",
            "vary",
            "retry-after",
            "location");
    private static final List<String> TELLING = List.of(
            "error",
            "error_description",
            "message",
            "detail",
            "status",
            "state",
            "valid",
            "revoked_edges",
            "affected_sessions",
            "terminated_sessions",
            "lease_generation",
            "warnings",
            "allow_reason",
            "depth",
            "ttl_seconds",
            "lifecycle",
            "labels",
            "scope",
            "expires_in",
            "target_resources",
            "token_type",
            "details",
            "decision");

    private final HttpClient client = HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .connectTimeout(Duration.ofSeconds(5))
            .build();
    private final Map<String, Map<String, @Nullable Object>> records = new LinkedHashMap<>();

    /** An answer: its status, its headers and its body. */
    record Answered(int status, Map<String, String> headers, String body) {

        /** The body as JSON; null for any other. */
        @Nullable
        Object json() {
            try {
                return Json.parse(body.getBytes(StandardCharsets.UTF_8));
            } catch (Json.InvalidJson e) {
                return null;
            }
        }

        /** A member of the body; null if absent. */
        @Nullable
        Object member(String name) {
            return json() instanceof Map<?, ?> map ? map.get(name) : null;
        }

        String text(String name) {
            return String.valueOf(member(name));
        }
    }

    /** Sends and records nothing; headers are names and values in turn. */
    Answered send(String method, String url, @Nullable String body, List<String> headers) {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(url))
                .timeout(Duration.ofSeconds(30))
                .method(method, body == null ? BodyPublishers.noBody() : BodyPublishers.ofString(body));
        for (int i = 0; i < headers.size(); i += 2) {
            request.header(headers.get(i), headers.get(i + 1));
        }
        try {
            HttpResponse<String> response = client.send(request.build(), HttpResponse.BodyHandlers.ofString());
            Map<String, String> last = new TreeMap<>();
            response.headers().map().forEach((name, values) -> last.put(name, values.get(values.size() - 1)));
            return new Answered(response.statusCode(), last, response.body());
        } catch (IOException e) {
            throw new AssertionError(method + " " + url, e);
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    /** Sends and records the answer. */
    Answered record(String name, String method, String url, @Nullable String body, List<String> headers) {
        Answered answer = send(method, url, body, headers);
        Map<String, @Nullable Object> record = Json.object();
        record.put("status", (long) answer.status());
        record.put("headers", headers(answer));
        Object json = answer.json();
        if (json == null) {
            record.put(
                    "body",
                    answer.body().substring(0, Math.min(200, answer.body().length())));
        } else {
            record.put("keys", shape(json, 2));
        }
        if (json instanceof Map<?, ?> members) {
            TELLING.stream().filter(members::containsKey).forEach(member -> record.put(member, members.get(member)));
            if (members.get("agent") instanceof Map<?, ?> agent) {
                record.put("agent.status", agent.get("status"));
                record.put("agent.lg", agent.get("lease_generation"));
            }
        }
        add(name, record);
        return answer;
    }

    /** Records a derived value. */
    void note(String name, @Nullable Object... members) {
        Map<String, @Nullable Object> record = Json.object();
        for (int i = 0; i < members.length; i += 2) {
            record.put(String.valueOf(members[i]), members[i + 1]);
        }
        add(name, record);
    }

    /** Records the claims of a token. */
    void noteClaims(String name, String token) {
        Map<String, @Nullable Object> claims = Http.claims(token);
        Map<String, @Nullable Object> types = Json.object();
        claims.forEach((claim, value) ->
                types.put(claim, type(value) + (value instanceof List<?> list ? "[" + list.size() + "]" : "")));
        List<List<String>> chain = new ArrayList<>();
        if (claims.get("delegation_chain") instanceof List<?> hops) {
            hops.forEach(hop -> chain.add(((Map<?, ?>) hop)
                    .keySet().stream().map(String::valueOf).sorted().toList()));
        }
        Map<String, @Nullable Object> header = Http.header(token);
        note(
                name,
                "claims",
                types,
                "use",
                claims.get("use"),
                "sub_type",
                claims.get("sub_type"),
                "hop_count",
                claims.get("hop_count"),
                "chain_keys",
                chain,
                "hdr",
                header.keySet().stream().sorted().toList(),
                "alg",
                header.get("alg"),
                "life",
                seconds(claims, "exp") - seconds(claims, "iat"),
                "scope",
                claims.get("scope"));
    }

    /** All records by name, in order. */
    Map<String, Map<String, @Nullable Object>> records() {
        return records;
    }

    private void add(String name, Map<String, @Nullable Object> record) {
        if (records.put(name, record) != null) {
            throw new AssertionError("recorded twice: " + name);
        }
    }

    private static Map<String, String> headers(Answered answer) {
        return answer.headers().entrySet().stream()
                .filter(header -> !UNSTABLE.contains(header.getKey()))
                .collect(Collectors.toMap(
                        Map.Entry::getKey,
                        header -> HEADERS_WITH_VALUE.contains(header.getKey()) ? header.getValue() : "*"));
    }

    /** The members of a value and their types, some levels deep; of a list, only its first item. */
    static Object shape(@Nullable Object value, int depth) {
        if (value instanceof Map<?, ?> map) {
            Map<String, Object> members = new TreeMap<>();
            map.forEach((name, member) ->
                    members.put(String.valueOf(name), depth > 0 ? shape(member, depth - 1) : type(member)));
            return members;
        }
        if (value instanceof List<?> list) {
            return list.isEmpty() ? List.of() : List.of(shape(list.get(0), depth - 1));
        }
        return type(value);
    }

    private static String type(@Nullable Object value) {
        if (value == null) {
            return "NoneType";
        }
        if (value instanceof String) {
            return "str";
        }
        if (value instanceof Boolean) {
            return "bool";
        }
        if (value instanceof Map<?, ?>) {
            return "dict";
        }
        if (value instanceof List<?>) {
            return "list";
        }
        return value instanceof Double ? "float" : "int";
    }

    private static long seconds(Map<?, ?> claims, String name) {
        return (Long) Objects.requireNonNull(claims.get(name), name);
    }
}
