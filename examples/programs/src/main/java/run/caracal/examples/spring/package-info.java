/** Applications on Spring WebFlux: their configuration, and a chain of three. */
@NullMarked
package run.caracal.examples.spring;

import org.jspecify.annotations.NullMarked;
