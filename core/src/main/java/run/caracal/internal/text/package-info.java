/**
 * Characters and percent-encoding, as the platform reads them. Pure functions, which know nothing of the SDK.
 */
@NullMarked
package run.caracal.internal.text;

import org.jspecify.annotations.NullMarked;
