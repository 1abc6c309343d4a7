package run.caracal.platform;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A token issued by the STS. */
record IssuedToken(String accessToken, long expiresInSeconds, String scope, List<String> targets) {

    Map<String, @Nullable Object> toJson() {
        Map<String, @Nullable Object> json = Json.object();
        json.put("access_token", accessToken);
        json.put("token_type", "Bearer");
        json.put("expires_in", expiresInSeconds);
        if (!scope.isEmpty()) {
            json.put("scope", scope);
        }
        json.put("issued_token_type", "urn:ietf:params:oauth:token-type:access_token");
        if (!targets.isEmpty()) {
            json.put("target_resources", targets);
        }
        return json;
    }

    @Override
    public String toString() {
        return "token for " + targets;
    }
}
