/** The Caracal SDK in Spring WebFlux applications; needs {@code spring-webflux} on the class path. */
@NullMarked
package run.caracal.webflux;

import org.jspecify.annotations.NullMarked;
