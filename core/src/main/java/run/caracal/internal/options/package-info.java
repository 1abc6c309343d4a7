/**
 * The checks of arguments of public methods, with one form of message, and the values that engines take in place of public
 * options. It knows rules and formats, and no engine.
 */
@NullMarked
package run.caracal.internal.options;

import org.jspecify.annotations.NullMarked;
