/** The Caracal client: governed agent sessions as reactive resources, and the context they bind. */
@NullMarked
package run.caracal;

import org.jspecify.annotations.NullMarked;
