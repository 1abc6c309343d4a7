/**
 * The exceptions of the SDK, one type for each thing a caller can do about it. They hold no token and no secret, and know
 * no engine.
 *
 * @serial exclude
 */
@NullMarked
package run.caracal.error;

import org.jspecify.annotations.NullMarked;
