package run.caracal.platform;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.handler.codec.http.DefaultHttpHeaders;
import io.netty.handler.codec.http.HttpHeaders;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/**
 * The protected API: charges an amount, and has endpoints for experiments. It serves only requests that passed the Gateway:
 * each must carry a token that was issued for one of the zone's resources.
 */
final class BillingApi {

    private static final Duration LONGEST_WAIT = Duration.ofMinutes(2);
    private static final int LONGEST_STREAM = 1_000_000;

    private final Zone zone;

    BillingApi(Zone zone) {
        this.zone = zone;
    }

    Mono<Void> handle(Call call) {
        if (!cameThroughGateway(call)) {
            return call.send(error(401, "invalid_token", "a token for this resource is required")
                    .with("WWW-Authenticate", "Bearer"));
        }
        Form query = call.queryFields();
        if (call.path().startsWith("/status/")) {
            return call.send(status(call, query));
        }
        return switch (call.path()) {
            case "/charge" -> call.send(charge(call));
            case "/echo" -> call.send(echo(call));
            case "/slow" ->
                Mono.delay(millis(query.first("ms"))).then(call.send(Answer.json(200, Map.of("status", "slow"))));
            case "/stream" -> stream(call, query);
            default -> call.send(error(404, "not_found", "no such path"));
        };
    }

    private boolean cameThroughGateway(Call call) {
        return call.header("authorization")
                .flatMap(Bearer::of)
                .flatMap(zone.keys::verify)
                .filter(mandate -> mandate.use().equals(Mandate.USE_RESOURCE))
                .filter(mandate -> zone.now().isBefore(mandate.expiresAt()))
                .filter(mandate -> mandate.texts("aud").stream().anyMatch(zone.resources::containsKey))
                .isPresent();
    }

    private static Answer charge(Call call) {
        if (!call.method().equals("POST")) {
            return error(405, "method_not_allowed", "charge with POST").with("Allow", "POST");
        }
        try {
            Map<String, @Nullable Object> order = Json.parseObject(call.body().bytes());
            if (order.get("amount") instanceof Long amount && amount > 0) {
                Map<String, @Nullable Object> receipt = Json.object();
                receipt.put("status", "charged");
                receipt.put("amount", amount);
                receipt.put("receipt", Ids.random());
                return Answer.json(200, receipt);
            }
        } catch (Json.InvalidJson e) {
            return error(400, "invalid_body", e.getMessage());
        }
        return error(400, "invalid_amount", "amount must be a positive whole number");
    }

    /** The request as it arrived, without its credential. */
    private static Answer echo(Call call) {
        Map<String, @Nullable Object> headers = new TreeMap<>();
        call.requestHeaders().names().forEach(name -> {
            if (!name.equalsIgnoreCase("authorization")) {
                headers.put(name.toLowerCase(Locale.ROOT), call.headers(name));
            }
        });
        Map<String, @Nullable Object> echo = Json.object();
        echo.put("method", call.method());
        echo.put("path", call.path());
        echo.put("query", call.query());
        echo.put("headers", headers);
        echo.put("body", call.body().text());
        return Answer.json(200, echo);
    }

    private static Answer status(Call call, Form query) {
        String code = call.path().substring("/status/".length());
        if (!code.matches("[2-5][0-9]{2}")) {
            return error(404, "not_found", "no such status");
        }
        int status = Integer.parseInt(code);
        Answer answer = Answer.json(status, Map.of("status", status));
        return query.has("location") ? answer.with("Location", query.first("location")) : answer;
    }

    private static Mono<Void> stream(Call call, Form query) {
        int count = (int) number(query.first("count"), 10, LONGEST_STREAM);
        Duration pause = millis(query.first("ms"));
        Flux<ByteBuf> lines =
                Flux.range(0, count).map(i -> Unpooled.copiedBuffer("data: " + i + "\n\n", StandardCharsets.UTF_8));
        HttpHeaders headers = new DefaultHttpHeaders().set("Content-Type", "text/event-stream");
        return call.stream(200, headers, pause.isZero() ? lines : lines.delayElements(pause), trailers -> {});
    }

    private static Duration millis(String text) {
        return Duration.ofMillis(number(text, 0, LONGEST_WAIT.toMillis()));
    }

    private static long number(String text, long absent, long max) {
        return text.matches("[0-9]{1,9}") ? Math.min(Long.parseLong(text), max) : absent;
    }

    private static Answer error(int status, String code, @Nullable String description) {
        Map<String, @Nullable Object> body = Json.object();
        body.put("error", code);
        body.put("error_description", description);
        return Answer.json(status, body);
    }
}
