package run.caracal.platform;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Reads requests to the Coordinator, and refuses those that are malformed in the words of the framework it stands on. */
final class CoordinatorInput {

    private CoordinatorInput() {}

    /** The JSON body; null when there is none, which is fine as long as no content type promises one. */
    static @Nullable Object json(Call call) {
        String contentType = call.header("content-type").orElse("");
        Body body = call.body();
        if (body.tooLarge()) {
            throw new BadRequest(413, "internal_error", "Request body is too large", Map.of());
        }
        if (contentType.isEmpty()) {
            if (!body.isEmpty() || call.header("transfer-encoding").isPresent()) {
                throw unsupportedMediaType();
            }
            return null;
        }
        String mediaType = contentType.split(";", 2)[0].strip();
        if (!mediaType.equalsIgnoreCase("application/json")) {
            throw unsupportedMediaType();
        }
        if (body.isEmpty()) {
            throw new BadRequest(
                    400,
                    "internal_error",
                    "Body cannot be empty when content-type is set to 'application/json'",
                    Map.of());
        }
        try {
            return Json.parse(body.bytes());
        } catch (Json.InvalidJson e) {
            throw new BadRequest(
                    400,
                    "internal_error",
                    "Body is not valid JSON but content-type is set to 'application/json'",
                    Map.of());
        }
    }

    private static BadRequest unsupportedMediaType() {
        return new BadRequest(415, "internal_error", "Unsupported Media Type", Map.of());
    }

    /** The key under which the request is to be done once; null when it has none. */
    static @Nullable IdempotencyKey idempotencyKey(Call call, Mandate caller, PlatformLimits limits) {
        List<String> keys = call.headers("idempotency-key");
        if (keys.isEmpty()) {
            return null;
        }
        if (keys.size() > 1) {
            throw badKey(call, "idempotency_key_multiple", "Idempotency-Key must be sent once");
        }
        String key = keys.get(0);
        boolean valid = !key.isEmpty()
                && key.equals(key.strip())
                && key.getBytes(StandardCharsets.UTF_8).length <= 255
                && key.chars().noneMatch(Character::isISOControl);
        if (!valid) {
            throw badKey(
                    call,
                    "idempotency_key_invalid",
                    "Idempotency-Key must be 1 to 255 bytes without control characters");
        }
        boolean generated =
                call.header("idempotency-key-kind").filter("generated"::equals).isPresent();
        return new IdempotencyKey(
                key,
                generated ? limits.generatedIdempotencyRetention : limits.idempotencyRetention,
                caller.applicationId(),
                caller.text("sub"));
    }

    private static BadRequest badKey(Call call, String code, String message) {
        return new BadRequest(400, code, null, Map.of("message", message, "request_id", requestId(call)));
    }

    /** Refuses a body with everything that is wrong with it. */
    static void check(Fields fields) {
        if (!fields.issues().isEmpty()) {
            throw new BadRequest(
                    400,
                    "invalid_body",
                    "Request body is invalid",
                    Map.of("details", Map.of("issues", fields.issues())));
        }
    }

    /** How many items a page may have. */
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
