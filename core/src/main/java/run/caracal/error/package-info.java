/**
 * The exceptions of the SDK, one type for each thing a caller can do about it.
 *
 * @serial exclude
 */
@NullMarked
package run.caracal.error;

import org.jspecify.annotations.NullMarked;
