/**
 * Decides where a request goes: to the Gateway, past it, or nowhere. Pure functions of an address and the bindings; nothing
 * here knows identity.
 */
@NullMarked
package run.caracal.internal.routing;

import org.jspecify.annotations.NullMarked;
