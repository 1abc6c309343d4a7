/** What the SDK tells about its own work: one event for each control-plane operation. */
@NullMarked
package run.caracal.event;

import org.jspecify.annotations.NullMarked;
