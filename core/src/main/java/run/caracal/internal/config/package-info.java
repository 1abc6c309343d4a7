/**
 * Reads the configuration from the environment and from profiles, and holds the rules of its values, which the options of
 * users share. It may block, as its callers say; it knows no engine and no transport.
 */
@NullMarked
package run.caracal.internal.config;

import org.jspecify.annotations.NullMarked;
