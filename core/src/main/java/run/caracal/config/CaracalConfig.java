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
 * The configuration of a Caracal client. Immutable; {@link #mutate()} gives a builder for a changed copy.
 *
 * <p>It comes from one of three places: {@link #builder() the program}, {@link #fromEnvironment() the environment}, or
 * {@link #fromProfile(Path) a profile}; {@link #load()} looks the last two up. The last three read files and environment
 * variables, so they belong into start-up code and refuse to run on a thread that must not block.
 *
 * <p>Whatever the place, all faults are reported together in one {@link run.caracal.error.ConfigurationException}.
 */
public final class CaracalConfig {
    /** Where the Coordinator is, unless configured: {@code http://localhost:4000}. */
    public static final URI DEFAULT_COORDINATOR_URL = URI.create("http://localhost:4000");

    /** Where the STS is, unless configured: {@code http://localhost:8080}. */
    public static final URI DEFAULT_STS_URL = URI.create("http://localhost:8080");

    /** Where the Gateway is, unless configured: {@code http://localhost:8081}. */
    public static final URI DEFAULT_GATEWAY_URL = URI.create("http://localhost:8081");

    /** The shortest time to live of a session: 1 second. */
    public static final Duration MIN_TTL = Rules.MIN_TTL;

    /** The longest time to live of a session: 86400 seconds. */
    public static final Duration MAX_TTL = Rules.MAX_TTL;

    /** How long terminating a session may hold its result up, unless configured: 5 seconds. */
    public static final Duration DEFAULT_CLOSE_TIMEOUT = Duration.ofSeconds(5);

    /** How long disposing a client waits for its sessions, unless configured: 10 seconds. */
    public static final Duration DEFAULT_DISPOSE_TIMEOUT = Duration.ofSeconds(10);

    /**
     * How long capacity is waited for, unless configured: 2 minutes, because the limits of the platform that count in a
     * minute pass once in each.
     */
    public static final Duration DEFAULT_SESSION_ACQUIRE_TIMEOUT = Duration.ofMinutes(2);

    /** How long a call to the Coordinator may take, unless configured: 10 seconds. */
    public static final Duration DEFAULT_COORDINATOR_TIMEOUT = Duration.ofSeconds(10);

    /** How long a call to the STS may take, unless configured: 30 seconds. */
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

    /**
     * Starts a configuration in the program. It needs a zone, an application, and either a client secret or a subject
     * token.
     */
    public static Builder builder() {
        return new Builder(System.getenv());
    }

    /**
     * Looks the configuration up: the profile that {@code CARACAL_CONFIG} names; else {@code caracal.toml} in the default
     * directory, when there is one; else the environment. The source that won is logged.
     *
     * <p>The default directory is {@code $CARACAL_CONFIG_HOME}, else {@code $XDG_CONFIG_HOME/caracal}, else {@code
     * %APPDATA%\Caracal} on Windows, {@code ~/Library/Application Support/Caracal} on macOS and {@code ~/.config/caracal}
     * elsewhere; never the working directory.
     *
     * @throws run.caracal.error.ConfigurationException with all faults
     * @throws IllegalStateException on a thread that must not block
     */
    public static CaracalConfig load() {
        requireBlockingThread("CaracalConfig.load()");
        return from(ConfigLoader.lookup(Host.system()));
    }

    /**
     * Does what {@link #load()} does, with settings that win, key by key, over those of the profile and the environment: for
     * frameworks that have properties of their own. The log names the settings that came from there.
     *
     * @param overrides what wins
     * @return the configuration
     * @throws run.caracal.error.ConfigurationException with all faults, those of the overrides under their own names
     * @throws IllegalStateException on a thread that must not block
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
     * Reads the environment: the profile that {@code CARACAL_CONFIG} names, as {@link #fromProfile} does, or, when that is
     * not set, these variables. A profile in the default directory is not looked for.
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
     * <p>An empty variable counts as unset; a blank one is a fault, and so is a word that none of these is.
     *
     * @throws run.caracal.error.ConfigurationException with all faults
     * @throws IllegalStateException on a thread that must not block
     */
    public static CaracalConfig fromEnvironment() {
        requireBlockingThread("CaracalConfig.fromEnvironment()");
        return from(ConfigLoader.environment(Host.system()));
    }

    /**
     * Reads a profile. It must name zone, application and client secret itself; for the other settings its own keys win
     * over the environment. Bindings are united: one of the environment replaces the profile's with the same id.
     *
     * <p>Its keys are {@code zone_id}, {@code application_id}, {@code app_client_secret} or {@code app_client_secret_file}
     * (relative to the profile), {@code sts_url} (or {@code zone_url}), {@code coordinator_url}, {@code gateway_url},
     * {@code default_ttl_seconds}, {@code max_open_sessions}, {@code session_acquire_timeout_seconds}, {@code
     * max_mints_per_minute}, {@code propagation}, {@code allow_group_readable_secrets}, and the tables {@code
     * [[credentials]]} and {@code [[optional_credentials]]} with {@code resource}, {@code upstream_prefix} and {@code scopes}.
     *
     * @param profile the file
     * @throws run.caracal.error.ConfigurationException with all faults
     * @throws IllegalStateException on a thread that must not block
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

    /** {@return a builder that holds all of this configuration} */
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

    /** {@return the identifier of the zone} */
    public String zoneId() {
        return zoneId;
    }

    /** {@return the identifier of the application, to which every session belongs} */
    public String applicationId() {
        return applicationId;
    }

    /** {@return where the client secret comes from; empty when there is a {@link #subjectToken()} instead} */
    public Optional<ClientSecretResolver> clientSecret() {
        return Optional.ofNullable(clientSecret);
    }

    /** {@return the static token, a secret; empty when there is a {@link #clientSecret()} instead} */
    public Optional<String> subjectToken() {
        return Optional.ofNullable(subjectToken);
    }

    /** {@return the base address of the STS without a slash at its end, {@link #DEFAULT_STS_URL} unless configured; not
     * used with a {@link #subjectToken()}} */
    public URI stsUrl() {
        return stsUrl == null ? DEFAULT_STS_URL : stsUrl;
    }

    /** {@return the base address of the Coordinator as it was configured, {@link #DEFAULT_COORDINATOR_URL} unless it was} */
    public URI coordinatorUrl() {
        return coordinatorUrl == null ? DEFAULT_COORDINATOR_URL : coordinatorUrl;
    }

    /** {@return the base address of the Gateway as it was configured, {@link #DEFAULT_GATEWAY_URL} unless it was} */
    public URI gatewayUrl() {
        return gatewayUrl == null ? DEFAULT_GATEWAY_URL : gatewayUrl;
    }

    /** {@return the bindings of resources to address prefixes, the longest prefix first} */
    public List<ResourceBinding> resources() {
        return resources;
    }

    /** {@return the resources that the application token asks for: those given as such, then those of {@link #resources()}} */
    public List<String> resourceIds() {
        return resourceIds;
    }

    /**
     * The scopes that calls to a resource ask for, be it bound or not.
     *
     * @return an immutable list, empty when none are configured
     */
    public List<String> scopesOf(String resource) {
        Objects.requireNonNull(resource, "resource");
        return scopes.getOrDefault(resource, List.of());
    }

    /** The scopes by resource, asked for with every request: those of a binding before those of the resource alone. */
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

    /** {@return the time to live of sessions that name none; empty for 3600 seconds} */
    public Optional<Duration> defaultTtl() {
        return Optional.ofNullable(defaultTtl);
    }

    /** {@return the kind of sessions that name none, which current platforms ignore; empty to send none} */
    public Optional<String> defaultKind() {
        return Optional.ofNullable(defaultKind);
    }

    /**
     * Whether the production rules hold: service addresses must be explicit and https, loopback excepted, and so must be the
     * origins that the {@link #propagation()} names.
     */
    public boolean production() {
        return production;
    }

    /** {@return whether plain http to other machines is allowed in production} */
    public boolean allowInsecureUrls() {
        return allowInsecureUrls;
    }

    /**
     * Where identity goes, when that was chosen; when it was not, decorated clients use {@link Propagation#resources()}.
     *
     * @return the choice, if there was one
     */
    public Optional<Propagation> propagation() {
        return Optional.ofNullable(propagation);
    }

    /** {@return the transport to the STS and the Coordinator and of {@link run.caracal.Caracal#fetch}, which stays the
     * caller's to dispose; empty to find one on the class path} */
    public Optional<HttpTransport> transport() {
        return Optional.ofNullable(transport);
    }

    /** {@return where the traces are found that sessions join; empty when each root session begins one} */
    public Optional<TraceSource> traceSource() {
        return Optional.ofNullable(traceSource);
    }

    /** {@return how long terminating a session may hold up the result of its work before it goes on in the background} */
    public Duration closeTimeout() {
        return closeTimeout;
    }

    /** {@return how long disposing the client waits for sessions at work before it terminates them} */
    public Duration disposeTimeout() {
        return disposeTimeout;
    }

    /** {@return whether a session that cannot be terminated fails its work, which otherwise keeps its result and logs a
     * warning} */
    public boolean failOnCloseError() {
        return failOnCloseError;
    }

    /** {@return how long one call to the Coordinator may take} */
    public Duration coordinatorTimeout() {
        return coordinatorTimeout;
    }

    /** {@return how long one call to the STS may take} */
    public Duration stsTimeout() {
        return stsTimeout;
    }

    /** {@return how many sessions the client holds open at most; empty for as many as the platform lets it} */
    public OptionalInt maxOpenSessions() {
        return maxOpenSessions == null ? OptionalInt.empty() : OptionalInt.of(maxOpenSessions);
    }

    /** {@return how long a session waits for a place, and a mandate for its turn, before they fail} */
    public Duration sessionAcquireTimeout() {
        return sessionAcquireTimeout;
    }

    /** {@return how many mandates of each resource are minted and used in a minute at most; empty for no pace} */
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

    /** Resolver, transport and trace source are compared as their classes do. */
    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof CaracalConfig that && values().equals(that.values());
    }

    @Override
    public int hashCode() {
        return values().hashCode();
    }

    /** Shows which settings are in use, and no secret. */
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

    /** Builds a {@link CaracalConfig}. Not safe for use by several threads. */
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

        /**
         * Sets the zone; required.
         *
         * @param zoneId its identifier
         */
        public Builder zoneId(String zoneId) {
            this.zoneId = Objects.requireNonNull(zoneId, "zoneId");
            return this;
        }

        /**
         * Sets the application; required.
         *
         * @param applicationId its identifier
         */
        public Builder applicationId(String applicationId) {
            this.applicationId = Objects.requireNonNull(applicationId, "applicationId");
            return this;
        }

        /**
         * Sets a client secret that never changes, in place of a subject token.
         *
         * @throws IllegalArgumentException when the secret cannot be one; the message does not hold it
         */
        public Builder clientSecret(String clientSecret) {
            String fault = Rules.clientSecret(Objects.requireNonNull(clientSecret, "clientSecret"));
            if (fault != null) {
                throw new IllegalArgumentException("clientSecret " + fault);
            }
            return clientSecret(ClientSecretResolver.of(clientSecret));
        }

        /**
         * Sets where the client secret comes from, in place of a subject token.
         *
         * @param clientSecret finds the secret whenever one is needed
         */
        public Builder clientSecret(ClientSecretResolver clientSecret) {
            this.clientSecret = Objects.requireNonNull(clientSecret, "clientSecret");
            this.subjectToken = null;
            return this;
        }

        /**
         * Sets a static token, in place of a client secret. One that is expired or unsigned is refused.
         *
         * @param subjectToken the token, a secret
         */
        public Builder subjectToken(String subjectToken) {
            this.subjectToken = Objects.requireNonNull(subjectToken, "subjectToken");
            this.clientSecret = null;
            return this;
        }

        /**
         * Sets the address of the STS; required in production.
         *
         * @param stsUrl an absolute http or https address
         */
        public Builder stsUrl(String stsUrl) {
            this.stsUrl = Rules.stripSlashes(stsUrl);
            return this;
        }

        /**
         * Sets the address of the Coordinator; required in production.
         *
         * @param coordinatorUrl an absolute http or https address
         */
        public Builder coordinatorUrl(String coordinatorUrl) {
            this.coordinatorUrl = Objects.requireNonNull(coordinatorUrl, "coordinatorUrl");
            return this;
        }

        /**
         * Sets the address of the Gateway; required in production.
         *
         * @param gatewayUrl an absolute http or https address
         */
        public Builder gatewayUrl(String gatewayUrl) {
            this.gatewayUrl = Objects.requireNonNull(gatewayUrl, "gatewayUrl");
            return this;
        }

        /** Adds a binding, or replaces the one of the same resource. */
        public Builder resource(ResourceBinding binding) {
            bind(binding);
            return this;
        }

        private void bind(ResourceBinding binding) {
            resources.put(binding.resource(), binding);
        }

        /**
         * Adds a binding, or replaces the one of the same resource.
         *
         * @param upstreamPrefix the absolute address prefix of its upstream
         * @param scopes the scopes that calls to it ask for
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

        /**
         * Replaces the resources that the application token asks for before those of the bindings, which it asks for in
         * any case.
         *
         * @param resourceIds ids of resources
         */
        public Builder resourceIds(String... resourceIds) {
            List<String> copy = List.of(resourceIds);
            applicationResources.clear();
            applicationResources.addAll(copy);
            return this;
        }

        /**
         * Sets the scopes that calls to a resource ask for when it has no binding, or one without scopes.
         *
         * @param resource the id of a resource that is bound or in {@link #resourceIds}
         */
        public Builder resourceScopes(String resource, String... scopes) {
            resourceScopes.put(Objects.requireNonNull(resource, "resource"), List.of(scopes));
            return this;
        }

        /**
         * Sets the time to live of sessions that name none.
         *
         * @param defaultTtl whole seconds from {@link #MIN_TTL} to {@link #MAX_TTL}
         */
        public Builder defaultTtl(Duration defaultTtl) {
            this.defaultTtl = Objects.requireNonNull(defaultTtl, "defaultTtl");
            return this;
        }

        /** Sets the kind of sessions that name none. */
        public Builder defaultKind(String defaultKind) {
            this.defaultKind = Objects.requireNonNull(defaultKind, "defaultKind");
            return this;
        }

        /**
         * Turns the production rules on or off. Unless called, {@code CARACAL_ENV=production} in the environment decides.
         *
         * @param production whether they hold
         */
        public Builder production(boolean production) {
            this.production = production;
            return this;
        }

        /**
         * Allows plain http to other machines in production: tokens and secrets can then be read on the way. Unless
         * called, {@code CARACAL_ALLOW_INSECURE_CONFIG_URLS=true} in the environment decides.
         *
         * @param allowInsecureUrls whether it is allowed
         */
        public Builder allowInsecureUrls(boolean allowInsecureUrls) {
            this.allowInsecureUrls = allowInsecureUrls;
            return this;
        }

        /**
         * Chooses where identity goes, {@link Propagation#resources()} unless called.
         *
         * @param propagation the choice
         */
        public Builder propagation(Propagation propagation) {
            this.propagation = Objects.requireNonNull(propagation, "propagation");
            return this;
        }

        /**
         * Sets the transport to the STS and the Coordinator, which then carries the calls of {@link run.caracal.Caracal#fetch}
         * too. It stays the caller's to dispose.
         */
        public Builder transport(HttpTransport transport) {
            this.transport = Objects.requireNonNull(transport, "transport");
            return this;
        }

        /**
         * Sets where the traces are found that sessions join, unless their options or the bound context name one.
         *
         * @param traceSource the source, for instance {@code MicrometerTraceSource.create()}
         * @return this builder
         */
        public Builder traceSource(TraceSource traceSource) {
            this.traceSource = Objects.requireNonNull(traceSource, "traceSource");
            return this;
        }

        /**
         * Sets how long terminating a session may hold up the result of its work.
         *
         * @param closeTimeout a millisecond to an hour
         * @throws IllegalArgumentException when it is less or more
         */
        public Builder closeTimeout(Duration closeTimeout) {
            this.closeTimeout = timeout(closeTimeout, "closeTimeout");
            return this;
        }

        /**
         * Sets how long disposing the client waits for sessions at work.
         *
         * @param disposeTimeout a millisecond to an hour
         * @throws IllegalArgumentException when it is less or more
         */
        public Builder disposeTimeout(Duration disposeTimeout) {
            this.disposeTimeout = timeout(disposeTimeout, "disposeTimeout");
            return this;
        }

        /**
         * Sets whether a session that cannot be terminated fails its work.
         *
         * @param failOnCloseError whether it does
         */
        public Builder failOnCloseError(boolean failOnCloseError) {
            this.failOnCloseError = failOnCloseError;
            return this;
        }

        /**
         * Sets how long one call to the Coordinator may take.
         *
         * @param coordinatorTimeout a millisecond to an hour
         * @throws IllegalArgumentException when it is less or more
         */
        public Builder coordinatorTimeout(Duration coordinatorTimeout) {
            this.coordinatorTimeout = timeout(coordinatorTimeout, "coordinatorTimeout");
            return this;
        }

        /**
         * Sets how long one call to the STS may take.
         *
         * @param stsTimeout a millisecond to an hour
         * @throws IllegalArgumentException when it is less or more
         */
        public Builder stsTimeout(Duration stsTimeout) {
            this.stsTimeout = timeout(stsTimeout, "stsTimeout");
            return this;
        }

        /**
         * Bounds how many sessions the client holds open, and makes what has no place yet wait for one, for the {@link
         * #sessionAcquireTimeout}. Choose this client's share of the zone's limit, which is 50 unless its operator changed it.
         * While this is set, openings and delegations also wait for the Coordinator's limits, those that pass when a minute or
         * another session ends, instead of failing with them.
         *
         * <p>Every open session counts, from before it is opened until the platform has ended it: tasks, services, and those
         * that the SDK opens for authority on demand and for application transports. Sessions of the same rank are served
         * first come, first served, and a cancelled one leaves its place in the line to the next.
         *
         * <p><b>Sessions inside sessions.</b> A session that waits inside the work of another holds that one's place meanwhile,
         * so it must never wait for a place that only its own ancestors could free. Therefore a session outside of all others
         * takes two places: its own, and one for the first session inside it, which is also the one that obtains its authority
         * for scoped calls. Sessions inside others go before those outside, deeper ones first, and each depth leaves one place
         * to the next deeper one. Whatever is open, the deepest that wait can thus be served, end, and make room for the rest.
         * This goes as deep as half of the places that tasks may have, and ten at the most, which is as deep as the platform
         * lets sessions nest; for more, a session inside others fails at once and says what the least is. Of 50 places, nine
         * are kept so, and 20 sessions outside of others are open at a time. Services and the sessions of application
         * transports hold their places for as long as they live, and sessions inside a service count as outside of others.
         *
         * @param maxOpenSessions at least 1; 2 where a session makes scoped calls or has another one inside it
         * @throws IllegalArgumentException when it is less
         */
        public Builder maxOpenSessions(int maxOpenSessions) {
            this.maxOpenSessions = counted(maxOpenSessions, "maxOpenSessions", Rules.maxOpenSessions(maxOpenSessions));
            return this;
        }

        /**
         * Sets how long a session waits for a place among {@link #maxOpenSessions} and for the Coordinator's limits, and how
         * long a mandate waits for its turn among {@link #maxMintsPerMinute}. When the time is over they fail with a {@link
         * run.caracal.error.CapacityException}, or with the platform's own refusal when that was met meanwhile.
         *
         * @param sessionAcquireTimeout a millisecond to an hour
         * @throws IllegalArgumentException when it is less or more
         */
        public Builder sessionAcquireTimeout(Duration sessionAcquireTimeout) {
            this.sessionAcquireTimeout = timeout(sessionAcquireTimeout, "sessionAcquireTimeout");
            return this;
        }

        /**
         * Paces the mandates of each resource, so that the calls of one minute are spread over it and those beyond wait for
         * their turn, first come, first served, for the {@link #sessionAcquireTimeout}. The number is in the platform's own
         * units, of which a call costs two: its mandate is counted when it is minted, and again when it is used. Choose this
         * client's share of the application's limit for a resource, which is 1000 unless its operator changed it, less a few,
         * because a mandate may be used in a later minute than it is minted in. A burst of calls for one second passes at once.
         *
         * @param maxMintsPerMinute at least 2, for one call
         * @throws IllegalArgumentException when it is less
         */
        public Builder maxMintsPerMinute(int maxMintsPerMinute) {
            this.maxMintsPerMinute =
                    counted(maxMintsPerMinute, "maxMintsPerMinute", Rules.maxMintsPerMinute(maxMintsPerMinute));
            return this;
        }

        /**
         * Checks all settings and makes the configuration.
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
            if (fault != null) {
                throw new IllegalArgumentException(field + ' ' + fault);
            }
            return value;
        }

        private static Duration timeout(Duration value, String field) {
            String fault = Rules.timeout(value);
            if (fault != null) {
                throw new IllegalArgumentException(field + ' ' + fault);
            }
            return value;
        }

        /** Shows no setting: some are secrets. */
        @Override
        public String toString() {
            return "CaracalConfig.Builder[zoneId=" + zoneId + ", applicationId=" + applicationId + ']';
        }
    }
}
