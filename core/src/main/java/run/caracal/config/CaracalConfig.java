package run.caracal.config;

import java.net.URI;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.scheduler.Schedulers;
import run.caracal.http.HttpTransport;
import run.caracal.http.Propagation;
import run.caracal.internal.config.ConfigLoader;
import run.caracal.internal.config.Host;
import run.caracal.internal.config.Problems;
import run.caracal.internal.config.Rules;
import run.caracal.internal.config.Settings;

/**
 * The configuration of a Caracal client. Immutable; {@link #mutate()} returns a builder for a changed copy.
 *
 * <p>It is made {@link #builder() in code}, from {@link #fromEnvironment() the environment}, or from
 * {@link #fromProfile(Path) a profile}; {@link #load()} looks for the last two. All but the builder read files and
 * environment variables: call them at start-up; they throw on a non-blocking thread.
 *
 * <p>All faults are reported together in one {@link run.caracal.error.ConfigurationException}.
 */
public final class CaracalConfig {
    /** The default URL of the Coordinator: {@code http://localhost:4000}. */
    public static final URI DEFAULT_COORDINATOR_URL = URI.create("http://localhost:4000");

    /** The default URL of the STS: {@code http://localhost:8080}. */
    public static final URI DEFAULT_STS_URL = URI.create("http://localhost:8080");

    /** The default URL of the Gateway: {@code http://localhost:8081}. */
    public static final URI DEFAULT_GATEWAY_URL = URI.create("http://localhost:8081");

    /** The shortest TTL of a session: 1 second. */
    public static final Duration MIN_TTL = Rules.MIN_TTL;

    /** The longest TTL of a session: 86400 seconds. */
    public static final Duration MAX_TTL = Rules.MAX_TTL;

    /** The default close timeout: 5 seconds. */
    public static final Duration DEFAULT_CLOSE_TIMEOUT = Duration.ofSeconds(5);

    /** The default dispose timeout: 10 seconds. */
    public static final Duration DEFAULT_DISPOSE_TIMEOUT = Duration.ofSeconds(10);

    /** The default wait for capacity: 2 minutes, because the platform's rate limits are per minute. */
    public static final Duration DEFAULT_SESSION_ACQUIRE_TIMEOUT = Duration.ofMinutes(2);

    /** The default timeout of a call to the Coordinator: 10 seconds. */
    public static final Duration DEFAULT_COORDINATOR_TIMEOUT = Duration.ofSeconds(10);

    /** The default timeout of a call to the STS: 30 seconds. */
    public static final Duration DEFAULT_STS_TIMEOUT = Duration.ofSeconds(30);

    private static final Logger LOG = LoggerFactory.getLogger(CaracalConfig.class);
    private static final String VARIABLE = "environment variable";
    private static final String BUILDER = "CaracalConfig.builder()";

    private final String zoneId;
    private final String applicationId;
    private final @Nullable ClientSecretResolver clientSecret;
    private final @Nullable String subjectToken;
    private final @Nullable URI stsUrl;
    private final @Nullable URI coordinatorUrl;
    private final @Nullable URI gatewayUrl;
    private final List<ResourceBinding> resources;
    private final List<String> applicationResources;
    private final List<String> resourceIds;
    private final Map<String, List<String>> resourceScopes;
    private final Map<String, List<String>> scopes;
    private final @Nullable Duration defaultTtl;
    private final @Nullable String defaultKind;
    private final boolean production;
    private final boolean allowInsecureUrls;
    private final @Nullable Propagation propagation;
    private final @Nullable HttpTransport transport;
    private final @Nullable TraceSource traceSource;
    private final Duration closeTimeout;
    private final Duration disposeTimeout;
    private final boolean failOnCloseError;
    private final Duration coordinatorTimeout;
    private final Duration stsTimeout;
    private final @Nullable Integer maxOpenSessions;
    private final Duration sessionAcquireTimeout;
    private final @Nullable Integer maxMintsPerMinute;

