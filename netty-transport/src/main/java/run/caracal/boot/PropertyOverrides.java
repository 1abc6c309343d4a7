package run.caracal.boot;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.context.properties.source.ConfigurationProperty;
import org.springframework.boot.context.properties.source.ConfigurationPropertyName;
import org.springframework.boot.context.properties.source.ConfigurationPropertySource;
import org.springframework.boot.context.properties.source.ConfigurationPropertySources;
import org.springframework.boot.origin.Origin;
import org.springframework.boot.origin.SystemEnvironmentOrigin;
import org.springframework.core.env.Environment;
import run.caracal.boot.CaracalProperties.Binding;
import run.caracal.config.CaracalConfig;
import run.caracal.config.ClientSecretResolver;
import run.caracal.config.ConfigOverrides;
import run.caracal.error.ConfigurationException;
import run.caracal.error.ConfigurationException.Problem;

/** Loads the configuration of a client from the properties, the profile and the environment. */
final class PropertyOverrides {
    private final Environment environment;
    private final CaracalProperties properties;
    private final List<Problem> problems = new ArrayList<>();
    private ConfigOverrides overrides = ConfigOverrides.none();

    private PropertyOverrides(Environment environment, CaracalProperties properties) {
        this.environment = environment;
        this.properties = properties;
    }

    /**
     * Loads the configuration.
     *
     * @param secret replaces the secret of the properties; {@code null} for none
     * @throws ConfigurationException with all faults, each with its property and origin
     */
    static CaracalConfig.Builder load(
            CaracalProperties properties, Environment environment, @Nullable ClientSecretResolver secret) {
        return new PropertyOverrides(environment, properties).load(secret);
    }

    private CaracalConfig.Builder load(@Nullable ClientSecretResolver secret) {
        override("zone_id", "zone-id", properties.zoneId());
        override("application_id", "application-id", properties.applicationId());
        override("app_client_secret", "client-secret", properties.clientSecret());
        override("app_client_secret_file", "client-secret-file", properties.clientSecretFile());
        override(
                "allow_group_readable_secrets", "allow-group-readable-secrets", properties.allowGroupReadableSecrets());
        override("sts_url", "sts-url", properties.stsUrl());
        override("coordinator_url", "coordinator-url", properties.coordinatorUrl());
        override("gateway_url", "gateway-url", properties.gatewayUrl());
        override("propagation", "propagation", String.join(",", properties.propagation()));
        override("production", "production", properties.production());
        override("allow_insecure_config_urls", "allow-insecure-config-urls", properties.allowInsecureConfigUrls());
        override("default_ttl_seconds", "default-ttl", seconds(properties.defaultTtl()));
        override("max_open_sessions", "max-open-sessions", properties.maxOpenSessions());
        override("max_mints_per_minute", "max-mints-per-minute", properties.maxMintsPerMinute());
        for (int i = 0; i < properties.bindings().size(); i++) {
            Binding binding = properties.bindings().get(i);
            String key = "credentials[" + i + "].";
            String property = "bindings[" + i + "].";
            override(key + "resource", property + "resource", binding.resource());
            override(key + "upstream_prefix", property + "upstream-prefix", binding.upstreamPrefix());
            override(key + "scopes", property + "scopes", String.join(" ", binding.scopes()));
        }
        if (secret != null) {
            overrides = overrides.withClientSecret(secret);
        }
        CaracalConfig.Builder builder = builder();
        bound("session-acquire-timeout", properties.sessionAcquireTimeout(), builder::sessionAcquireTimeout);
        bound("close-timeout", properties.closeTimeout(), builder::closeTimeout);
        bound("dispose-timeout", properties.disposeTimeout(), builder::disposeTimeout);
        bound("coordinator-timeout", properties.coordinatorTimeout(), builder::coordinatorTimeout);
        bound("sts-timeout", properties.stsTimeout(), builder::stsTimeout);
        bound("fail-on-close-error", properties.failOnCloseError(), builder::failOnCloseError);
        if (!problems.isEmpty()) {
            throw new ConfigurationException(problems);
        }
        return builder;
    }

    /** The loaded configuration; after faults an empty builder, so that out-of-range settings are reported, too. */
    private CaracalConfig.Builder builder() {
        try {
            return CaracalConfig.load(overrides).mutate();
        } catch (ConfigurationException e) {
            problems.addAll(e.problems());
            return CaracalConfig.builder();
        }
    }

    /** Whole seconds as text; any other duration in its own form, which the loader rejects. */
    private static @Nullable String seconds(@Nullable Duration ttl) {
        return ttl == null ? null : ttl.toNanosPart() == 0 ? Long.toString(ttl.toSeconds()) : ttl.toString();
    }

    private void override(String key, String property, @Nullable Object value) {
        String text = value == null ? "" : value.toString();
        Origin origin = text.isEmpty() ? null : origin(property);
        if (!text.isEmpty() && !isReadByTheLoader(key, origin)) {
            overrides = overrides.with(key, text, "caracal." + property, source(origin));
        }
    }

    /** A profile overrides the loader's own variables, which Boot's relaxed binding turns into properties. */
    private static boolean isReadByTheLoader(String key, @Nullable Origin origin) {
        return origin instanceof SystemEnvironmentOrigin variable
                && variable.getProperty().equals("CARACAL_" + key.toUpperCase(Locale.ROOT));
    }

    private <T> void bound(String property, @Nullable T value, Function<T, CaracalConfig.Builder> setting) {
        if (value == null) {
            return;
        }
        try {
            var unused = setting.apply(value);
        } catch (IllegalArgumentException e) {
            problems.add(new Problem("caracal." + property, source(origin(property)), String.valueOf(e.getMessage())));
        }
    }

    private static String source(@Nullable Origin origin) {
        return origin == null ? "properties" : origin.toString();
    }

    /** The origin of a property; for a list, that of its first element. */
    private @Nullable Origin origin(String property) {
        ConfigurationPropertyName name = ConfigurationPropertyName.of("caracal." + property);
        for (ConfigurationPropertySource source : ConfigurationPropertySources.get(environment)) {
            for (ConfigurationPropertyName candidate : List.of(name, name.append("[0]"))) {
                ConfigurationProperty found = source.getConfigurationProperty(candidate);
                if (found != null) {
                    return found.getOrigin();
                }
            }
        }
        return null;
    }
}
