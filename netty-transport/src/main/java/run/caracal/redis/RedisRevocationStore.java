package run.caracal.redis;

import io.lettuce.core.ScriptOutputType;
import io.lettuce.core.SetArgs;
import io.lettuce.core.cluster.api.reactive.RedisClusterReactiveCommands;
import java.math.BigInteger;
import java.time.Duration;
import java.util.Collection;
import java.util.Objects;
import java.util.Set;
import java.util.regex.Pattern;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import run.caracal.verify.InMemoryRevocationStore;
import run.caracal.verify.RevocationStore;

/**
 * Revocations in keys that all instances of a resource server share in one Redis, together with the platform's packages
 * for other languages.
 *
 * <pre>{@code
 * StatefulRedisConnection<String, String> redis = RedisClient.create("rediss://user:secret@redis:6380").connect();
 * RedisRevocationStore revocations = RedisRevocationStore.create(redis.reactive());
 * }</pre>
 *
 * <p>The store only reads the keys; a {@link RevocationConsumer} writes them. A lookup is one command, or one
 * concurrent command per node of a cluster, and times out after two seconds. Any failure is an error, which the
 * verifier answers with 503. {@link RevocationStore#cached(RevocationStore)} saves most lookups.
 *
 * <p>Non-blocking and thread-safe; results arrive on the connection's event loop. The application owns the connection;
 * the store needs no close.
 */
public final class RedisRevocationStore implements RevocationStore {
    /** The timeout of a lookup or a write. */
    public static final Duration TIMEOUT = Duration.ofSeconds(2);

    /** How long a revocation is stored by default, as by the platform's own packages. */
    public static final Duration DEFAULT_KEEP = Duration.ofHours(24);

    /** The maximum time that a revocation is stored. */
    public static final Duration MAX_KEEP = InMemoryRevocationStore.MAX_KEEP;

    private static final String PREFIX = "caracal:revoked:sessions:";
    private static final String EPOCH_PREFIX = PREFIX + "delegation-epoch:";
    private static final Pattern DECIMAL = Pattern.compile("[0-9]+");

    /** Compares decimals as text, because Lua's numbers are exact only up to 2^53. */
    private static final String RAISE = """
            local function digits(text)
              return string.match(text or '', '^0*([0-9]+)$') or '0'
            end
            local known, offered = digits(redis.call('GET', KEYS[1])), digits(ARGV[1])
            if #offered < #known or (#offered == #known and offered <= known) then
              return 0
            end
            redis.call('SET', KEYS[1], offered, 'PX', ARGV[2])
            return 1
            """;

    private final RedisClusterReactiveCommands<String, String> redis;

    private RedisRevocationStore(RedisClusterReactiveCommands<String, String> redis) {
        this.redis = Objects.requireNonNull(redis, "redis");
    }

    /**
     * {@return a store on a connection} The connection may be that of a single server, a master with replicas, Sentinel
     * or a cluster, and may be shared with other work. Sends nothing yet.
     *
     * @param redis {@code connection.reactive()} of a connection that the application closes
     */
    public static RedisRevocationStore create(RedisClusterReactiveCommands<String, String> redis) {
        return new RedisRevocationStore(redis);
    }

    RedisClusterReactiveCommands<String, String> redis() {
        return redis;
    }

    /**
     * Whether the platform has written a revocation of any of the ids. Lazy. A key of any type counts as a revocation.
     *
     * @return {@code true} if one of them is revoked; an error if Redis fails or does not answer in time
     */
    @Override
    public Mono<Boolean> isRevoked(Set<String> anchors) {
        if (anchors.isEmpty()) {
            return Mono.just(false);
        }
        String[] keys = anchors.stream().map(anchor -> PREFIX + anchor).toArray(String[]::new);
        return Mono.defer(() -> redis.exists(keys).map(found -> found > 0).timeout(TIMEOUT));
    }

    /**
     * The epoch of a zone's delegations. Lazy. Values beyond {@link Long#MAX_VALUE} count as that.
     *
     * @return the epoch; empty if there is none; an error if its key holds no number, or Redis fails or does not answer in time
     */
    @Override
    public Mono<Long> delegationEpoch(String zoneId) {
        return Mono.defer(() -> redis.get(EPOCH_PREFIX + zoneId)
                .map(value -> parsed(zoneId, value))
                .timeout(TIMEOUT));
    }

    private static long parsed(String zoneId, String value) {
        if (!DECIMAL.matcher(value).matches()) {
            throw new IllegalStateException("The key " + EPOCH_PREFIX + zoneId
                    + " holds no number: delete it, and the zone's next epoch writes it again");
        }
        return saturated(value);
    }

    /** Parses decimal digits; larger values are {@link Long#MAX_VALUE}. */
    static long saturated(String digits) {
        // More digits are certainly too large, and slow to parse.
        String significant = digits.replaceFirst("^0+(?=.)", "");
        return significant.length() > 19
                ? Long.MAX_VALUE
                : new BigInteger(significant)
                        .min(BigInteger.valueOf(Long.MAX_VALUE))
                        .longValue();
    }

    /**
     * Revokes ids for all instances that share the keys. Revoking an id again restarts its time. Lazy.
     *
     * @param anchors authority records, agent sessions and delegations, none empty
     * @param keepFor how long to store them, from a millisecond to {@link #MAX_KEEP}
     * @return completes when all are written; an error if one may not be, after two seconds at most
     * @throws IllegalArgumentException if an id is empty or the time is out of range
     */
    public Mono<Void> revoke(Collection<String> anchors, Duration keepFor) {
        Set<String> ids = Set.copyOf(anchors);
        if (ids.contains("")) {
            throw new IllegalArgumentException("anchors must not be empty");
        }
        SetArgs args = SetArgs.Builder.px(millis(keepFor));
        return Mono.defer(() -> Flux.fromIterable(ids)
                .flatMap(id -> redis.set(PREFIX + id, "1", args))
                .then()
                .timeout(TIMEOUT));
    }

    /**
     * Rejects the mandates of a zone that name an earlier epoch, for all instances that share the keys. An epoch never
     * decreases. Lazy.
     *
     * @param epoch decimal digits, of any length
     * @param keepFor how long to store it, from a millisecond to {@link #MAX_KEEP}
     * @return completes when this epoch or a later one is written; an error if that is unknown, after two seconds at
     *     most
     * @throws IllegalArgumentException if the zone is empty, the epoch is malformed or the time is out of range
     */
    public Mono<Void> raiseDelegationEpoch(String zoneId, String epoch, Duration keepFor) {
        if (zoneId.isEmpty()) {
            throw new IllegalArgumentException("zoneId must not be empty");
        }
        if (!isEpoch(epoch)) {
            throw new IllegalArgumentException("epoch must be decimal digits");
        }
        String[] keys = {EPOCH_PREFIX + zoneId};
        String time = Long.toString(millis(keepFor));
        return Mono.defer(() -> redis.eval(RAISE, ScriptOutputType.INTEGER, keys, epoch, time)
                .then()
                .timeout(TIMEOUT));
    }

    static boolean isEpoch(String text) {
        return DECIMAL.matcher(text).matches();
    }

    private static long millis(Duration keepFor) {
        if (keepFor.compareTo(Duration.ofMillis(1)) < 0 || keepFor.compareTo(MAX_KEEP) > 0) {
            throw new IllegalArgumentException("keepFor must be from 1 ms to " + MAX_KEEP + ", not " + keepFor);
        }
        return keepFor.toMillis();
    }

    /** Omits the connection. */
    @Override
    public String toString() {
        return "RedisRevocationStore[" + PREFIX + "*]";
    }
}