    private CaracalConfig(
            Builder builder, @Nullable URI stsUrl, @Nullable URI coordinatorUrl, @Nullable URI gatewayUrl) {
        this.zoneId = Objects.requireNonNull(builder.zoneId);
        this.applicationId = Objects.requireNonNull(builder.applicationId);
        this.clientSecret = builder.clientSecret;
        this.subjectToken = builder.subjectToken;
        this.stsUrl = stsUrl;
        this.coordinatorUrl = coordinatorUrl;
        this.gatewayUrl = gatewayUrl;
        // The router takes the first binding that matches.
        this.resources = builder.resources.values().stream()
                .sorted(Comparator.comparingInt((ResourceBinding binding) ->
                                binding.upstreamPrefix().length())
                        .reversed())
                .toList();
        this.applicationResources = List.copyOf(builder.applicationResources);
        Set<String> ids = new LinkedHashSet<>(applicationResources);
        resources.forEach(binding -> ids.add(binding.resource()));
        this.resourceIds = List.copyOf(ids);
        this.resourceScopes = Map.copyOf(builder.resourceScopes);
        this.scopes = scopes(resources, resourceScopes);
        this.defaultTtl = builder.defaultTtl;
        this.defaultKind = builder.defaultKind;
        this.production = builder.isProduction();
        this.allowInsecureUrls = builder.allowsInsecureUrls();
        this.propagation = builder.propagation;
        this.transport = builder.transport;
        this.traceSource = builder.traceSource;
        this.closeTimeout = builder.closeTimeout;
        this.disposeTimeout = builder.disposeTimeout;
        this.failOnCloseError = builder.failOnCloseError;
        this.coordinatorTimeout = builder.coordinatorTimeout;
        this.stsTimeout = builder.stsTimeout;
        this.maxOpenSessions = builder.maxOpenSessions;
        this.sessionAcquireTimeout = builder.sessionAcquireTimeout;
        this.maxMintsPerMinute = builder.maxMintsPerMinute;
    }

    /** {@return a builder; a zone, an application, and a client secret or subject token are required} */
    public static Builder builder() {
        return new Builder(System.getenv());
    }

    /**
     * Loads the first of: the profile that {@code CARACAL_CONFIG} names, the {@code caracal.toml} of the default
     * directory, the environment variables. The source is logged.
     *
     * <p>The default directory is {@code $CARACAL_CONFIG_HOME}, else {@code $XDG_CONFIG_HOME/caracal}, else
     * {@code %APPDATA%\Caracal} on Windows, {@code ~/Library/Application Support/Caracal} on macOS and
     * {@code ~/.config/caracal} elsewhere; never the working directory.
     *
     * @throws run.caracal.error.ConfigurationException with all faults
     * @throws IllegalStateException on a non-blocking thread
     */
    public static CaracalConfig load() {
        requireBlockingThread("CaracalConfig.load()");
        return from(ConfigLoader.lookup(Host.system()));
    }

    /**
     * Loads as {@link #load()} does, with settings that override single keys of the profile and the environment, for
     * frameworks that have their own properties. The overridden settings are logged.
     *
     * @throws run.caracal.error.ConfigurationException with all faults, those of the overrides under their own names
     * @throws IllegalStateException on a non-blocking thread
     */
    public static CaracalConfig load(ConfigOverrides overrides) {
        requireBlockingThread("CaracalConfig.load(overrides)");
        CaracalConfig config = from(ConfigLoader.lookup(Host.system(), overrides.settings()));
        ClientSecretResolver resolver = overrides.clientSecret();
        return resolver == null
                ? config
                : config.mutate().clientSecret(resolver).build();
    }

    /**
     * Loads the profile that {@code CARACAL_CONFIG} names, as {@link #fromProfile} does, or, if that is not set, these variables.
     * The default directory is not searched.
     *
     * <ul>
     *   <li>{@code CARACAL_ZONE_ID}, {@code CARACAL_APPLICATION_ID};
     *   <li>{@code CARACAL_APP_CLIENT_SECRET} or {@code CARACAL_APP_CLIENT_SECRET_FILE}, or a static token in {@code
     *       CARACAL_SUBJECT_TOKEN} or {@code CARACAL_BOOTSTRAP_TOKEN};
     *   <li>{@code CARACAL_COORDINATOR_URL}, {@code CARACAL_STS_URL} (or, its older name, {@code CARACAL_ZONE_URL}),
     *       {@code CARACAL_GATEWAY_URL};
     *   <li>{@code CARACAL_RESOURCES} ({@code id=prefix,...}), {@code CARACAL_RESOURCES_FILE} (JSON), {@code
     *       CARACAL_APP_RESOURCES} ({@code id,...}), {@code CARACAL_RESOURCE_SCOPES} ({@code id=scope scope,...});
     *   <li>{@code CARACAL_DEFAULT_TTL_SECONDS};
     *   <li>{@code CARACAL_MAX_OPEN_SESSIONS}, {@code CARACAL_SESSION_ACQUIRE_TIMEOUT_SECONDS}, {@code
     *       CARACAL_MAX_MINTS_PER_MINUTE};
     *   <li>{@code CARACAL_PROPAGATION}: {@code gateway}, {@code resources}, {@code everywhere}, or origins separated by
     *       commas;
     *   <li>{@code CARACAL_ENV}: {@code production}, {@code staging}, {@code development}, {@code test} or {@code local};
     *   <li>{@code CARACAL_ALLOW_INSECURE_CONFIG_URLS}, {@code CARACAL_ALLOW_GROUP_READABLE_SECRETS}: {@code true} or
     *       {@code false}.
     * </ul>
     *
     * <p>An empty variable counts as unset; a blank one is a fault, and so is an unknown value.
     *
     * @throws run.caracal.error.ConfigurationException with all faults
     * @throws IllegalStateException on a non-blocking thread
     */
    public static CaracalConfig fromEnvironment() {
        requireBlockingThread("CaracalConfig.fromEnvironment()");
        return from(ConfigLoader.environment(Host.system()));
    }

