/** Tests of the configuration. */
@NullMarked
package run.caracal.config;

import org.jspecify.annotations.NullMarked;
