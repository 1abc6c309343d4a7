/** How events reach their listeners. Not part of the API. */
@NullMarked
package run.caracal.internal.event;

import org.jspecify.annotations.NullMarked;
