/** Tests of what configuration is read with. */
@NullMarked
package run.caracal.internal.config;

import org.jspecify.annotations.NullMarked;
