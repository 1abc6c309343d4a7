/** Options of users: the checks of their arguments, and the values that the engines take. */
@NullMarked
package run.caracal.internal.options;

import org.jspecify.annotations.NullMarked;