    /**
     * Loads a profile. It must contain zone, application and client secret; its other keys override the environment,
     * but a binding of the environment replaces the profile's binding of the same resource.
     *
     * <p>Its keys are {@code zone_id}, {@code application_id}, {@code app_client_secret} or
     * {@code app_client_secret_file} (relative to the profile), {@code sts_url} (or {@code zone_url}),
     * {@code coordinator_url}, {@code gateway_url}, {@code default_ttl_seconds}, {@code max_open_sessions},
     * {@code session_acquire_timeout_seconds}, {@code max_mints_per_minute}, {@code propagation},
     * {@code allow_group_readable_secrets}, and the tables {@code [[credentials]]} and {@code [[optional_credentials]]}
     * with {@code resource}, {@code upstream_prefix} and {@code scopes}.
     *
     * @throws run.caracal.error.ConfigurationException with all faults
     * @throws IllegalStateException on a non-blocking thread
     */
    public static CaracalConfig fromProfile(Path profile) {
        Objects.requireNonNull(profile, "profile");
        requireBlockingThread("CaracalConfig.fromProfile(path)");
        return from(ConfigLoader.profile(Host.system(), profile));
    }

    private static void requireBlockingThread(String method) {
        if (Schedulers.isInNonBlockingThread()) {
            throw new IllegalStateException(
                    method + " reads files, and the thread "
                            + Thread.currentThread().getName()
                            + " must not block: call it in start-up code, or use Caracal.load(), which reads on another thread");
        }
    }

    static CaracalConfig from(Settings settings) {
        LOG.info("Caracal is configured from {}", settings.source());
        settings.warnings().forEach(LOG::warn);
        Builder builder = new Builder(Map.of());
        builder.zoneId = settings.zoneId();
        builder.applicationId = settings.applicationId();
        if (settings.clientSecret() != null) {
            builder.clientSecret = ClientSecretResolver.of(settings.clientSecret());
        } else if (settings.clientSecretFile() != null) {
            builder.clientSecret = ClientSecrets.file(settings.clientSecretFile(), settings.groupReadableSecrets());
        }
        builder.subjectToken = settings.subjectToken();
        builder.applicationResources.addAll(settings.applicationResources());
        builder.resourceScopes.putAll(settings.scopes());
        settings.prefixes().forEach((resource, prefix) -> {
            List<String> scopes = builder.resourceScopes.remove(resource);
            builder.bind(new ResourceBinding(resource, prefix, scopes == null ? List.of() : scopes));
        });
        builder.defaultTtl = settings.defaultTtl();
        builder.maxOpenSessions = settings.maxOpenSessions();
        if (settings.sessionAcquireTimeout() != null) {
            builder.sessionAcquireTimeout = settings.sessionAcquireTimeout();
        }
        builder.maxMintsPerMinute = settings.maxMintsPerMinute();
        builder.propagation = propagation(settings.propagation());
        builder.production = settings.production();
        builder.allowInsecureUrls = settings.allowInsecureUrls();
        return new CaracalConfig(builder, settings.stsUrl(), settings.coordinatorUrl(), settings.gatewayUrl());
    }

    private static @Nullable Propagation propagation(List<String> choice) {
        if (choice.isEmpty()) {
            return null;
        }
        return switch (choice.get(0)) {
            case "gateway" -> Propagation.gatewayOnly();
            case "resources" -> Propagation.resources();
            case "everywhere" -> Propagation.everywhere();
            default -> Propagation.origins(choice.toArray(String[]::new));
        };
    }

    /** {@return a builder with the same values} */
    public Builder mutate() {
        Builder builder = new Builder(Map.of());
        builder.zoneId = zoneId;
        builder.applicationId = applicationId;
        builder.clientSecret = clientSecret;
        builder.subjectToken = subjectToken;
        builder.stsUrl = stsUrl == null ? null : stsUrl.toString();
        builder.coordinatorUrl = coordinatorUrl == null ? null : coordinatorUrl.toString();
        builder.gatewayUrl = gatewayUrl == null ? null : gatewayUrl.toString();
        resources.forEach(builder::bind);
        builder.applicationResources.addAll(applicationResources);
        builder.resourceScopes.putAll(resourceScopes);
        builder.defaultTtl = defaultTtl;
        builder.defaultKind = defaultKind;
        builder.production = production;
        builder.allowInsecureUrls = allowInsecureUrls;
        builder.propagation = propagation;
        builder.transport = transport;
        builder.traceSource = traceSource;
        builder.closeTimeout = closeTimeout;
        builder.disposeTimeout = disposeTimeout;
        builder.failOnCloseError = failOnCloseError;
        builder.coordinatorTimeout = coordinatorTimeout;
        builder.stsTimeout = stsTimeout;
        builder.maxOpenSessions = maxOpenSessions;
        builder.sessionAcquireTimeout = sessionAcquireTimeout;
        builder.maxMintsPerMinute = maxMintsPerMinute;
        return builder;
    }

