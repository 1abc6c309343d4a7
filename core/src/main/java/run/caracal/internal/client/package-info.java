/**
 * The wiring of a client: creates the engines in their order and closes them in the reverse one. It may know every package;
 * only the root package knows it. No behaviour of its own belongs here.
 */
@NullMarked
package run.caracal.internal.client;

import org.jspecify.annotations.NullMarked;
