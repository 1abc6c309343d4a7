@NullMarked
package run.caracal.internal.outbound;

import org.jspecify.annotations.NullMarked;
