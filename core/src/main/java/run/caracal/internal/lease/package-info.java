/**
 * Leases: when they are renewed, and when they are lost. The renewal itself is a function that the caller gives; nothing here
 * knows a session or the Coordinator.
 */
@NullMarked
package run.caracal.internal.lease;

import org.jspecify.annotations.NullMarked;
