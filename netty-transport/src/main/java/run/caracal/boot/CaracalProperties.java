package run.caracal.boot;

import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;

/**
 * The properties of the client, which override the profile and the environment.
 *
 * @param enabled Whether to create a client.
 * @param zoneId Zone of the application.
 * @param applicationId Application that owns the sessions.
 * @param clientSecret Client secret of the application. Prefer a file.
 * @param clientSecretFile File with the client secret of the application. It is read for each token exchange.
 * @param allowGroupReadableSecrets Whether the group and others may have read access to the file with the client secret.
 * @param stsUrl Address of the STS.
 * @param coordinatorUrl Address of the Coordinator.
 * @param gatewayUrl Address of the Gateway.
 * @param bindings Protected resources and the URL prefixes of their upstreams. Requests under a prefix are routed through the
 *     Gateway.
 * @param propagation Which requests carry identity: gateway, resources, everywhere, or origins. By default resources, which are
 *     requests to the Gateway and to bound addresses.
 * @param production Whether the production rules apply: service URLs must be explicit and https.
 * @param allowInsecureConfigUrls Whether plain http to other machines is allowed in production.
 * @param defaultTtl TTL of sessions whose options set none, in whole seconds.
 * @param maxOpenSessions Maximum number of open sessions. Further ones wait for a permit.
 * @param sessionAcquireTimeout How long a session or a mint waits for capacity.
 * @param maxMintsPerMinute Maximum number of mints per minute for each resource. A scoped call counts as two; further calls
 *     wait for a permit.
 * @param closeTimeout How long the result of a session's work waits for the termination.
 * @param disposeTimeout How long the client waits for active sessions when the application stops.
 * @param coordinatorTimeout Timeout of a call to the Coordinator.
 * @param stsTimeout Timeout of a call to the STS.
 * @param failOnCloseError Whether a failed termination fails the work of the session.
 * @param failFast Whether the application fails to start if the platform is not usable.
 * @param ssl TLS of calls to the STS and the Coordinator.
 * @param protectedResource Resource that this application serves. Requests then need a mandate for it.
 * @param webClient Boot's WebClient.Builder.
 * @param contextPropagation The bound context in imperative code.
 */
@ConfigurationProperties("caracal")
record CaracalProperties(
        @DefaultValue("true") boolean enabled,
        @Nullable String zoneId,
        @Nullable String applicationId,
        @Nullable String clientSecret,
        @Nullable String clientSecretFile,
        @Nullable Boolean allowGroupReadableSecrets,
        @Nullable String stsUrl,
        @Nullable String coordinatorUrl,
        @Nullable String gatewayUrl,
        @DefaultValue List<Binding> bindings,
        @DefaultValue List<String> propagation,
        @Nullable Boolean production,
        @Nullable Boolean allowInsecureConfigUrls,
        @Nullable Duration defaultTtl,
        @Nullable Integer maxOpenSessions,
        @Nullable Duration sessionAcquireTimeout,
        @Nullable Integer maxMintsPerMinute,
        @Nullable Duration closeTimeout,
        @Nullable Duration disposeTimeout,
        @Nullable Duration coordinatorTimeout,
        @Nullable Duration stsTimeout,
        @Nullable Boolean failOnCloseError,
        @DefaultValue("false") boolean failFast,
        @DefaultValue Ssl ssl,
        @Nullable String protectedResource,
        @DefaultValue WebClient webClient,
        @DefaultValue ContextPropagation contextPropagation) {

    /**
     * A protected resource.
     *
     * @param resource Identifier of the resource, for instance resource://billing-api.
     * @param upstreamPrefix URL prefix of the upstream.
     * @param scopes Scopes of calls to the resource.
     */
    record Binding(
            @Nullable String resource,
            @Nullable String upstreamPrefix,
            @DefaultValue List<String> scopes) {}

    /**
     * TLS.
     *
     * @param bundle Name of the SSL bundle. Reloaded keys and certificates are used for new connections.
     */
    record Ssl(@Nullable String bundle) {}

    /**
     * Boot's WebClient.Builder.
     *
     * @param enabled Whether its requests carry the identity of the bound session.
     */
    record WebClient(@DefaultValue("true") boolean enabled) {}

    /**
     * The bound context in imperative code.
     *
     * @param enabled Whether Micrometer's context propagation carries it.
     * @param mdc Whether the ids of session and trace are put into the MDC.
     */
    record ContextPropagation(
            @DefaultValue("true") boolean enabled,
            @DefaultValue("true") boolean mdc) {}

    /** Omits secrets. */
    @Override
    public String toString() {
        return "CaracalProperties[zoneId=" + zoneId + ", applicationId=" + applicationId + "]";
    }
}
