/** Example programs, each short enough to read in one sitting. */
@NullMarked
package run.caracal.examples;

import org.jspecify.annotations.NullMarked;
