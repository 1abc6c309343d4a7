/** The exceptions of the SDK, one type for each thing a caller can do about it. */
@NullMarked
package run.caracal.error;

import org.jspecify.annotations.NullMarked;
