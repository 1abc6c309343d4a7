/** One-shot mandates: minting, the sessions that hold authority for it, and approvals. */
@NullMarked
package run.caracal.internal.mandate;

import org.jspecify.annotations.NullMarked;
