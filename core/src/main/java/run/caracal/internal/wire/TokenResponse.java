package run.caracal.internal.wire;

import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import run.caracal.error.ProtocolException;
import run.caracal.http.HttpRequest;
import run.caracal.http.HttpResponse;
import run.caracal.internal.json.JsonException;
import run.caracal.internal.json.JsonObject;

/**
 * A token that the STS issued.
 *
 * @param expiresIn how long it lives from now; {@code null} when the answer does not say, so that the token has to
 * @param scopes the scopes it carries; {@code null} when the answer does not say, which means those asked for
 * @param targetResources the resources it is good for; {@code null} when the answer does not say
 * @param requestId the id of the exchange, or {@code null}
 */
public record TokenResponse(
        String accessToken,
        @Nullable Duration expiresIn,
        @Nullable List<String> scopes,
        @Nullable List<String> targetResources,
        @Nullable String requestId) {

    private static final Set<String> ISSUED_TYPES =
            Set.of("urn:ietf:params:oauth:token-type:access_token", "urn:ietf:params:oauth:token-type:jwt");

    private static final Pattern BLANKS = Pattern.compile("\\s+");

    /** No token lives longer; a larger number would only overflow sums. */
    private static final long MAX_SECONDS = Integer.MAX_VALUE;

    /**
     * Parses a successful answer, and checks what was issued.
     *
     * @throws ProtocolException when it is not JSON, holds no usable token, or a token of another type
     */
    public static TokenResponse parse(HttpRequest request, HttpResponse response) {
        return Answers.read(Answers.STS, request, response, body -> {
            String token = Answers.needed(body, "access_token");
            if (!CallHeaders.isToken(token)) {
                throw new JsonException("its access_token holds characters that no token has");
            }
            String type = body.string("token_type");
            if (body.has("token_type")
                    && (type == null || !type.toLowerCase(Locale.ROOT).equals("bearer"))) {
                throw new JsonException("its token_type is not Bearer");
            }
            String issued = body.string("issued_token_type");
            if (body.has("issued_token_type") && (issued == null || !ISSUED_TYPES.contains(issued))) {
                throw new JsonException("its issued_token_type is not an access token");
            }
            return new TokenResponse(
                    token,
                    lifetime(body),
                    scopes(body),
                    body.strings("target_resources"),
                    Answers.requestId(body, response));
        });
    }

    private static @Nullable Duration lifetime(JsonObject body) throws JsonException {
        Long seconds = body.seconds("expires_in");
        if (seconds == null) {
            return null;
        }
        if (seconds < 0) {
            throw new JsonException("its expires_in is negative");
        }
        return Duration.ofSeconds(Math.min(seconds, MAX_SECONDS));
    }

    private static @Nullable List<String> scopes(JsonObject body) {
        String text = body.string("scope");
        return text == null || text.isBlank() ? null : List.of(BLANKS.split(text.strip()));
    }

    /** The requested scopes that the token does not have. */
    public List<String> missingScopes(Collection<String> asked) {
        return missing(asked, scopes);
    }

    /** The requested resources that the token is not valid for: the STS grants a part without an error. */
    public List<String> missingResources(Collection<String> asked) {
        return missing(asked, targetResources);
    }

    private static List<String> missing(Collection<String> asked, @Nullable List<String> given) {
        return given == null || given.containsAll(asked)
                ? List.of()
                : asked.stream().filter(item -> !given.contains(item)).toList();
    }

    /** Never shows the token. */
    @Override
    public String toString() {
        return "TokenResponse[expiresIn=" + expiresIn + ", scopes=" + scopes + ", targetResources=" + targetResources
                + ", requestId=" + requestId + "]";
    }
}
