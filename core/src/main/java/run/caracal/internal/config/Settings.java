package run.caracal.internal.config;

import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The checked settings of the environment or a profile.
 *
 * @param source where it came from, for the log
 * @param groupReadableSecrets whether others than its owner may be able to read that file
 * @param applicationResources the ids that the application token asks for before those of the bindings
 * @param prefixes the bindings: prefixes by resource, in the order of their sources
 * @param scopes the scopes by resource, bound or not
 * @param maxOpenSessions how many sessions may be open; {@code null} for no limit
 * @param sessionAcquireTimeout how long capacity is waited for; {@code null} for the default
 * @param maxMintsPerMinute the pace of the mandates of each resource; {@code null} for none
 * @param insecureOverride whether plain http in production is in use because it was allowed
 */
public record Settings(
        String source,
        List<String> warnings,
        String zoneId,
        String applicationId,
        @Nullable String clientSecret,
        @Nullable Path clientSecretFile,
        boolean groupReadableSecrets,
        @Nullable String subjectToken,
        @Nullable URI stsUrl,
        @Nullable URI coordinatorUrl,
        @Nullable URI gatewayUrl,
        List<String> applicationResources,
        Map<String, String> prefixes,
        Map<String, List<String>> scopes,
        @Nullable Duration defaultTtl,
        @Nullable Integer maxOpenSessions,
        @Nullable Duration sessionAcquireTimeout,
        @Nullable Integer maxMintsPerMinute,
        List<String> propagation,
        boolean production,
        boolean allowInsecureUrls,
        boolean insecureOverride) {

    /** Names the source only. */
    @Override
    public String toString() {
        return "Settings[" + source + ']';
    }
}
