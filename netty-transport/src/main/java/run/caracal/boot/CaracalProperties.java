package run.caracal.boot;

import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;

/**
 * The properties of the client. One that is set wins over the profile and the environment, which fill in the others.
 *
 * @param enabled Whether there is a client.
 * @param zoneId Zone of the application.
 * @param applicationId Application to which every session belongs.
 * @param clientSecret Client secret of the application. A file is better.
 * @param clientSecretFile File with the client secret of the application. It is read again whenever a token is exchanged.
 * @param allowGroupReadableSecrets Whether others than its owner may be able to read the file with the client secret.
 * @param stsUrl Address of the STS.
 * @param coordinatorUrl Address of the Coordinator.
 * @param gatewayUrl Address of the Gateway.
 * @param bindings Protected resources and the addresses of their upstreams. Requests under such an address go through the
 *     Gateway.
 * @param propagation Where identity goes: gateway, resources, everywhere, or origins. By default resources, which are the
 *     Gateway and the bound addresses.
 * @param production Whether the rules of production hold: addresses must be explicit and https.
 * @param allowInsecureConfigUrls Whether plain http to other machines is allowed in production.
 * @param defaultTtl Time to live of sessions that name none, in whole seconds.
 * @param maxOpenSessions How many sessions may be open at once. Those beyond wait for a place.
 * @param sessionAcquireTimeout How long a session or a mandate waits for capacity.
 * @param maxMintsPerMinute Limit of mandates of each resource in a minute, in the units of the platform, of which a call costs
 *     two. Calls beyond wait for their turn.
 * @param closeTimeout How long terminating a session may hold up the result of its work.
 * @param disposeTimeout How long the client waits for sessions at work when the application stops.
 * @param coordinatorTimeout How long one call to the Coordinator may take.
 * @param stsTimeout How long one call to the STS may take.
 * @param failOnCloseError Whether a session that cannot be terminated fails its work.
 * @param failFast Whether the application refuses to start when the platform cannot be used.
 * @param ssl TLS to the STS and the Coordinator.
 * @param protectedResource Resource that this application is itself. Requests then need a mandate for it.
 * @param webClient The WebClient.Builder of Boot.
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
     * @param upstreamPrefix Address under which the upstream's own addresses lie.
     * @param scopes Scopes that calls to the resource ask for.
     */
    record Binding(
            @Nullable String resource,
            @Nullable String upstreamPrefix,
            @DefaultValue List<String> scopes) {}

    /**
     * TLS.
     *
     * @param bundle Name of the SSL bundle. Its keys and certificates are followed when they are reloaded.
     */
    record Ssl(@Nullable String bundle) {}

    /**
     * The builder of Boot.
     *
     * @param enabled Whether its requests get the identity of their session.
     */
    record WebClient(@DefaultValue("true") boolean enabled) {}

    /**
     * The bound context in imperative code.
     *
     * @param enabled Whether Micrometer's context propagation carries it.
     * @param mdc Whether the ids of session and trace stand in the MDC of the log.
     */
    record ContextPropagation(
            @DefaultValue("true") boolean enabled,
            @DefaultValue("true") boolean mdc) {}

    /** Shows no secret. */
    @Override
    public String toString() {
        return "CaracalProperties[zoneId=" + zoneId + ", applicationId=" + applicationId + "]";
    }
}
