@NullMarked
package run.caracal.micrometer;

import org.jspecify.annotations.NullMarked;
