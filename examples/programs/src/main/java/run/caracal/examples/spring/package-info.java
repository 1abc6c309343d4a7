/** Applications on Spring WebFlux: the configuration that one needs, and three that call one another. */
@NullMarked
package run.caracal.examples.spring;

import org.jspecify.annotations.NullMarked;
