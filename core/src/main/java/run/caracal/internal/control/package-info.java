/** Calls to the STS and the Coordinator: attempts, retries, refused tokens, events. Not part of the API. */
@NullMarked
package run.caracal.internal.control;

import org.jspecify.annotations.NullMarked;
