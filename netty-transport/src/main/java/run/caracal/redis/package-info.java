/**
 * Revocations from the platform's streams in Redis: a store that the instances of a resource server share, and the
 * consumer that feeds it. Keys, groups and entries are those of the platform's packages for other languages, so all of
 * them can share one Redis.
 *
 * <p>Needs the optional artifact {@code io.lettuce:lettuce-core}, and {@link run.caracal.redis.RevocationMetrics} also
 * {@code io.micrometer:micrometer-core}. The application owns the connections, and closes them after the consumers.
 */
@NullMarked
package run.caracal.redis;

import org.jspecify.annotations.NullMarked;
