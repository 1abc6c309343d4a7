package run.caracal.platform;

import io.netty.handler.codec.http.DefaultHttpHeaders;
import io.netty.handler.codec.http.HttpHeaders;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** The headers that the Gateway forwards, in both directions. */
final class ForwardedHeaders {

    private static final Set<String> HOP_BY_HOP = Set.of(
            "connection",
            "proxy-connection",
            "keep-alive",
            "proxy-authenticate",
            "proxy-authorization",
            "te",
            "trailer",
            "transfer-encoding",
            "upgrade");
    private static final Set<String> NOT_TO_UPSTREAM =
            Set.of("forwarded", "x-real-ip", "authorization", "host", "content-length", "x-request-id");
    private static final Set<String> NOT_TO_CLIENT = Set.of(
            "x-caracal-identity", "server", "x-powered-by", "x-aspnet-version", "x-aspnetmvc-version", "refresh");
    private static final Pattern TRACEPARENT =
            Pattern.compile("(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?");

    /** The trailer of a truncated answer. */
    static final String REVOKED = "X-Caracal-Revoked";

    private ForwardedHeaders() {}

    /** The headers of the client for the upstream, with those of the Gateway and the credential of the resource. */
    static HttpHeaders toUpstream(Call call, String requestId, String resourceToken) {
        Set<String> named = namedByConnection(call.requestHeaders());
        HttpHeaders headers = new DefaultHttpHeaders();
        for (Map.Entry<String, String> header : call.requestHeaders()) {
            String name = header.getKey().toLowerCase(Locale.ROOT);
            boolean dropped = HOP_BY_HOP.contains(name)
                    || NOT_TO_UPSTREAM.contains(name)
                    || named.contains(name)
                    || name.startsWith("x-caracal-")
                    || name.startsWith("x-forwarded-");
            if (!dropped && !name.equals("baggage") && !name.equals("traceparent")) {
                headers.add(header.getKey(), header.getValue());
            }
        }
        String baggage = foreignBaggage(call.headers("baggage"));
        if (!baggage.isEmpty()) {
            headers.set("Baggage", baggage);
        }
        headers.set("Traceparent", traceparent(call));
        headers.set("X-Request-Id", requestId);
        headers.set("X-Forwarded-For", call.clientAddress());
        headers.set("X-Forwarded-Proto", "http");
        headers.set("X-Forwarded-Host", call.header("host").orElse(""));
        headers.set("Authorization", "Bearer " + resourceToken);
        return headers;
    }

    /** The headers of the upstream for the client, after the Gateway's request id. */
    static HttpHeaders toClient(HttpHeaders upstream, String requestId, long secondsLeft) {
        Set<String> named = namedByConnection(upstream);
        HttpHeaders headers = new DefaultHttpHeaders();
        headers.add("X-Request-Id", requestId);
        headers.add("X-Caracal-Token-Expires-In", Long.toString(secondsLeft));
        for (Map.Entry<String, String> header : upstream) {
            String name = header.getKey().toLowerCase(Locale.ROOT);
            boolean dropped = HOP_BY_HOP.contains(name)
                    || NOT_TO_CLIENT.contains(name)
                    || named.contains(name)
                    || ((name.equals("location") || name.equals("content-location"))
                            && pointsElsewhere(header.getValue()));
            if (!dropped) {
                headers.add(header.getKey(), header.getValue());
            }
        }
        headers.add("Trailer", REVOKED);
        return headers;
    }

    /** The trace id that the upstream receives. */
    static String traceId(HttpHeaders toUpstream) {
        return toUpstream.get("Traceparent").split("-", -1)[1];
    }

    private static String traceparent(Call call) {
        List<String> values = call.headers("traceparent");
        if (values.size() == 1 && isTraceparent(values.get(0))) {
            return values.get(0);
        }
        ThreadLocalRandom random = ThreadLocalRandom.current();
        return String.format("00-%016x%016x-%016x-01", random.nextLong(), random.nextLong() | 1, random.nextLong() | 1);
    }

    private static boolean isTraceparent(String value) {
        return TRACEPARENT.matcher(value).matches() && (!value.startsWith("00") || value.split("-", -1).length == 4);
    }

    private static String foreignBaggage(List<String> values) {
        return values.stream()
                .flatMap(value -> Arrays.stream(value.split(",", -1)))
                .map(String::strip)
                .filter(member -> !member.isEmpty() && !member.startsWith("caracal."))
                .collect(Collectors.joining(","));
    }

    private static Set<String> namedByConnection(HttpHeaders headers) {
        Set<String> named = new HashSet<>();
        for (String value : headers.getAll("connection")) {
            for (String name : value.split(",", -1)) {
                named.add(name.strip().toLowerCase(Locale.ROOT));
            }
        }
        return named;
    }

    private static boolean pointsElsewhere(String location) {
        return location.startsWith("//") || location.matches("[A-Za-z][A-Za-z0-9+.-]*:.*");
    }
}
