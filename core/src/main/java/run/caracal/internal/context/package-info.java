/**
 * Identity: the value bound in the Reactor Context, its session, and the origin of its authority. It may know the wire's values
 * and the lifecycle; it sends nothing, and the engines that change a context live elsewhere.
 */
@NullMarked
package run.caracal.internal.context;

import org.jspecify.annotations.NullMarked;
