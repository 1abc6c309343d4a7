/** Tokens: what they say about themselves, and where they come from. */
@NullMarked
package run.caracal.internal.token;

import org.jspecify.annotations.NullMarked;
