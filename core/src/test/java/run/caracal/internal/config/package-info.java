/** Tests of the reading of configuration. */
@NullMarked
package run.caracal.internal.config;

import org.jspecify.annotations.NullMarked;
