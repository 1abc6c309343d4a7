/**
 * Delegations: what a session is granted, passes on and accepts. It may know contexts and the control plane; it neither opens
 * nor ends sessions.
 */
@NullMarked
package run.caracal.internal.delegation;

import org.jspecify.annotations.NullMarked;
