@NullMarked
package run.caracal.context;

import org.jspecify.annotations.NullMarked;