    /** {@return the zone id} */
    public String zoneId() {
        return zoneId;
    }

    /** {@return the id of the application, which owns every session} */
    public String applicationId() {
        return applicationId;
    }

    /** {@return the resolver of the client secret; empty with a {@link #subjectToken()}} */
    public Optional<ClientSecretResolver> clientSecret() {
        return Optional.ofNullable(clientSecret);
    }

    /** {@return the static token, a secret; empty with a {@link #clientSecret()}} */
    public Optional<String> subjectToken() {
        return Optional.ofNullable(subjectToken);
    }

    /** {@return the URL of the STS without trailing slashes; not used with a {@link #subjectToken()}} */
    public URI stsUrl() {
        return stsUrl == null ? DEFAULT_STS_URL : stsUrl;
    }

    /** {@return the URL of the Coordinator} */
    public URI coordinatorUrl() {
        return coordinatorUrl == null ? DEFAULT_COORDINATOR_URL : coordinatorUrl;
    }

    /** {@return the URL of the Gateway} */
    public URI gatewayUrl() {
        return gatewayUrl == null ? DEFAULT_GATEWAY_URL : gatewayUrl;
    }

    /** {@return the bindings of resources to URL prefixes, the longest prefix first} */
    public List<ResourceBinding> resources() {
        return resources;
    }

    /**
     * {@return the resources for which the application token is requested: {@link Builder#resourceIds} first, then the
     * bound ones}
     */
    public List<String> resourceIds() {
        return resourceIds;
    }

    /** {@return the configured scopes of calls to a resource, bound or not; an immutable list, may be empty} */
    public List<String> scopesOf(String resource) {
        Objects.requireNonNull(resource, "resource");
        return scopes.getOrDefault(resource, List.of());
    }

    /** The scopes by resource, looked up for every request: the scopes of a binding override those of the resource. */
    private static Map<String, List<String>> scopes(
            List<ResourceBinding> resources, Map<String, List<String>> resourceScopes) {
        Map<String, List<String>> bound = new LinkedHashMap<>();
        for (ResourceBinding binding : resources) {
            if (!binding.scopes().isEmpty()) {
                bound.putIfAbsent(binding.resource(), binding.scopes());
            }
        }
        Map<String, List<String>> scopes = new LinkedHashMap<>(resourceScopes);
        scopes.putAll(bound);
        return Map.copyOf(scopes);
    }

    /** {@return the TTL of sessions whose options set none; empty for 3600 seconds} */
    public Optional<Duration> defaultTtl() {
        return Optional.ofNullable(defaultTtl);
    }

    /** {@return the kind of sessions whose options set none, which current platforms ignore; empty to send none} */
    public Optional<String> defaultKind() {
        return Optional.ofNullable(defaultKind);
    }

    /**
     * {@return whether the production rules apply: the service URLs must be explicit and https, loopback excepted, and
     * so must the origins of the {@link #propagation()}}
     */
    public boolean production() {
        return production;
    }

    /** {@return whether plain http to other machines is allowed in production} */
    public boolean allowInsecureUrls() {
        return allowInsecureUrls;
    }

    /** {@return the chosen propagation; empty for the default, {@link Propagation#resources()}} */
    public Optional<Propagation> propagation() {
        return Optional.ofNullable(propagation);
    }

    /**
     * {@return the transport for the STS, the Coordinator and {@link run.caracal.Caracal#fetch}, which its creator has
     * to dispose; empty to look one up on the class path}
     */
    public Optional<HttpTransport> transport() {
        return Optional.ofNullable(transport);
    }

    /** {@return the source of the traces that sessions join; empty if each root session starts a trace} */
    public Optional<TraceSource> traceSource() {
        return Optional.ofNullable(traceSource);
    }

    /** {@return how long the result of a session's work waits for the termination} */
    public Duration closeTimeout() {
        return closeTimeout;
    }

    /** {@return how long closing the client waits for active sessions before it terminates them} */
    public Duration disposeTimeout() {
        return disposeTimeout;
    }

