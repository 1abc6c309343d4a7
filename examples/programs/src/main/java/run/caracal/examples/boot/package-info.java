/** A Spring Boot application, complete. */
@NullMarked
package run.caracal.examples.boot;

import org.jspecify.annotations.NullMarked;
