/**
 * Agent sessions: tasks around work, and services with a lease. It may know delegations, leases and the control plane; it
 * mints no mandates and judges no requests.
 */
@NullMarked
package run.caracal.internal.session;

import org.jspecify.annotations.NullMarked;
