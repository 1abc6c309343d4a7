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
 * @param session Whether a mandate must have an agent session.
 * @param delegation Whether a mandate must have a delegation.
 * @param maxHops Maximum number of delegations of a mandate.
 * @param applications Required applications in the chain of delegations.
 * @param routes Other requirements by path and method. The longest pattern wins.
 * @param except Path patterns of requests that are not verified, unless a route has a longer one.
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
        /** It is refused. */
        REFUSED,
        /** It passes as nobody. */
        PASSES,
        /** It runs as the application itself. For trusted callers only. */
        AS_APPLICATION
    }

    /**
     * Requirements of some requests. What is not set is as for all others.
     *
     * @param path Path pattern: * stands for one segment, ** at the end for any that follow.
     * @param methods Methods; none for all.
     * @param withoutBearer Treatment of a request without a bearer.
     * @param scopes Required scopes of a mandate.
     * @param session Whether a mandate must have an agent session.
     * @param delegation Whether a mandate must have a delegation.
     * @param maxHops Maximum number of delegations of a mandate.
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
     * What is revoked.
     *
     * @param redis Revocations of the platform, read from a Redis.
     */
    record Revocation(@DefaultValue Redis redis) {}

    /**
     * A Redis with the platform's revocation streams.
     *
     * @param enabled Whether it is used, by Boot's connection (spring.data.redis) unless there is an address of its own.
     * @param url Address of its own, which also turns it on, for instance rediss://user:secret@redis:6380.
     * @param shared Whether the instances of this application share keys in Redis. Otherwise each reads the streams for its
     *     own memory and writes nothing.
     * @param consumer Name of this instance among those that share. By default the name of the machine.
     * @param hmacKey Key with which the platform signs its entries, in hexadecimal.
     * @param unsigned Whether entries are believed without a signature.
     * @param pollInterval How often the streams are asked for new entries.
     * @param blindLimit How long requests are let in while the streams cannot be read.
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

        /** Shows neither address nor key. */
        @Override
        public String toString() {
            return "Redis[enabled=" + enabled + ", shared=" + shared + ", consumer=" + consumer + "]";
        }
    }
}
