/**
 * Auto-configuration for Spring Boot: a client from properties, its identity on the application's {@code WebClient}, and a
 * boundary in front of the application. Every bean backs off for one of the application.
 */
@NullMarked
package run.caracal.boot;

import org.jspecify.annotations.NullMarked;
