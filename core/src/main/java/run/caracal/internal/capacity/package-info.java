@NullMarked
package run.caracal.internal.capacity;

import org.jspecify.annotations.NullMarked;