    /** {@return whether a failed termination fails the session's work instead of being logged only} */
    public boolean failOnCloseError() {
        return failOnCloseError;
    }

    /** {@return the timeout of a call to the Coordinator} */
    public Duration coordinatorTimeout() {
        return coordinatorTimeout;
    }

    /** {@return the timeout of a call to the STS} */
    public Duration stsTimeout() {
        return stsTimeout;
    }

    /** {@return the maximum number of open sessions of the client; empty for no limit} */
    public OptionalInt maxOpenSessions() {
        return maxOpenSessions == null ? OptionalInt.empty() : OptionalInt.of(maxOpenSessions);
    }

    /** {@return how long a session or a mint waits for capacity} */
    public Duration sessionAcquireTimeout() {
        return sessionAcquireTimeout;
    }

    /** {@return the maximum number of mints per minute and resource; empty for no limit} */
    public OptionalInt maxMintsPerMinute() {
        return maxMintsPerMinute == null ? OptionalInt.empty() : OptionalInt.of(maxMintsPerMinute);
    }

    private List<@Nullable Object> values() {
        return Arrays.asList(
                zoneId,
                applicationId,
                clientSecret,
                subjectToken,
                stsUrl,
                coordinatorUrl,
                gatewayUrl,
                resources,
                applicationResources,
                resourceScopes,
                defaultTtl,
                defaultKind,
                production,
                allowInsecureUrls,
                propagation,
                transport,
                traceSource,
                closeTimeout,
                disposeTimeout,
                failOnCloseError,
                coordinatorTimeout,
                stsTimeout,
                maxOpenSessions,
                sessionAcquireTimeout,
                maxMintsPerMinute);
    }

