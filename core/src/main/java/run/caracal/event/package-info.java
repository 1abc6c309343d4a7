/** Events of the SDK's operations, as records without tokens and secrets. */
@NullMarked
package run.caracal.event;

import org.jspecify.annotations.NullMarked;
