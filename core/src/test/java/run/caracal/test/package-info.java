/** Test support for all modules. */
@NullMarked
package run.caracal.test;

import org.jspecify.annotations.NullMarked;
