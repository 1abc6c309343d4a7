@NullMarked
package run.caracal.redis;

import org.jspecify.annotations.NullMarked;