    /** Resolver, transport and trace source are compared with their own {@code equals}. */
    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof CaracalConfig that && values().equals(that.values());
    }

    @Override
    public int hashCode() {
        return values().hashCode();
    }

    /** Contains no secret. */
    @Override
    public String toString() {
        return "CaracalConfig[zoneId=" + zoneId + ", applicationId=" + applicationId + ", credential="
                + (clientSecret == null ? "subject token" : "client secret") + ", stsUrl=" + stsUrl()
                + ", coordinatorUrl=" + coordinatorUrl() + ", gatewayUrl=" + gatewayUrl() + ", resourceIds="
                + resourceIds() + ", defaultTtl=" + defaultTtl + ", defaultKind=" + defaultKind + ", production="
                + production + ", allowInsecureUrls=" + allowInsecureUrls + ", propagation=" + propagation
                + ", closeTimeout=" + closeTimeout + ", disposeTimeout=" + disposeTimeout + ", failOnCloseError="
                + failOnCloseError + ", coordinatorTimeout=" + coordinatorTimeout + ", stsTimeout=" + stsTimeout
                + ", maxOpenSessions=" + maxOpenSessions + ", sessionAcquireTimeout=" + sessionAcquireTimeout
                + ", maxMintsPerMinute=" + maxMintsPerMinute + ']';
    }

    /** Builds a {@link CaracalConfig}. Not for use by several threads at once. */
    public static final class Builder {
        private @Nullable String zoneId;
        private @Nullable String applicationId;
        private @Nullable ClientSecretResolver clientSecret;
        private @Nullable String subjectToken;
        private @Nullable String stsUrl;
        private @Nullable String coordinatorUrl;
        private @Nullable String gatewayUrl;
        private final Map<String, ResourceBinding> resources = new LinkedHashMap<>();
        private final Set<String> applicationResources = new LinkedHashSet<>();
        private final Map<String, List<String>> resourceScopes = new LinkedHashMap<>();
        private @Nullable Duration defaultTtl;
        private @Nullable String defaultKind;
        private @Nullable Boolean production;
        private @Nullable Boolean allowInsecureUrls;
        private @Nullable Propagation propagation;
        private @Nullable HttpTransport transport;
        private @Nullable TraceSource traceSource;
        private Duration closeTimeout = DEFAULT_CLOSE_TIMEOUT;
        private Duration disposeTimeout = DEFAULT_DISPOSE_TIMEOUT;
        private boolean failOnCloseError;
        private Duration coordinatorTimeout = DEFAULT_COORDINATOR_TIMEOUT;
        private Duration stsTimeout = DEFAULT_STS_TIMEOUT;
        private @Nullable Integer maxOpenSessions;
        private Duration sessionAcquireTimeout = DEFAULT_SESSION_ACQUIRE_TIMEOUT;
        private @Nullable Integer maxMintsPerMinute;

        private final Map<String, String> variables;

        Builder(Map<String, String> variables) {
            this.variables = variables;
        }

        /** Sets the zone id; required. */
        public Builder zoneId(String zoneId) {
            this.zoneId = Objects.requireNonNull(zoneId, "zoneId");
            return this;
        }

        /** Sets the application id; required. */
        public Builder applicationId(String applicationId) {
            this.applicationId = Objects.requireNonNull(applicationId, "applicationId");
            return this;
        }

        /**
         * Sets a fixed client secret, replacing a subject token.
         *
         * @throws IllegalArgumentException if the secret is malformed; the message does not contain it
         */
        public Builder clientSecret(String clientSecret) {
            Rules.require("clientSecret", Rules.clientSecret(Objects.requireNonNull(clientSecret, "clientSecret")));
            return clientSecret(ClientSecretResolver.of(clientSecret));
        }

        /** Sets the resolver of the client secret, replacing a subject token. */
        public Builder clientSecret(ClientSecretResolver clientSecret) {
            this.clientSecret = Objects.requireNonNull(clientSecret, "clientSecret");
            this.subjectToken = null;
            return this;
        }

        /** Sets a static token, replacing a client secret. An expired or unsigned token is rejected. */
        public Builder subjectToken(String subjectToken) {
            this.subjectToken = Objects.requireNonNull(subjectToken, "subjectToken");
            this.clientSecret = null;
            return this;
        }

        /** Sets the absolute http or https URL of the STS; required in production. */
        public Builder stsUrl(String stsUrl) {
            this.stsUrl = Rules.stripSlashes(stsUrl);
            return this;
        }

        /** Sets the absolute http or https URL of the Coordinator; required in production. */
        public Builder coordinatorUrl(String coordinatorUrl) {
            this.coordinatorUrl = Objects.requireNonNull(coordinatorUrl, "coordinatorUrl");
            return this;
        }

        /** Sets the absolute http or https URL of the Gateway; required in production. */
        public Builder gatewayUrl(String gatewayUrl) {
            this.gatewayUrl = Objects.requireNonNull(gatewayUrl, "gatewayUrl");
            return this;
        }

        /** Adds a binding, replacing that of the same resource. */
        public Builder resource(ResourceBinding binding) {
            bind(binding);
            return this;
        }

        private void bind(ResourceBinding binding) {
            resources.put(binding.resource(), binding);
        }

        /**
         * Adds a binding, replacing that of the same resource.
         *
         * @param upstreamPrefix the absolute URL prefix of its upstream
         * @param scopes the scopes of calls to it
         */
        public Builder resource(String resource, String upstreamPrefix, String... scopes) {
            return resource(new ResourceBinding(resource, upstreamPrefix, List.of(scopes)));
        }

        /** Replaces all bindings. */
        public Builder resources(List<ResourceBinding> bindings) {
            List<ResourceBinding> copy = List.copyOf(bindings);
            resources.clear();
            copy.forEach(this::bind);
            return this;
        }

        /** Sets further resources for which the application token is requested, before the bound ones. */
        public Builder resourceIds(String... resourceIds) {
            List<String> copy = List.of(resourceIds);
            applicationResources.clear();
            applicationResources.addAll(copy);
            return this;
        }

        /**
         * Sets the scopes of calls to a resource that has no binding, or a binding without scopes.
         *
         * @param resource a resource that is bound or in {@link #resourceIds}
         */
        public Builder resourceScopes(String resource, String... scopes) {
            resourceScopes.put(Objects.requireNonNull(resource, "resource"), List.of(scopes));
            return this;
        }

        /**
         * Sets the TTL of sessions whose options set none.
         *
         * @param defaultTtl whole seconds from {@link #MIN_TTL} to {@link #MAX_TTL}
         */
        public Builder defaultTtl(Duration defaultTtl) {
            this.defaultTtl = Objects.requireNonNull(defaultTtl, "defaultTtl");
            return this;
        }

        /** Sets the kind of sessions whose options set none. */
        public Builder defaultKind(String defaultKind) {
            this.defaultKind = Objects.requireNonNull(defaultKind, "defaultKind");
            return this;
        }

        /** Sets whether the production rules apply; by default if {@code CARACAL_ENV=production} in the environment. */
        public Builder production(boolean production) {
            this.production = production;
            return this;
        }

        /**
         * Sets whether production allows plain http to other machines, which exposes tokens and secrets; by default if
         * {@code CARACAL_ALLOW_INSECURE_CONFIG_URLS=true} in the environment.
         */
        public Builder allowInsecureUrls(boolean allowInsecureUrls) {
            this.allowInsecureUrls = allowInsecureUrls;
            return this;
        }

        /** Sets which requests carry identity; {@link Propagation#resources()} by default. */
        public Builder propagation(Propagation propagation) {
            this.propagation = Objects.requireNonNull(propagation, "propagation");
            return this;
        }

        /**
         * Sets the transport for the STS, the Coordinator and {@link run.caracal.Caracal#fetch}. The client does not
         * dispose it.
         */
        public Builder transport(HttpTransport transport) {
            this.transport = Objects.requireNonNull(transport, "transport");
            return this;
        }

        /**
         * Sets the source of the traces that sessions join, unless their options or the bound context name one.
         *
         * @param traceSource for instance {@code MicrometerTraceSource.create()}
         */
        public Builder traceSource(TraceSource traceSource) {
            this.traceSource = Objects.requireNonNull(traceSource, "traceSource");
            return this;
        }

        /**
         * Sets how long the result of a session's work waits for the termination, which then continues in the
         * background.
         *
         * @param closeTimeout from a millisecond to an hour
         * @throws IllegalArgumentException if it is out of range
         */
        public Builder closeTimeout(Duration closeTimeout) {
            this.closeTimeout = timeout(closeTimeout, "closeTimeout");
            return this;
        }

        /**
         * Sets how long closing the client waits for active sessions before it terminates them.
         *
         * @param disposeTimeout from a millisecond to an hour
         * @throws IllegalArgumentException if it is out of range
         */
        public Builder disposeTimeout(Duration disposeTimeout) {
            this.disposeTimeout = timeout(disposeTimeout, "disposeTimeout");
            return this;
        }

        /** Sets whether a failed termination fails the session's work; {@code false} by default: it is logged. */
        public Builder failOnCloseError(boolean failOnCloseError) {
            this.failOnCloseError = failOnCloseError;
            return this;
        }

        /**
         * Sets the timeout of a call to the Coordinator.
         *
         * @param coordinatorTimeout from a millisecond to an hour
         * @throws IllegalArgumentException if it is out of range
         */
        public Builder coordinatorTimeout(Duration coordinatorTimeout) {
            this.coordinatorTimeout = timeout(coordinatorTimeout, "coordinatorTimeout");
            return this;
        }

        /**
         * Sets the timeout of a call to the STS.
         *
         * @param stsTimeout from a millisecond to an hour
         * @throws IllegalArgumentException if it is out of range
         */
        public Builder stsTimeout(Duration stsTimeout) {
            this.stsTimeout = timeout(stsTimeout, "stsTimeout");
            return this;
        }

        /**
         * Limits the open sessions of this client; further ones wait for a permit, for at most the
         * {@link #sessionAcquireTimeout}. Choose this client's share of the zone's limit, 50 by default. With this
         * setting, openings and delegations also wait when the Coordinator reports a limit that passes with the minute
         * or with the end of another session, instead of failing.
         *
         * <p>Every session needs a permit, from before it is opened until the platform has ended it: tasks, services,
         * and the sessions that the SDK opens for authority on demand and for application transports. Permits are
         * granted in FIFO order among sessions of the same depth; a cancelled caller leaves the queue.
         *
         * <b>Nested sessions.</b> A nested session that waits holds its parent's permit meanwhile, so it must never
         * wait for a permit that only its ancestors could release. Therefore a root session takes a second permit for
         * its first child, which may also be the child that holds its authority on demand; nested sessions go before
         * roots, deeper ones first; and each depth leaves a permit to the next deeper one. This holds down to ten
         * levels, the platform's own limit, or half of the tasks' permits if that is less; a session nested deeper
         * fails immediately, with the smallest sufficient setting in its message. Of 50 permits nine are reserved, and
         * 20 root sessions are open at once. Services and the sessions of application transports keep their permits for
         * life, and sessions inside a service count as roots.
         *
         * @param maxOpenSessions at least 1; 2 for sessions with scoped calls or children
         * @throws IllegalArgumentException if it is less
         */
        public Builder maxOpenSessions(int maxOpenSessions) {
            this.maxOpenSessions = counted(maxOpenSessions, "maxOpenSessions", Rules.maxOpenSessions(maxOpenSessions));
            return this;
        }

        /**
         * Sets how long sessions wait for a permit of {@link #maxOpenSessions} and for the Coordinator's limits, and
         * mints for {@link #maxMintsPerMinute}. After it they fail with {@link run.caracal.error.CapacityException}, or
         * with the last rejection of the platform.
         *
         * @param sessionAcquireTimeout from a millisecond to an hour
         * @throws IllegalArgumentException if it is out of range
         */
        public Builder sessionAcquireTimeout(Duration sessionAcquireTimeout) {
            this.sessionAcquireTimeout = timeout(sessionAcquireTimeout, "sessionAcquireTimeout");
            return this;
        }

        /**
         * Limits the rate of mints for each resource; further calls wait in FIFO order, for at most the
         * {@link #sessionAcquireTimeout}. As on the platform, a call counts as two: its mandate is counted when it is
         * minted and when it is used. Choose this client's share of the application's limit for a resource, 1000 by
         * default, and stay below it, because a mandate may be used in a later minute than the one it is minted in. A
         * burst of one second's calls passes immediately.
         *
         * @param maxMintsPerMinute at least 2, for one call
         * @throws IllegalArgumentException if it is less
         */
        public Builder maxMintsPerMinute(int maxMintsPerMinute) {
            this.maxMintsPerMinute =
                    counted(maxMintsPerMinute, "maxMintsPerMinute", Rules.maxMintsPerMinute(maxMintsPerMinute));
            return this;
        }

        /**
         * Checks all settings and builds the configuration.
         *
         * @throws run.caracal.error.ConfigurationException with all faults
         */
        public CaracalConfig build() {
            Problems problems = new Problems();
            if (production == null) {
                problems.check(Rules.ENV, VARIABLE, Rules.environment(variables.get(Rules.ENV)));
            }
            if (allowInsecureUrls == null) {
                problems.check(Rules.ALLOW_INSECURE, VARIABLE, Rules.flag(variables.get(Rules.ALLOW_INSECURE)));
            }
            id(problems, "zoneId", zoneId);
            id(problems, "applicationId", applicationId);
            if (clientSecret == null && subjectToken == null) {
                problems.add("clientSecret", BUILDER, "is missing: set clientSecret or subjectToken");
            }
            if (subjectToken != null) {
                problems.check("subjectToken", BUILDER, Rules.subjectToken(subjectToken, Clock.systemUTC()));
            }
            URI coordinator = url(problems, "coordinatorUrl", coordinatorUrl);
            URI sts = url(problems, "stsUrl", stsUrl);
            URI gateway = url(problems, "gatewayUrl", gatewayUrl);
            resources(problems);
            if (defaultTtl != null) {
                problems.check("defaultTtl", BUILDER, Rules.ttl(defaultTtl));
            }
            if (defaultKind != null) {
                problems.check("defaultKind", BUILDER, Rules.kind(defaultKind));
            }
            if (propagation != null) {
                problems.check(
                        "propagation",
                        BUILDER,
                        Rules.identityOrigins(propagation.namedOrigins(), isProduction(), allowsInsecureUrls()));
            }
            problems.throwIfAny();
            if (isProduction() && Stream.of(sts, coordinator, gateway).anyMatch(Builder::isInsecure)) {
                LOG.warn(Rules.INSECURE_OVERRIDE);
            }
            return new CaracalConfig(this, sts, coordinator, gateway);
        }

        private static boolean isInsecure(@Nullable URI url) {
            return url != null && Rules.isInsecure(url);
        }

        private static void id(Problems problems, String setting, @Nullable String value) {
            problems.check(setting, BUILDER, value == null ? "is missing: set it" : Rules.id(value));
        }

        private @Nullable URI url(Problems problems, String setting, @Nullable String value) {
            if (value == null) {
                if (isProduction()) {
                    problems.add(setting, BUILDER, "is required in production: there is no default for it");
                }
                return null;
            }
            return problems.passes(setting, BUILDER, Rules.serviceUrl(value, isProduction(), allowsInsecureUrls()))
                    ? URI.create(value)
                    : null;
        }

        private void resources(Problems problems) {
            for (String id : applicationResources) {
                problems.check("resourceIds", BUILDER, Rules.resourceId(id));
            }
            List<List<String>> scopes = new ArrayList<>(resourceScopes.values());
            for (ResourceBinding binding : resources.values()) {
                problems.check("resource", BUILDER, Rules.resourceId(binding.resource()));
                problems.check("upstreamPrefix", BUILDER, Rules.upstreamPrefix(binding.upstreamPrefix()));
                scopes.add(binding.scopes());
            }
            scopes.forEach(values -> problems.check("scopes", BUILDER, Rules.scopes(values)));
            for (String id : resourceScopes.keySet()) {
                if (!resources.containsKey(id) && !applicationResources.contains(id)) {
                    problems.add(
                            "resourceScopes", BUILDER, "names a resource that is neither bound nor in resourceIds");
                }
            }
        }

        private boolean isProduction() {
            return production != null ? production : Rules.isProduction(variables.get(Rules.ENV));
        }

        private boolean allowsInsecureUrls() {
            return allowInsecureUrls != null ? allowInsecureUrls : Rules.isOn(variables.get(Rules.ALLOW_INSECURE));
        }

        private static int counted(int value, String field, @Nullable String fault) {
            Rules.require(field, fault);
            return value;
        }

        private static Duration timeout(Duration value, String field) {
            Rules.require(field, Rules.timeout(value));
            return value;
        }

        /** Omits the other settings, some of which are secrets. */
        @Override
        public String toString() {
            return "CaracalConfig.Builder[zoneId=" + zoneId + ", applicationId=" + applicationId + ']';
        }
    }
}
