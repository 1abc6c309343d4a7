/** Requests to the STS and the Coordinator and their answers, as values and functions; nothing here does I/O. */
@NullMarked
package run.caracal.internal.wire;

import org.jspecify.annotations.NullMarked;
