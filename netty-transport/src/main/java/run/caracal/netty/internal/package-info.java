/**
 * The decorated client and the edit of a request on the wire. Not API: may change in any version. It knows the policies of
 * the core, and no engine behind them.
 */
@NullMarked
package run.caracal.netty.internal;

import org.jspecify.annotations.NullMarked;
