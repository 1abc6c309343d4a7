/**
 * The SDK in Spring WebFlux applications: a filter of {@code WebClient} and one of servers. Needs {@code spring-webflux}; nothing
 * else of the SDK knows Spring.
 */
@NullMarked
package run.caracal.webflux;

import org.jspecify.annotations.NullMarked;
