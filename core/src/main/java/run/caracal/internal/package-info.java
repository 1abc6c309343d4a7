/** Helpers of the SDK's own packages; no part of the API. */
@NullMarked
package run.caracal.internal;

import org.jspecify.annotations.NullMarked;
