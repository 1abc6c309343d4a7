/**
 * JSON as plain Java values. The parser stays inside, behind limits of size and depth; nothing of the SDK is known here.
 */
@NullMarked
package run.caracal.internal.json;

import org.jspecify.annotations.NullMarked;
