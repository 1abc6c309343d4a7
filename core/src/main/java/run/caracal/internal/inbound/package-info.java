/** Incoming requests: whom they act for. */
@NullMarked
package run.caracal.internal.inbound;

import org.jspecify.annotations.NullMarked;
