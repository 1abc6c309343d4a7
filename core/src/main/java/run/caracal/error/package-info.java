/**
 * The exceptions of the SDK, one type for each way in which a caller can react. They contain no token and no secret.
 *
 * @serial exclude
 */
@NullMarked
package run.caracal.error;

import org.jspecify.annotations.NullMarked;
