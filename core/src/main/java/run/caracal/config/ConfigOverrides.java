package run.caracal.config;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import run.caracal.internal.config.ConfigLoader.Given;
import run.caracal.internal.config.ConfigLoader.Overrides;

/**
 * Settings that win over the profile and the environment, key by key: what a framework's own properties say. Immutable; each
 * method {@code with...} gives a changed copy.
 */
public final class ConfigOverrides {
    private static final ConfigOverrides NONE = new ConfigOverrides(Map.of(), null);

    private final Map<String, Given> given;
    private final @Nullable ClientSecretResolver clientSecret;

    private ConfigOverrides(Map<String, Given> given, @Nullable ClientSecretResolver clientSecret) {
        this.given = given;
        this.clientSecret = clientSecret;
    }

    /** {@return overrides that override nothing} */
    public static ConfigOverrides none() {
        return NONE;
    }

    /**
     * Sets one setting. A client secret in here stands in place of every credential of the other sources, a static token
     * included; a binding replaces the one of the same resource.
     *
     * @param key the key of a profile, for instance {@code zone_id}; for those of a binding {@code credentials[0].resource},
     *     {@code credentials[0].upstream_prefix} and {@code credentials[0].scopes} (separated by blanks), and so on; also
     *     {@code production} and {@code allow_insecure_config_urls}, which are {@code true} or {@code false}
     * @param value the value; an empty one counts as unset
     * @param setting the name of the setting where it was set, for messages and the log
     * @param source where it was set, for messages and the log
     * @return overrides with this setting too
     * @throws IllegalArgumentException if there is no such key
     */
    public ConfigOverrides with(String key, String value, String setting, String source) {
        Objects.requireNonNull(value, "value");
        if (!Overrides.isKey(key)) {
            throw new IllegalArgumentException("key: there is no setting " + key);
        }
        Map<String, Given> all = new LinkedHashMap<>(given);
        all.put(
                key,
                new Given(Objects.requireNonNull(setting, "setting"), Objects.requireNonNull(source, "source"), value));
        return new ConfigOverrides(all, clientSecret);
    }

    /**
     * Sets where the client secret comes from, in place of every credential of the other sources.
     *
     * @param resolver finds the secret whenever one is needed
     * @return overrides with this resolver
     */
    public ConfigOverrides withClientSecret(ClientSecretResolver resolver) {
        return new ConfigOverrides(given, Objects.requireNonNull(resolver, "resolver"));
    }

    Overrides settings() {
        return new Overrides(given, clientSecret != null);
    }

    @Nullable
    ClientSecretResolver clientSecret() {
        return clientSecret;
    }

    /** Names the settings, and shows no value. */
    @Override
    public String toString() {
        return "ConfigOverrides" + given;
    }
}
