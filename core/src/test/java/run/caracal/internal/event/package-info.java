/** Tests of the events. */
@NullMarked
package run.caracal.internal.event;

import org.jspecify.annotations.NullMarked;
