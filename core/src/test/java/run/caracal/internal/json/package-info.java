@NullMarked
package run.caracal.internal.json;

import org.jspecify.annotations.NullMarked;
