package run.caracal.platform;

import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpHeaders;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** A client that knows nothing of Caracal, with the few requests that tests need often. */
final class Http {

    private static final HttpClient CLIENT = HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .connectTimeout(Duration.ofSeconds(5))
            .build();

    private Http() {}

    /** A response with its body as text. */
    record Result(int status, HttpHeaders headers, String body) {

        Map<String, @Nullable Object> json() {
            try {
                return Json.parseObject(body.getBytes(StandardCharsets.UTF_8));
            } catch (Json.InvalidJson e) {
                throw new AssertionError("no JSON object: " + status + " " + body, e);
            }
        }

        String text(String member) {
            return String.valueOf(json().get(member));
        }

        String header(String name) {
            return headers.firstValue(name).orElse("");
        }
    }

    static Result send(String method, String url, @Nullable String body, Map<String, String> headers) {
        try {
            return trySend(method, url, body, headers);
        } catch (IOException e) {
            throw new AssertionError(method + " " + url, e);
        }
    }

    static Result trySend(String method, String url, @Nullable String body, Map<String, String> headers)
            throws IOException {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(url))
                .timeout(Duration.ofSeconds(20))
                .method(method, body == null ? BodyPublishers.noBody() : BodyPublishers.ofString(body));
        headers.forEach(request::header);
        try {
            HttpResponse<String> response = CLIENT.send(request.build(), HttpResponse.BodyHandlers.ofString());
            return new Result(response.statusCode(), response.headers(), response.body());
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    static Result get(String url) {
        return send("GET", url, null, Map.of());
    }

    static Result form(String url, Map<String, List<String>> fields, Map<String, String> headers) {
        Map<String, String> all = new LinkedHashMap<>(headers);
        all.putIfAbsent("Content-Type", "application/x-www-form-urlencoded");
        return send("POST", url, encode(fields), all);
    }

    static String encode(Map<String, List<String>> fields) {
        return fields.entrySet().stream()
                .flatMap(field -> field.getValue().stream()
                        .map(value -> field.getKey() + "=" + URLEncoder.encode(value, StandardCharsets.UTF_8)))
                .collect(Collectors.joining("&"));
    }

    /** The token form of an application that asks for the token it opens sessions with. */
    static Map<String, List<String>> tokenForm(LocalPlatform platform) {
        Map<String, List<String>> form = new LinkedHashMap<>();
        form.put("grant_type", List.of("urn:ietf:params:oauth:grant-type:token-exchange"));
        form.put("zone_id", List.of(platform.zoneId()));
        form.put("application_id", List.of(platform.applicationId()));
        form.put("client_secret", List.of(platform.clientSecret()));
        form.put("scope", List.of("agent:lifecycle"));
        form.put("resource", List.of(platform.resourceId()));
        return form;
    }

    static String tokenUrl(LocalPlatform platform) {
        return platform.stsUrl() + "/oauth/2/token";
    }

    /** An application token, fresh. */
    static String token(LocalPlatform platform) {
        return token(platform, tokenForm(platform));
    }

    /** An application token of another application than the first, which has this resource, fresh. */
    static String token(LocalPlatform platform, String applicationId, String secret, String resource) {
        Map<String, List<String>> form = tokenForm(platform);
        form.put("application_id", List.of(applicationId));
        form.put("client_secret", List.of(secret));
        form.put("resource", List.of(resource));
        return token(platform, form);
    }

    /** The token that the STS gives for a form. */
    static String token(LocalPlatform platform, Map<String, List<String>> form) {
        Result result = form(tokenUrl(platform), form, Map.of());
        if (result.status() != 200) {
            throw new AssertionError("no token: " + result.status() + " " + result.body());
        }
        return result.text("access_token");
    }

    /** The token form of an application that shows the ID token of a user. */
    static Map<String, List<String>> federationForm(LocalPlatform platform, String idToken) {
        Map<String, List<String>> form = tokenForm(platform);
        form.keySet().removeAll(List.of("scope", "resource"));
        form.put("subject_token", List.of(idToken));
        form.put("subject_token_type", List.of("urn:ietf:params:oauth:token-type:id_token"));
        return form;
    }

    /** A call to the Coordinator below the zone's agents, with a JSON body if there is one. */
    static Result agents(
            LocalPlatform platform,
            String bearer,
            String method,
            String path,
            @Nullable String json,
            String... headers) {
        return coordinator(platform, bearer, method, "/agents" + path, json, headers);
    }

    /** A call to the Coordinator below the zone, with a JSON body if there is one. */
    static Result coordinator(
            LocalPlatform platform,
            String bearer,
            String method,
            String path,
            @Nullable String json,
            String... headers) {
        Map<String, String> all = new LinkedHashMap<>();
        all.put("Authorization", "Bearer " + bearer);
        if (json != null) {
            all.put("Content-Type", "application/json");
        }
        for (int i = 0; i < headers.length; i += 2) {
            all.put(headers[i], headers[i + 1]);
        }
        String url = platform.coordinatorUrl() + "/zones/" + platform.zoneId() + path;
        return send(method, url, json, all);
    }

    /** A JSON object of these names and values, in their order. */
    static String json(@Nullable Object... members) {
        Map<String, @Nullable Object> object = Json.object();
        for (int i = 0; i < members.length; i += 2) {
            object.put(String.valueOf(members[i]), members[i + 1]);
        }
        return new String(Json.write(object), StandardCharsets.UTF_8);
    }

    /** The claims of a token, without a check of its signature. */
    static Map<String, @Nullable Object> claims(String token) {
        return part(token, 1);
    }

    /** The header of a token. */
    static Map<String, @Nullable Object> header(String token) {
        return part(token, 0);
    }

    private static Map<String, @Nullable Object> part(String token, int index) {
        try {
            return Json.parseObject(Base64.getUrlDecoder().decode(token.split("\\.", -1)[index]));
        } catch (Json.InvalidJson e) {
            throw new AssertionError("no claims: " + token, e);
        }
    }
}
