/** Tests of the HTTP seam. */
@NullMarked
package run.caracal.http;

import org.jspecify.annotations.NullMarked;
