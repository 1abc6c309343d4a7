/**
 * Limits of one client: the permits of its open sessions, and the rate of its mints. It may know the configuration,
 * events and the lifecycle; it neither opens sessions nor mints mandates, which come as functions.
 */
@NullMarked
package run.caracal.internal.capacity;

import org.jspecify.annotations.NullMarked;
