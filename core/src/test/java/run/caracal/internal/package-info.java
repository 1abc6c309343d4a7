/** Tests of the helpers. */
@NullMarked
package run.caracal.internal;

import org.jspecify.annotations.NullMarked;
