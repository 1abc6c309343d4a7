/**
 * The way of an event from an operation to its listeners. An event never holds up the operation or fails it. The bus knows
 * the events themselves, and no engine.
 */
@NullMarked
package run.caracal.internal.event;

import org.jspecify.annotations.NullMarked;
