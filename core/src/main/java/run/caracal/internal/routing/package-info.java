/** Where a request goes: to the Gateway, past it, or nowhere. */
@NullMarked
package run.caracal.internal.routing;

import org.jspecify.annotations.NullMarked;
