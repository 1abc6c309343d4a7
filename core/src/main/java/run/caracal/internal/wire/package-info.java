/**
 * Requests to the STS and the Coordinator and their answers, as values and functions. Nothing here does I/O, waits, retries or
 * knows a session that is at work.
 */
@NullMarked
package run.caracal.internal.wire;

import org.jspecify.annotations.NullMarked;
