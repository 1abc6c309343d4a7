/** JSON as plain Java values; the parser stays inside. */
@NullMarked
package run.caracal.internal.json;

import org.jspecify.annotations.NullMarked;
