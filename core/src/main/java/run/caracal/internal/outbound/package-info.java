/**
 * Decides which identity an outgoing request gets, and sends the requests of {@code fetch}. It may know routes, contexts and
 * mandates; HTTP clients know only the policy that it implements.
 */
@NullMarked
package run.caracal.internal.outbound;

import org.jspecify.annotations.NullMarked;
