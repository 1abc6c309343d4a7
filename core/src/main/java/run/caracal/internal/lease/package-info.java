/** Leases: when they are renewed, and when they are lost. Not part of the API. */
@NullMarked
package run.caracal.internal.lease;

import org.jspecify.annotations.NullMarked;
