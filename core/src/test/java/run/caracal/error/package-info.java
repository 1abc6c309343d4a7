@NullMarked
package run.caracal.error;

import org.jspecify.annotations.NullMarked;
