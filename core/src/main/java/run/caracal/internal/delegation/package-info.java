/** Delegations: what a session is granted, passes on and takes on. */
@NullMarked
package run.caracal.internal.delegation;

import org.jspecify.annotations.NullMarked;
