package run.caracal.config;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import run.caracal.internal.config.ConfigLoader.Given;
import run.caracal.internal.config.ConfigLoader.Overrides;

/**
 * Settings that override single keys of the profile and the environment, for frameworks that have their own properties.
 * Immutable; each {@code with} method returns a changed copy.
 */
public final class ConfigOverrides {
    private static final ConfigOverrides NONE = new ConfigOverrides(Map.of(), null);

    private final Map<String, Given> given;
    private final @Nullable ClientSecretResolver clientSecret;

    private ConfigOverrides(Map<String, Given> given, @Nullable ClientSecretResolver clientSecret) {
        this.given = given;
        this.clientSecret = clientSecret;
    }

    /** {@return no overrides} */
    public static ConfigOverrides none() {
        return NONE;
    }

    /**
     * Overrides one setting. A client secret replaces every credential of the other sources, a static token too; a
     * binding replaces that of the same resource.
     *
     * @param key the key of a profile, for instance {@code zone_id}; for bindings {@code credentials[0].resource},
     *     {@code credentials[0].upstream_prefix} and {@code credentials[0].scopes} (separated by blanks); also
     *     {@code production} and {@code allow_insecure_config_urls}, which are {@code true} or {@code false}
     * @param value the value; an empty one counts as unset
     * @param setting the name of the property, for messages and the log
     * @param source where the property was set, for messages and the log
     * @throws IllegalArgumentException if the key is unknown
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

    /** Sets the resolver of the client secret, replacing every credential of the other sources. */
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

    /** Contains no values. */
    @Override
    public String toString() {
        return "ConfigOverrides" + given;
    }
}
