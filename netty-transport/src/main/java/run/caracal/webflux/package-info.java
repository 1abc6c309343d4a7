/**
 * The SDK in Spring WebFlux applications: a filter for {@code WebClient} and one for servers. Needs
 * {@code spring-webflux}.
 */
@NullMarked
package run.caracal.webflux;

import org.jspecify.annotations.NullMarked;
