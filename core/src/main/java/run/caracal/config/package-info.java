/** Configuration of a Caracal client: builder, environment, runtime profiles. */
@NullMarked
package run.caracal.config;

import org.jspecify.annotations.NullMarked;
