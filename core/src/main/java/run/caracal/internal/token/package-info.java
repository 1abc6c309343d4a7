/**
 * Tokens: their own claims, read without a proof, and the cache of the application's token. The exchange comes as a function;
 * nothing here knows the STS.
 */
@NullMarked
package run.caracal.internal.token;

import org.jspecify.annotations.NullMarked;
