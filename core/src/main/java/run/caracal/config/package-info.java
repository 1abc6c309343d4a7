/**
 * The configuration of a client: builder, environment, profiles, client secrets and resource bindings. Reads files and
 * the environment, and calls no service.
 */
@NullMarked
package run.caracal.config;

import org.jspecify.annotations.NullMarked;
