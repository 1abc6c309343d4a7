/** Tests of the verification of inbound mandates. */
@NullMarked
package run.caracal.verify;

import org.jspecify.annotations.NullMarked;
