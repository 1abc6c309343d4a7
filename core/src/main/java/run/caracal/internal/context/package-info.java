/** Identity: the value that is bound in the Reactor Context, its session, and how it came by its authority. */
@NullMarked
package run.caracal.internal.context;

import org.jspecify.annotations.NullMarked;
