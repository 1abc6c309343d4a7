/**
 * Calls to the STS and the Coordinator: attempts, retries, rejected tokens, late terminations, events. It may know the wire and
 * tokens; it knows no session and no context, which its callers turn into arguments.
 */
@NullMarked
package run.caracal.internal.control;

import org.jspecify.annotations.NullMarked;
