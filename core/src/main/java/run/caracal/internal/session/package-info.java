/** Agent sessions: tasks around work, and services with a lease. */
@NullMarked
package run.caracal.internal.session;

import org.jspecify.annotations.NullMarked;
