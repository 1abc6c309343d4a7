/**
 * Revocations from the platform's streams in Redis: a store that the instances of a resource server share, and the
 * consumer that feeds it. It reads and writes the keys, groups and entries of the platform's own packages for other languages,
 * so that all of them can share one Redis.
 *
 * <p>Needs the optional artifact {@code io.lettuce:lettuce-core}, and {@link run.caracal.redis.RevocationMetrics} also {@code
 * io.micrometer:micrometer-core}. Connections belong to the application, which closes them after what uses them.
 */
@NullMarked
package run.caracal.redis;

import org.jspecify.annotations.NullMarked;
