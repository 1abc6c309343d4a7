/** Events of the SDK's own work: one for each control-plane operation. */
@NullMarked
package run.caracal.event;

import org.jspecify.annotations.NullMarked;
