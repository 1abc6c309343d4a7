/** Reads the recorded conformance cases in {@code vectors/} and runs each of them as one test. */
@NullMarked
package run.caracal.vectors;

import org.jspecify.annotations.NullMarked;
