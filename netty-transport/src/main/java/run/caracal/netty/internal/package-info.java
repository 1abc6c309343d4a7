/** Not API: may change in any version. */
@NullMarked
package run.caracal.netty.internal;

import org.jspecify.annotations.NullMarked;
