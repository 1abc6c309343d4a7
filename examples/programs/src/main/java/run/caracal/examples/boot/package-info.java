/** A complete Spring Boot application. */
@NullMarked
package run.caracal.examples.boot;

import org.jspecify.annotations.NullMarked;
