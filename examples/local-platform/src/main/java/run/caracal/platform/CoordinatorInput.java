package run.caracal.platform;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Reads requests to the Coordinator, and rejects malformed ones in the words of its web framework. */
final class CoordinatorInput {

    private static final String FAILED = "The service failed to process the request";

    private CoordinatorInput() {}

    /** The JSON body; {@link Fields#ABSENT} without one, unless a content type announces it. */
    static @Nullable Object json(Call call) {
        String contentType = call.header("content-type").orElse("");
        Body body = call.body();
        if (body.tooLarge()) {
            throw failed(413);
        }
        if (contentType.isEmpty()) {
            if (!body.isEmpty() || call.header("transfer-encoding").isPresent()) {
                throw failed(415);
            }
            return Fields.ABSENT;
        }
        String mediaType = contentType.split(";", 2)[0].strip();
        if (!mediaType.equalsIgnoreCase("application/json")) {
            throw failed(415);
        }
        if (body.isEmpty()) {
            throw failed(400);
        }
        try {
            return Json.parse(body.bytes());
        } catch (Json.InvalidJson e) {
            throw failed(400);
        }
    }

    private static BadRequest failed(int status) {
        return new BadRequest(status, "internal_error", FAILED, Map.of());
    }

    /** The idempotency key; null if absent. Several are joined. */
    static @Nullable IdempotencyKey idempotencyKey(Call call, Mandate caller, PlatformLimits limits) {
        List<String> keys = call.headers("idempotency-key");
        if (keys.isEmpty()) {
            return null;
        }
        String key = String.join(", ", keys);
        boolean valid = !key.isEmpty()
                && key.equals(key.strip())
                && key.getBytes(StandardCharsets.UTF_8).length <= 255
                && key.chars().noneMatch(Character::isISOControl);
        if (!valid) {
            throw new BadRequest(
                    400,
                    "idempotency_key_invalid",
                    null,
                    Map.of(
                            "message",
                            "Idempotency-Key must be at most 255 UTF-8 bytes and contain no control characters",
                            "request_id",
                            requestId(call)));
        }
        boolean generated =
                call.header("idempotency-key-kind").filter("generated"::equals).isPresent();
        return new IdempotencyKey(
                key,
                generated ? limits.generatedIdempotencyRetention : limits.idempotencyRetention,
                caller.applicationId(),
                caller.text("sub"));
    }

    /** Rejects a body with all its faults. */
    static void check(Fields fields) {
        if (!fields.issues().isEmpty()) {
            throw new BadRequest(
                    400,
                    "invalid_body",
                    "Request body failed validation",
                    Map.of("details", Map.of("issues", fields.issues())));
        }
    }

    /** Parses a page size. */
    static int limit(String text) {
        if (text.isEmpty()) {
            return 100;
        }
        if (text.matches("[1-9][0-9]{0,2}") && Integer.parseInt(text) <= 500) {
            return Integer.parseInt(text);
        }
        throw new Refusal(400, "invalid_query");
    }

    static String requestId(Call call) {
        return call.header("x-request-id").filter(id -> !id.isEmpty()).orElseGet(Ids::random);
    }
}
