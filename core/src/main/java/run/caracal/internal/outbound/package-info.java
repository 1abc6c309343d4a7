/** Outgoing requests: what identity they get, and those that the SDK sends itself. */
@NullMarked
package run.caracal.internal.outbound;

import org.jspecify.annotations.NullMarked;
