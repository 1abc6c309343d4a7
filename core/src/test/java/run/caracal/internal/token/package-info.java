/** Tests of the tokens. */
@NullMarked
package run.caracal.internal.token;

import org.jspecify.annotations.NullMarked;
