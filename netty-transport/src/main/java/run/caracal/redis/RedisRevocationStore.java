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
 * <p>It only answers from the keys; a {@link RevocationConsumer} writes them. A lookup is one command, or one for each node of
 * a cluster at the same time, and takes two seconds at most. Any failure is an error, so that nobody is let
 * in: the verifier makes it a 503. {@link RevocationStore#cached(RevocationStore)} spares most lookups.
 *
 * <p>Nothing here blocks; results arrive on the connection's event loop. Safe for use by many threads. The connection is the
 * application's, and nothing here needs an end.
 */
public final class RedisRevocationStore implements RevocationStore {
    /** How long a lookup or a write may take. */
    public static final Duration TIMEOUT = Duration.ofSeconds(2);

    /** How long a revocation is remembered, as by the platform's own packages. */
    public static final Duration DEFAULT_KEEP = Duration.ofHours(24);

    /** For how long something can be remembered at most. */
    public static final Duration MAX_KEEP = InMemoryRevocationStore.MAX_KEEP;

    private static final String PREFIX = "caracal:revoked:sessions:";
    private static final String EPOCH_PREFIX = PREFIX + "delegation-epoch:";
    private static final Pattern DECIMAL = Pattern.compile("[0-9]+");

    /** Decimals are compared as text, the longer one being larger: Lua's numbers are exact up to 2^53 only. */
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
     * A store on a connection: {@code connection.reactive()} of a single server, of a master with replicas, of Sentinel or of
     * a cluster. The connection may serve other work too. Does nothing yet.
     *
     * @param redis the commands of a connection that the application closes
     */
    public static RedisRevocationStore create(RedisClusterReactiveCommands<String, String> redis) {
        return new RedisRevocationStore(redis);
    }

    RedisClusterReactiveCommands<String, String> redis() {
        return redis;
    }

    /**
     * {@inheritDoc}
     *
     * <p>A key of any type counts.
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
     * {@inheritDoc}
     *
     * <p>One beyond {@link Long#MAX_VALUE} is that: no mandate names so much. A key that holds no number is an error.
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
                    + " holds no number: delete it, and the zone's next delegation writes it anew");
        }
        return saturated(value);
    }

    /** The number of decimal digits, which may be more than fit. */
    static long saturated(String digits) {
        // More digits are too large for sure, and parsing them would take long.
        String significant = digits.replaceFirst("^0+(?=.)", "");
        return significant.length() > 19
                ? Long.MAX_VALUE
                : new BigInteger(significant)
                        .min(BigInteger.valueOf(Long.MAX_VALUE))
                        .longValue();
    }

    /**
     * Revokes ids for all who share the keys, for instance by hand. Revoking one again starts its time anew. Lazy.
     *
     * @param anchors authority records, agent sessions and delegations, none empty
     * @param keepFor how long to remember them, from a millisecond to {@link #MAX_KEEP}
     * @return completes when all are written; an error when one may not be, after two seconds at most
     * @throws IllegalArgumentException if an id is empty or the time is another
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
     * Refuses the mandates of a zone that name an earlier epoch, for all who share the keys. An epoch never falls. Lazy.
     *
     * @param epoch its epoch in decimal digits, as many as it has
     * @param keepFor how long to remember it, from a millisecond to {@link #MAX_KEEP}
     * @return completes when this epoch or a later one is written; an error when that is not known, after two seconds at most
     * @throws IllegalArgumentException if the zone is empty, the epoch is no number or the time is another
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

    /** Shows nothing of the connection. */
    @Override
    public String toString() {
        return "RedisRevocationStore[" + PREFIX + "*]";
    }
}
