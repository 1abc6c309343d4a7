package run.caracal.boot;

import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;

/**
 * The properties of the inbound boundary, which is enabled by {@code caracal.protected-resource}.
 *
 * @param issuer Issuer of the mandates, if it is not the URL of the STS.
 * @param jwksUrl URL of the zone's public keys, if they are not at the STS.
 * @param withoutBearer Treatment of a request without a bearer.
 * @param trusted Whether a proxy in front of the application verifies each request.
 * @param scopes Required scopes of a mandate.
 * @param session Whether a mandate must name an agent session.
 * @param delegation Whether a mandate must name a delegation.
 * @param maxHops Maximum number of delegations in the chain of a mandate.
 * @param applications Required applications in the chain of delegations.
 * @param routes Requirements by path and method. The most specific pattern wins.
 * @param except Path patterns of requests that are not verified, unless a more specific route matches.
 * @param warmup Whether the public keys of the zone are fetched when the application starts.
 * @param revocation Source of revocations.
 */
@ConfigurationProperties("caracal.inbound")
record CaracalInboundProperties(
        @Nullable String issuer,
        @Nullable String jwksUrl,
        @DefaultValue("refused") WithoutBearer withoutBearer,
        @DefaultValue("false") boolean trusted,
        @DefaultValue List<String> scopes,
        @DefaultValue("true") boolean session,
        @DefaultValue("true") boolean delegation,
        @DefaultValue("10") int maxHops,
        @DefaultValue List<String> applications,
        @DefaultValue List<Route> routes,
        @DefaultValue List<String> except,
        @DefaultValue("true") boolean warmup,
        @DefaultValue Revocation revocation) {

    /** Treatment of a request without a bearer. */
    enum WithoutBearer {
        /** The request is rejected. */
        REFUSED,
        /** The request passes anonymously. */
        PASSES,
        /** The request runs as the application itself. For trusted callers only. */
        AS_APPLICATION
    }

    /**
     * Requirements of some requests. Unset values are those of all other requests.
     *
     * @param path Path pattern. * matches one segment, ** at the end matches zero or more.
     * @param methods HTTP methods. By default all.
     * @param withoutBearer Treatment of a request without a bearer.
     * @param scopes Required scopes of a mandate.
     * @param session Whether a mandate must name an agent session.
     * @param delegation Whether a mandate must name a delegation.
     * @param maxHops Maximum number of delegations in the chain of a mandate.
     * @param applications Required applications in the chain of delegations.
     */
    record Route(
            @DefaultValue("/**") String path,
            @DefaultValue List<String> methods,
            @Nullable WithoutBearer withoutBearer,
            @Nullable List<String> scopes,
            @Nullable Boolean session,
            @Nullable Boolean delegation,
            @Nullable Integer maxHops,
            @Nullable List<String> applications) {}

    /**
     * The source of revocations.
     *
     * @param redis Redis with the platform's revocation streams.
     */
    record Revocation(@DefaultValue Redis redis) {}

    /**
     * A Redis with the platform's revocation streams.
     *
     * @param enabled Whether revocations are read, from Boot's own Redis (spring.data.redis) unless a URL is set.
     * @param url URL of the Redis, which also enables it, for instance rediss://user:secret@redis:6380.
     * @param shared Whether the instances of this application share keys in Redis. Otherwise each reads the streams into
     *     its own memory and writes nothing.
     * @param consumer Unique name of this instance in the consumer group. By default the host name.
     * @param hmacKey Key that signs the platform's entries, in hexadecimal.
     * @param unsigned Whether unsigned entries are accepted.
     * @param pollInterval Interval at which the streams are polled.
     * @param blindLimit How long requests are accepted while the streams cannot be read.
     */
    record Redis(
            @DefaultValue("false") boolean enabled,
            @Nullable String url,
            @DefaultValue("true") boolean shared,
            @Nullable String consumer,
            @Nullable String hmacKey,
            @DefaultValue("false") boolean unsigned,
            @DefaultValue("250ms") Duration pollInterval,
            @DefaultValue("70s") Duration blindLimit) {

        /** Omits the URL and the key. */
        @Override
        public String toString() {
            return "Redis[enabled=" + enabled + ", shared=" + shared + ", consumer=" + consumer + "]";
        }
    }
}
