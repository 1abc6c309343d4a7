@NullMarked
package run.caracal.internal.wire;

import org.jspecify.annotations.NullMarked;
