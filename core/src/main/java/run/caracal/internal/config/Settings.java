package run.caracal.internal.config;

import java.net.URI;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import run.caracal.config.ClientSecretResolver;
import run.caracal.config.ResourceBinding;
import run.caracal.http.Propagation;

/**
 * What the environment or a profile says, checked.
 *
 * @param source where it came from, for the log
 * @param warnings what a reader of the log should know
 * @param applicationResources the ids that the application token asks for before those of the bindings
 * @param resources the bindings, in the order of their sources
 * @param scopes the scopes of resources that have no binding
 * @param insecureOverride whether plain http in production is in use because it was allowed
 */
public record Settings(
        String source,
        List<String> warnings,
        String zoneId,
        String applicationId,
        @Nullable ClientSecretResolver clientSecret,
        @Nullable String subjectToken,
        @Nullable URI stsUrl,
        @Nullable URI coordinatorUrl,
        @Nullable URI gatewayUrl,
        List<String> applicationResources,
        List<ResourceBinding> resources,
        Map<String, List<String>> scopes,
        @Nullable Duration defaultTtl,
        @Nullable Propagation propagation,
        boolean production,
        boolean allowInsecureUrls,
        boolean insecureOverride) {

    /** Names the source only. */
    @Override
    public String toString() {
        return "Settings[" + source + ']';
    }
}
