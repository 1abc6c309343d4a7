/** Characters and percent-encoding, as the platform reads them. */
@NullMarked
package run.caracal.internal.text;

import org.jspecify.annotations.NullMarked;
