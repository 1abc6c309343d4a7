/**
 * One-shot mandates: minting, the sessions that hold authority for it, and approvals. It may open sessions and delegations by
 * their engines; it keeps no mandate, and knows no HTTP client of the application.
 */
@NullMarked
package run.caracal.internal.mandate;

import org.jspecify.annotations.NullMarked;
