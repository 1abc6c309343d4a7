/** Reads the configuration from the environment and from profiles, and checks it. */
@NullMarked
package run.caracal.internal.config;

import org.jspecify.annotations.NullMarked;
