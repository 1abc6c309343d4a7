/**
 * Configuration of a client: builder, environment and profiles, client secrets and bindings of resources. It reads files and
 * the environment, and calls no service.
 */
@NullMarked
package run.caracal.config;

import org.jspecify.annotations.NullMarked;
